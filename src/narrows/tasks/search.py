"""Search by example: the rows whose codes are nearest to the code of a query.

    cosine      1 - cos(z - m, q - m)       m: the mean code of the training examples, in [0, 2]
    euclidean   |z - q|

Few rows are compared one by one. Many are found through a graph of neighbours (HNSW: Malkov and Yashunin, 2018,
https://arxiv.org/abs/1603.09320; the extra `search` brings usearch), which misses a few of the nearest and takes the
logarithm of the time. L is the number of components of a code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.data import spaced_indices
from narrows.estimators import Estimator
from narrows.evaluation.labels import vote
from narrows.params import Integer, OneOf, Parameter, Real
from narrows.tasks import search_folder as files
from narrows.tasks.retrieval import Retrieval, average_precision, overlap

_COMPARED = 50_000  # rows up to which every one is compared: a millisecond or two a query
_NEIGHBOURS = 16  # that a row is linked to in the graph
_WIDTH_ADD = 64  # rows kept in sight while one is added
_WIDTHS = (64, 128, 256, 512, 1024, 2048)  # the same while one is searched for: the first that finds enough
_TRIED = 200  # queries by which that is found, each for as many neighbours as follow
_SOUGHT = 10
_BLOCK_NUMBERS = 1 << 22  # of distances in memory at a time
_JUDGED = 1_000  # queries, evenly spaced, by which recall is found


class Matches(NamedTuple):
    """What was found for each query, nearest first.

    Attributes
    ----------
    rows : queries x k, numbers of rows in the order in which they were added.
    distances : queries x k.
    keys : queries x k, what the rows are called; None where they have no keys.
    """

    rows: np.ndarray
    distances: np.ndarray
    keys: np.ndarray | None = None


class Index:
    """Rows to be found by example.

    Parameters
    ----------
    model : a fitted estimator with codes.
    metric : "cosine", by which neighbours share their labels more often in most codes, or "euclidean".
    exact : whether every row is compared; "auto" does up to 50,000 rows and has a graph for more.
    recall : share of the ten nearest rows that the graph is to find; it looks as far around as that takes, which it
        finds out whenever rows have come in.

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
        self._rows: Tensor | None = None  # all codes as `_vectors` gives them
        self.width = _WIDTHS[0]  # rows kept in sight by a search of the graph

    def __len__(self) -> int:
        return len(self.codes)

    def add(self, X: Any, y: Any = None, *, keys: Sequence[str] | None = None) -> Index:
        """Take the examples of X in.

        Parameters
        ----------
        X : examples, or whatever else `stream` of the model reads: a path, a memory map, an iterator of arrays.
        y : a label for each, for `evaluate`.
        keys : what each is called, such as the path of its picture.

        Raises
        ------
        ValueError
            If X is of another form than the model's examples, `y` or `keys` are of another length, or only some of the
            rows would have them.
        """
        return self.add_codes(np.asarray(self.model.stream(X)), y, keys=keys)

    def add_codes(self, codes: np.ndarray, y: Any = None, *, keys: Sequence[str] | None = None) -> Index:
        """Take rows in whose codes (n x L) are known: what `add` does after it has encoded them."""
        codes = _codes(codes, self.codes.shape[1])
        first = len(self) == 0
        labels = None if y is None else self._labels(y)
        for name, given, known in (("y", labels, self.labels), ("keys", keys, self.keys)):
            if given is not None and len(given) != len(codes):
                raise ValueError(
                    f"`{name}` passed to add must have one entry for each of {len(codes)} rows. Got {len(given)}."
                )
            if not first and (given is None) != (known is None):
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
        """The `k` rows that are nearest to each query.

        Parameters
        ----------
        query : one example, or several along the first axis.
        k : at most as many as there are rows.
        """
        query = np.asarray(query) if isinstance(query, (list, tuple, Tensor)) else query
        if getattr(query, "shape", None) == self.model.schema_.user_shape:
            query = query.to_frame().T if hasattr(query, "to_frame") else query[None]
        self._check_k(k, len(self))  # before all is encoded
        return self.search_codes(np.asarray(self.model.stream(query)), k)

    def search_codes(self, codes: np.ndarray, k: int = 10, *, without: Any = None) -> Matches:
        """The `k` rows that are nearest to each of the codes (n x L).

        Parameters
        ----------
        k : at most as many as there are rows to be found.
        without : for each code the number of a row that is not to be found, such as its own; None for no such rows.
        """
        codes = _codes(codes, self.codes.shape[1])
        self._check_k(k, len(self) - (without is not None))
        rows, distances = self._but(without, codes, k, self._by_graph)
        return Matches(rows, distances, None if self.keys is None else np.asarray(self.keys, dtype=object)[rows])

    def evaluate(self, X: Any = None, y: Any = None, *, k: int = 100, n_neighbors: int = 10) -> Retrieval:
        """Recall against comparing all rows, and with labels mean average precision and neighbours' accuracy.

        Parameters
        ----------
        X : queries; None for the index's own rows, each of which is then left out of what it finds.
        y : the label of each query; None for no labels, or with X=None for those that the rows were added with.
        k : matches that the average precision looks at.
        n_neighbors : matches that recall and accuracy look at.
        """
        own = X is None
        most = len(self) - own
        if own and most < 1:
            raise ValueError(
                f"Rows of an index find each other only where there are two. Got {len(self)}; pass X, or add more."
            )
        for name, value in (("k", k), ("n_neighbors", n_neighbors)):
            Parameter(name, 10, Integer(1), "").check("evaluate", value)
        k, n_neighbors = min(k, most), min(n_neighbors, most)
        self._check_k(k, most)
        codes = self.codes if own else np.asarray(self.model.stream(X), dtype=np.float32)
        labels = self.labels if own and y is None else None if y is None else self._labels(y)
        if labels is not None and len(labels) != len(codes):
            raise ValueError(
                f"`y` passed to evaluate must have one entry for each of {len(codes)} queries. Got {len(labels)}."
            )
        if labels is not None and self.labels is None:
            raise ValueError("The rows of this index have no labels to compare with: pass them as `y` to add.")
        skipped = np.arange(len(codes)) if own else None
        found, _ = self._but(skipped, codes, max(k, n_neighbors), self._by_graph)
        recall = 1.0
        if self._by_graph:
            judged = spaced_indices(len(codes), _JUDGED)
            true, _ = self._but(judged if own else None, codes[judged], n_neighbors, False)
            recall = overlap(true, found[judged, :n_neighbors])
        if labels is None:
            return Retrieval(recall, None, None, len(codes), k, n_neighbors)
        assert self.labels is not None
        precision = average_precision(self.labels, labels, found[:, :k], own)
        right = vote(self.labels[found[:, :n_neighbors]]) == labels
        return Retrieval(recall, float(precision.mean()), float(right.mean()), len(codes), k, n_neighbors)

    # ---------------------------------------------------------------------------------------------- keeping

    def save(self, folder: str | Path, about: dict[str, Any] | None = None) -> None:
        """Write the index into `folder`: index.json, codes.safetensors, and the graph where there is one.

        Parameters
        ----------
        about : more to write into index.json, which `describe` gives back.
        """
        if self._by_graph:
            self._grown()
        files.write(Path(folder), self, self._graph if self._by_graph else None, about or {})

    @classmethod
    def load(cls, folder: str | Path, model: Estimator) -> Index:
        """The index saved in `folder`, which must have been made with `model`.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no whole index, or it was made with another model.
        """
        document, codes, graph = files.read(Path(folder), model)
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
    def _by_graph(self) -> bool:
        return len(self) > _COMPARED if self.exact == "auto" else not self.exact

    def _labels(self, y: Any) -> np.ndarray:
        """`y` as an array of labels that can be the same as the rows' own."""
        labels = np.asarray(y)
        labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
        if labels.ndim != 1:
            raise ValueError(f"`y` of an index must hold one label a row. Got the shape {labels.shape}.")
        words = [known.dtype.kind in "USO" for known in (labels, self.labels) if known is not None]
        if len(set(words)) > 1:
            raise ValueError("The labels of an index's rows and those in `y` must both be numbers, or both be words.")
        return labels

    def _check_k(self, k: int, most: int) -> None:
        if len(self) == 0:
            raise ValueError("The index is empty: add(X) takes rows in.")
        Parameter("k", 10, Integer(min(1, most), most), "").check("search", k)

    def _nearest(self, codes: np.ndarray, k: int, by_graph: bool) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the `k` nearest rows of each code, and their distances."""
        queries = self._vectors(codes)
        whole = np.arange(len(queries))  # of the queries, those for which all rows are compared
        rows, squares = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
        if by_graph:
            self._grown()
            self._graph.expansion_search = round(self.width * max(1.0, k / _SOUGHT))
            # alone a query would be answered in another form
            found = self._graph.search(np.concatenate([queries, queries[-1:]]), k, threads=torch.get_num_threads())
            rows[:], squares[:] = found.keys[:-1].astype(np.int64), found.distances[:-1]
            whole = np.flatnonzero(found.counts[:-1] < k)  # among many duplicates a graph has no way to all
        if len(whole):
            if self._rows is None:
                self._rows = torch.from_numpy(self._vectors(self.codes))
            rows[whole], squares[whole] = _compared(torch.from_numpy(queries[whole]), self._rows, k)
        # of vectors of length 1, |a - b|^2 = 2 (1 - cos)
        squares = squares.clip(min=0)
        return rows, squares / 2 if self.metric == "cosine" else np.sqrt(squares)

    def _but(self, skipped: Any, codes: np.ndarray, k: int, by_graph: bool) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest rows of each code and their distances, without the row `skipped[i]` of code i."""
        if skipped is None:
            return self._nearest(codes, k, by_graph)
        rows, distances = self._nearest(codes, k + 1, by_graph)
        itself = rows == np.asarray(skipped)[:, None]
        itself[~itself.any(1), -1] = True  # among more than k duplicates it may not be found: the last one goes
        return rows[~itself].reshape(len(rows), k), distances[~itself].reshape(len(rows), k)

    def _vectors(self, codes: np.ndarray) -> np.ndarray:
        """Codes as vectors whose Euclidean distance is what the metric goes by."""
        if self.metric == "euclidean":
            return codes
        centred = codes - self.model.code_mean_.astype(np.float32)
        return centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(min=1e-12)

    def _grown(self) -> None:
        """Let the graph have all rows."""
        if self._graph is None:
            self._graph = _new_graph(self.codes.shape[1])
        known = len(self._graph)
        if known < len(self):
            rows = np.arange(known, len(self), dtype=np.uint64)
            self._graph.add(rows, self._vectors(self.codes[known:]), threads=torch.get_num_threads())
            self._widen()

    def _widen(self) -> None:
        """Have a search look as far around as it takes to find the share of the nearest that was asked for."""
        k = min(_SOUGHT, len(self) - 1)
        few = spaced_indices(len(self), _TRIED)
        true, _ = self._but(few, self.codes[few], k, False)
        for width in _WIDTHS:
            self.width = width
            if overlap(true, self._but(few, self.codes[few], k, True)[0]) >= self.recall:
                return


