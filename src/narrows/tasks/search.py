"""Search by example: the rows whose codes are nearest to the code of a query.

    cosine      1 - cos(z - m, q - m), in [0, 2]        m: the mean code of the training examples
    euclidean   |z - q|

Up to 50,000 rows the search compares the query with all of them. Beyond that it uses a graph of neighbours (HNSW:
Malkov and Yashunin, 2018, https://arxiv.org/abs/1603.09320; usearch, installed by the extra `search`). The graph misses
a few of the nearest rows, and its time grows with the logarithm of their number. L is the number of components of a
code.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.data import as_dense, is_frame, is_one, one_row, row_labels, spaced_indices
from narrows.data.labels import check_labels
from narrows.estimators import Estimator
from narrows.evaluation.labels import vote
from narrows.params import Integer, OneOf, Parameter, Real
from narrows.tasks import search_folder as files
from narrows.tasks.retrieval import Retrieval, average_precision, overlap

_MAX_EXACT_ROWS = 50_000  # an exact search of this many takes one or two milliseconds for a query
_GRAPH_NEIGHBORS = 16  # edges of a row in the graph
_EXPANSION_ADD = 64  # candidates while a row is added
_EXPANSIONS = (64, 128, 256, 512, 1024, 2048)  # candidates in a search: the first with enough recall is taken
_TUNING_QUERIES, _TUNING_K = 200, 10  # queries and neighbours that measure this recall
_BLOCK_NUMBERS = 1 << 22  # distances in memory at a time
_RECALL_QUERIES = 1_000  # evenly spaced queries for the recall in `evaluate`


class Matches(NamedTuple):
    """Matches of each query, nearest first.

    Attributes
    ----------
    rows : queries x k of int, indices of rows in the order in which they were added.
    distances : queries x k of float32, by the metric of the index.
    keys : queries x k, the keys of the rows; None if they have none.
    """

    rows: np.ndarray
    distances: np.ndarray
    keys: np.ndarray | None = None


class Index:
    """Index of rows for search by example.

    Parameters
    ----------
    model : a fitted estimator with codes.
    metric : "cosine" or "euclidean". In most codes neighbours by "cosine" have the same label more often.
    exact : True to compare all rows, False to use a graph, "auto" for a graph beyond 50,000 rows.
    recall : in (0, 1], the fraction of the ten nearest rows that a search of the graph should find. The index chooses
        the number of candidates of a search accordingly, and again after rows were added.

    Raises
    ------
    TypeError
        If `model` is not an estimator of narrows.
    NotFittedError
        If `model` is not fitted.
    ValueError
        If a parameter is outside its range or `model` has no codes.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> from narrows.tasks import Index
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> model = AE(2, hidden=(8,), max_epochs=1, random_state=0).fit(X)
    >>> int(Index(model).add(X).search(X[7], k=3).rows[0, 0])
    7
    """

    def __init__(
        self, model: Estimator, *, metric: str = "cosine", exact: bool | str = "auto", recall: float = 0.98
    ) -> None:
        Parameter("metric", "cosine", OneOf(("cosine", "euclidean")), "").check("Index", metric)
        Parameter("exact", "auto", OneOf((True, False, "auto")), "").check("Index", exact)
        Parameter("recall", 0.98, Real(0, 1, open_low=True), "").check("Index", recall)
        if not isinstance(model, Estimator):
            raise TypeError(f"Index takes a fitted narrows estimator. Got {type(model).__name__}.")
        check_is_fitted(model)
        model.check_method("transform")
        self.model, self.metric, self.exact, self.recall = model, metric, exact, recall
        self.codes = np.empty((0, model.model_.bottleneck.n_components), np.float32)
        self.keys: list[str] | None = None
        self.labels: np.ndarray | None = None
        self._graph: Any = None
        self._rows: Tensor | None = None  # all codes, after `_vectors`
        self.width = _EXPANSIONS[0]  # candidates in a search of the graph

    def __len__(self) -> int:
        return len(self.codes)

    def add(self, X: Any, y: Any = None, *, keys: Sequence[str] | None = None) -> Index:
        """Add the examples of X and return the index itself.

        Parameters
        ----------
        X : n examples, or anything else that `stream` of the model reads: a path, a memory map, an iterator of arrays.
        y : (n,) labels, numbers or words, for `evaluate`.
        keys : n names of the rows, such as paths of pictures. None takes, for a data frame, the labels of its index
            unless they are 0, 1, 2, ..., or the first column of identifiers.

        Raises
        ------
        ValueError
            If X is not like the training examples of the model, `y` or `keys` has another length, or only some rows of
            the index would have labels or keys.
        """
        codes = as_dense(self.model.stream(X))
        if keys is None and is_frame(X) and (len(self) == 0 or self.keys is not None):
            keys = row_labels(X, self.model.schema_)
            if keys is None and self.keys is not None:  # the other rows have labels
                keys = [str(row) for row in range(len(self), len(self) + len(codes))]
        return self.add_codes(codes, y, keys=keys)

    def add_codes(self, codes: np.ndarray, y: Any = None, *, keys: Sequence[str] | None = None) -> Index:
        """Add rows by their codes (n x L), as `add` does after encoding. Raises as `add` does."""
        codes = _check_codes(codes, self.codes.shape[1])
        is_first = len(self) == 0
        labels = None if y is None else self._labels(y, len(codes), "Index.add")
        for name, new, existing in (("y", labels, self.labels), ("keys", keys, self.keys)):
            if new is not None and len(new) != len(codes):
                raise ValueError(
                    f"`{name}` passed to add must have one entry for each of {len(codes)} rows. Got {len(new)}."
                )
            if not is_first and (new is None) != (existing is None):
                raise ValueError(
                    f"Either all rows of an index have `{name}` or none: pass it to every add, or to none."
                )
        self.codes, self._rows = np.concatenate([self.codes, codes]), None
        if labels is not None:
            self.labels = labels if self.labels is None else np.concatenate([self.labels, labels])
        if keys is not None:
            self.keys = [*(self.keys or []), *map(str, keys)]
        return self

    def search(self, query: Any, k: int = 10) -> Matches:
        """Return the `k` rows that are nearest to each query.

        Parameters
        ----------
        query : one example, or several along the first axis. One row of a table may be a dict or a pandas Series.
        k : from 1 to the number of rows.

        Raises
        ------
        ValueError
            If the index is empty, `k` is outside its range, or `query` is not like the examples of the model.
        ImportError
            If the search needs a graph and usearch is not installed.
        """
        schema = self.model.schema_
        if isinstance(query, Tensor) or (isinstance(query, (list, tuple)) and schema.table is None):
            query = np.asarray(query)
        if not isinstance(query, (str, os.PathLike)) and is_one(query, schema):
            query = one_row(query, schema, "Index.search")
        self._check_k(k, len(self))  # before the encoding, which takes time
        return self.search_codes(as_dense(self.model.stream(query)), k)

    def search_codes(self, codes: np.ndarray, k: int = 10, *, without: Any = None) -> Matches:
        """Return the `k` rows that are nearest to each of the codes (n x L). Raises as `search` does.

        Parameters
        ----------
        k : from 1 to the number of rows, or one less with `without`.
        without : (n,) of int, for each code the index of a row to leave out, such as its own row; None for none.
        """
        codes = _check_codes(codes, self.codes.shape[1])
        self._check_k(k, len(self) - (without is not None))
        rows, distances = self._nearest_without(without, codes, k, self._uses_graph)
        return Matches(rows, distances, None if self.keys is None else np.asarray(self.keys, dtype=object)[rows])

    def evaluate(self, X: Any = None, y: Any = None, *, k: int = 100, n_neighbors: int = 10) -> Retrieval:
        """Return the recall against an exact search, and with labels mean average precision and accuracy.

        Parameters
        ----------
        X : queries; None for the rows of the index, each of which is then left out of its own matches.
        y : the label of each query; None for no labels, or with X=None for the labels of the rows.
        k : number of matches for the average precision, at least 1.
        n_neighbors : number of matches for recall and accuracy, at least 1.

        Raises
        ------
        ValueError
            If the index has too few rows, a parameter is outside its range, `y` does not match the queries, or the rows
            have no labels.
        ImportError
            If the search needs a graph and usearch is not installed.
        """
        exclude_self = X is None
        n_candidates = len(self) - exclude_self
        if exclude_self and n_candidates < 1:
            raise ValueError(
                f"An index needs at least two rows to search for its own rows. Got {len(self)}: pass X, or add more."
            )
        for name, value in (("k", k), ("n_neighbors", n_neighbors)):
            Parameter(name, 10, Integer(1), "").check("evaluate", value)
        k, n_neighbors = min(k, n_candidates), min(n_neighbors, n_candidates)
        self._check_k(k, n_candidates)
        codes = self.codes if exclude_self else as_dense(self.model.stream(X)).astype(np.float32, copy=False)
        labels = self.labels if exclude_self else None
        if y is not None:
            labels = self._labels(y, len(codes), "Index.evaluate")
        if labels is not None and self.labels is None:
            raise ValueError("The rows of this index have no labels to compare with: pass them as `y` to add.")
        without = np.arange(len(codes)) if exclude_self else None
        matches, _ = self._nearest_without(without, codes, max(k, n_neighbors), self._uses_graph)
        recall = 1.0
        if self._uses_graph:
            sample = spaced_indices(len(codes), _RECALL_QUERIES)
            true, _ = self._nearest_without(sample if exclude_self else None, codes[sample], n_neighbors, False)
            recall = overlap(true, matches[sample, :n_neighbors])
        if labels is None:
            return Retrieval(recall, None, None, len(codes), k, n_neighbors)
        assert self.labels is not None
        precision = average_precision(self.labels, labels, matches[:, :k], exclude_self)
        is_correct = vote(self.labels[matches[:, :n_neighbors]]) == labels
        return Retrieval(recall, float(precision.mean()), float(is_correct.mean()), len(codes), k, n_neighbors)

    # ---------------------------------------------------------------------------------------------- saving

    def save(self, folder: str | Path, about: dict[str, Any] | None = None) -> None:
        """Write the index into `folder`: index.json, codes.safetensors, and the graph if there is one.

        Parameters
        ----------
        about : more to write into index.json as "about"; `search_folder.describe` returns it.

        Raises
        ------
        FileExistsError
            If `folder` is a file.
        """
        if self._uses_graph:
            self._update_graph()
        settings = {
            "model": files.fingerprint(self.model),
            "n": len(self),
            "metric": self.metric,
            "exact": self.exact,
            "recall": self.recall,
            "width": self.width,
            "keys": self.keys,
            "labels": None if self.labels is None else self.labels.tolist(),
            "about": about or {},
        }
        files.write(Path(folder).expanduser(), settings, self.codes, self._graph if self._uses_graph else None)

    @classmethod
    def load(cls, folder: str | Path, model: Estimator) -> Index:
        """Return the index that is saved in `folder`, which must have been made with `model`.

        Raises
        ------
        FileNotFoundError, ValueError
            If `folder` holds no complete index, or one of another model.
        """
        document, codes, graph = files.read(Path(folder).expanduser(), model)
        index = cls(model, metric=document["metric"], exact=document["exact"], recall=document["recall"])
        index.codes, index.keys = codes, document["keys"]
        index.labels = None if document["labels"] is None else np.asarray(document["labels"])
        if graph is not None:
            index._graph = _new_graph(codes.shape[1])
            index._graph.load(graph)
            index.width = document["width"]
        return index

    # ---------------------------------------------------------------------------------------------- inside

    @property
    def _uses_graph(self) -> bool:
        return len(self) > _MAX_EXACT_ROWS if self.exact == "auto" else not self.exact

    def _labels(self, y: Any, n: int, owner: str) -> np.ndarray:
        """Return `y` as an array of n labels of the same kind as those of the rows."""
        labels = check_labels(y, n, owner)
        is_text = {array.dtype.kind in "USO" for array in (labels, self.labels) if array is not None}
        if len(is_text) > 1:
            raise ValueError("The labels of an index's rows and those in `y` must both be numbers, or both be words.")
        return labels

    def _check_k(self, k: int, n_candidates: int) -> None:
        if len(self) == 0:
            raise ValueError("The index is empty: add rows with add(X).")
        Parameter("k", 10, Integer(min(1, n_candidates), n_candidates), "").check("search", k)

    def _nearest(self, codes: np.ndarray, k: int, use_graph: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of the `k` nearest rows of each code, and their distances: n x k each."""
        queries = self._vectors(codes)
        exact = np.arange(len(queries))  # the queries that are compared with all rows
        rows, squares = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
        if use_graph:
            self._update_graph()
            self._graph.expansion_search = round(self.width * max(1.0, k / _TUNING_K))
            # usearch answers a single query in another form, so the last query is repeated
            matches = self._graph.search(np.concatenate([queries, queries[-1:]]), k, threads=torch.get_num_threads())
            rows[:], squares[:] = matches.keys[:-1].astype(np.int64), matches.distances[:-1]
            exact = np.flatnonzero(matches.counts[:-1] < k)  # the graph does not reach every one of many duplicates
        if len(exact):
            if self._rows is None:
                self._rows = torch.from_numpy(self._vectors(self.codes))
            rows[exact], squares[exact] = _search_exact(torch.from_numpy(queries[exact]), self._rows, k)
        # for vectors of length 1, |a - b|^2 = 2 (1 - cos)
        squares = squares.clip(min=0)
        return rows, squares / 2 if self.metric == "cosine" else np.sqrt(squares)

    def _nearest_without(
        self, without: Any, codes: np.ndarray, k: int, use_graph: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the same as `_nearest`, but leave out row `without[i]` for code i."""
        if without is None:
            return self._nearest(codes, k, use_graph)
        rows, distances = self._nearest(codes, k + 1, use_graph)
        excluded = rows == np.asarray(without)[:, None]
        excluded[~excluded.any(1), -1] = True  # with more than k duplicates the row may be missing: drop the last match
        return rows[~excluded].reshape(len(rows), k), distances[~excluded].reshape(len(rows), k)

    def _vectors(self, codes: np.ndarray) -> np.ndarray:
        """Return codes (n x L) as vectors whose Euclidean distance gives the metric."""
        if self.metric == "euclidean":
            return codes
        centred = codes - self.model.code_mean_.astype(np.float32)
        return centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(min=1e-12)

    def _update_graph(self) -> None:
        """Add to the graph the rows that it does not have yet."""
        if self._graph is None:
            self._graph = _new_graph(self.codes.shape[1])
        n = len(self._graph)
        if n < len(self):
            rows = np.arange(n, len(self), dtype=np.uint64)
            self._graph.add(rows, self._vectors(self.codes[n:]), threads=torch.get_num_threads())
            self._tune_width()

    def _tune_width(self) -> None:
        """Set `width` to the smallest number of candidates with enough recall."""
        k = min(_TUNING_K, len(self) - 1)
        sample = spaced_indices(len(self), _TUNING_QUERIES)
        true, _ = self._nearest_without(sample, self.codes[sample], k, False)
        for width in _EXPANSIONS:
            self.width = width
            if overlap(true, self._nearest_without(sample, self.codes[sample], k, True)[0]) >= self.recall:
                return


def _search_exact(queries: Tensor, rows: Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `k` nearest of `rows` (n x L) for each query, and their squared Euclidean distances: queries x k."""
    lengths = rows.square().sum(1)
    # filled in place: small results kept between large blocks would keep the blocks' memory from being used again
    indices, squares = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    step = max(1, _BLOCK_NUMBERS // len(rows))
    for start in range(0, len(queries), step):
        part = queries[start : start + step]
        # |q - z|^2 = |q|^2 - 2 q.z + |z|^2, and |q|^2 does not change the order
        nearest = torch.addmm(lengths, part, rows.T, alpha=-2).topk(k, dim=1, largest=False).indices
        exact = (part[:, None] - rows[nearest]).square().sum(2)  # avoids the rounding error of a difference of squares
        order = exact.argsort(dim=1, stable=True)
        indices[start : start + step], squares[start : start + step] = nearest.gather(1, order), exact.gather(1, order)
    return indices, squares


def _check_codes(codes: np.ndarray, n_components: int) -> np.ndarray:
    """Check that codes are n x L, and return them in single precision."""
    codes = np.asarray(codes, dtype=np.float32)
    if codes.ndim != 2 or codes.shape[1] != n_components:
        raise ValueError(f"Codes for this index must have shape (n, {n_components}). Got {codes.shape}.")
    return codes


def _new_graph(n_components: int) -> Any:
    try:
        from usearch.index import Index as Graph
    except ImportError as error:
        raise ImportError(
            f"An index of more than {_MAX_EXACT_ROWS:,} rows needs usearch. Install it: pip install 'narrows[search]', "
            "or compare every row: Index(model, exact=True)."
        ) from error
    return Graph(
        ndim=n_components,
        metric="l2sq",
        dtype="f32",
        connectivity=_GRAPH_NEIGHBORS,
        expansion_add=_EXPANSION_ADD,
    )