def _compared(queries: Tensor, rows: Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest of `rows` (n x L) for each query, and the squares of their Euclidean distances."""
    lengths = rows.square().sum(1)
    # filled in place: small results kept between large blocks would keep the blocks' memory from being used again
    found, squares = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    step = max(1, _BLOCK_NUMBERS // len(rows))
    for start in range(0, len(queries), step):
        part = queries[start : start + step]
        # |q - z|^2 = |q|^2 - 2 q.z + |z|^2, the first of which orders nothing
        nearest = torch.addmm(lengths, part, rows.T, alpha=-2).topk(k, dim=1, largest=False).indices
        exact = (part[:, None] - rows[nearest]).square().sum(2)  # without the rounding of a difference of squares
        order = exact.argsort(dim=1, stable=True)
        found[start : start + step], squares[start : start + step] = nearest.gather(1, order), exact.gather(1, order)
    return found, squares


def _codes(codes: np.ndarray, n_components: int) -> np.ndarray:
    """Codes in single precision, once they are found to be n x L."""
    found = np.asarray(codes, dtype=np.float32)
    if found.ndim != 2 or found.shape[1] != n_components:
        raise ValueError(f"Codes for this index must have shape (n, {n_components}). Got {found.shape}.")
    return found


def _new_graph(n_components: int) -> Any:
    try:
        from usearch.index import Index as Graph
    except ImportError as error:
        raise ImportError(
            f"An index of more than {_COMPARED:,} rows needs usearch. Install it: pip install 'narrows[search]', or "
            "compare every row: Index(model, exact=True)."
        ) from error
    return Graph(
        ndim=n_components,
        metric="l2sq",
        dtype="f32",
        connectivity=_NEIGHBOURS,
        expansion_add=_WIDTH_ADD,
    )
