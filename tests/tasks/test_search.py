"""Search by example: the matches, their quality, saving, and the two commands."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from typer.testing import CliRunner

from narrows import AE, DAE, SAE, VAE
from narrows.cli import app
from narrows.tasks import Index
from narrows.tasks import search as module
from narrows.tasks.retrieval import average_precision, overlap
from narrows.tasks.search_folder import describe

SMALL = {"hidden": (32,), "max_epochs": 8, "random_state": 0, "precision": "float32", "device": "cpu", "compile": False}


@pytest.fixture(scope="module")
def labels():
    return load_digits().target


@pytest.fixture(scope="module")
def model(digits):
    return AE(6, **SMALL).fit(digits)


def by_graph(model, **settings):
    pytest.importorskip("usearch", reason="needs the extra `search`")
    return Index(model, exact=False, **settings)


# --------------------------------------------------------------------------------------------------------- nearest


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_nearest_are_scikit_learns(model, digits, metric):
    Z = model.transform(digits)
    Z = Z - model.code_mean_ if metric == "cosine" else Z
    reference = NearestNeighbors(n_neighbors=7, metric=metric, algorithm="brute").fit(Z)
    distances, rows = reference.kneighbors(Z[:50])
    matches = Index(model, metric=metric).add(digits).search(digits[:50], k=7)
    assert matches.rows.shape == matches.distances.shape == (50, 7)
    np.testing.assert_allclose(matches.distances, distances, atol=2e-3)
    assert overlap(rows, matches.rows) > 0.99
    assert (np.diff(matches.distances) >= 0).all()
    assert matches.keys is None


def test_codes_are_taken_in_and_found_as_their_rows_are(model, digits):
    index, codes = Index(model).add(digits[:100]), model.transform(digits)
    same = Index(model).add_codes(codes[:100])
    for name, one in index.search(digits[100:110], k=5)._asdict().items():
        np.testing.assert_array_equal(one, getattr(same.search_codes(codes[100:110], k=5), name))
    matches = same.search_codes(codes[:10], k=99, without=np.arange(10))
    assert not (matches.rows == np.arange(10)[:, None]).any()
    assert matches.rows.shape == matches.distances.shape == (10, 99)
    same.add_codes(codes[100:])
    np.testing.assert_array_equal(same.search_codes(codes[-1:], k=1).rows, [[len(digits) - 1]])
    with pytest.raises(ValueError, match=r"`k` parameter of search"):
        index.search_codes(codes[:1], k=100, without=[0])
    with pytest.raises(ValueError, match=r"shape \(n, 6\). Got \(3, 2\)"):
        index.search_codes(np.zeros((3, 2)))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_graph_finds_nearly_the_same(model, digits, metric):
    graph, exact = by_graph(model, metric=metric).add(digits), Index(model, metric=metric).add(digits)
    a, b = (index.search(digits[:200], k=10) for index in (graph, exact))
    assert overlap(b.rows, a.rows) > 0.97
    np.testing.assert_allclose(np.median(a.distances, 0), np.median(b.distances, 0), atol=1e-3)
    assert exact.evaluate().recall == 1
    assert 0.97 < graph.evaluate().recall <= 1


def test_the_graph_looks_as_far_around_as_it_must(model, digits, monkeypatch):
    for shares, width in (([0.99], 64), ([0.5, 0.97, 0.98], 256), ([0.1] * 9, 2048)):
        index, left = by_graph(model).add(digits[:100]), iter(shares)
        monkeypatch.setattr(module, "overlap", lambda true, matches, left=left: next(left))
        index.search(digits[0])
        assert index.width == width


def test_where_a_graph_ends_all_rows_are_compared(model, digits):
    index = by_graph(model).add(np.repeat(digits[:1], 300, axis=0))  # to most of them there is no way
    for queries in (digits[:1], digits[:2]):
        matches = index.search(queries, 300)
        np.testing.assert_array_equal(np.sort(matches.rows), np.tile(np.arange(300), (len(queries), 1)))
        np.testing.assert_allclose(matches.distances, np.repeat(matches.distances[:, :1], 300, axis=1), atol=1e-6)


def test_rows_added_in_pieces_are_the_same(model, digits):
    whole, pieces = Index(model).add(digits), Index(model)
    for part in np.array_split(digits, 5):
        pieces.add(part)
    np.testing.assert_array_equal(whole.search(digits[:9], 4).rows, pieces.search(digits[:9], 4).rows)
    graph = by_graph(model).add(digits[:900])
    graph.search(digits[0])
    graph.add(digits[900:])
    assert overlap(whole.search(digits, 1).rows, graph.search(digits, 1).rows) > 0.99


def test_one_example_is_a_query(model, digits):
    index = Index(model).add(digits)
    for query in (digits[5], digits[5:6], digits[5].tolist()):
        matches = index.search(query, 3)
        assert matches.rows.shape == (1, 3)
        assert matches.rows[0, 0] == 5
        assert matches.distances[0, 0] == pytest.approx(0, abs=1e-6)


def test_whatever_a_model_reads_can_be_added(model, digits, tmp_path):
    np.save(tmp_path / "X.npy", digits)
    whole = Index(model).add(digits)
    for X in (tmp_path / "X.npy", iter(np.array_split(digits, 3)), np.load(tmp_path / "X.npy", mmap_mode="r")):
        np.testing.assert_array_equal(Index(model).add(X).codes, whole.codes)


@pytest.mark.parametrize("other", [VAE(4, **SMALL), SAE(16, k=3, **SMALL), DAE(4, **SMALL)])
def test_any_model_with_codes(other, digits):
    index = Index(other.fit(digits[:300])).add(digits[:300])
    assert index.search(digits[7], 3).rows[0, 0] == 7


def test_frames(vectors):
    pd = pytest.importorskip("pandas", reason="needs the extra `tables`")
    frame = pd.DataFrame(vectors, columns=list("abcdef"))
    index = Index(AE(2, **SMALL).fit(frame)).add(frame)
    assert index.search(frame.iloc[3:5], 2).rows[:, 0].tolist() == [3, 4]
    assert index.search(frame.iloc[3], 2).rows[:, 0].tolist() == [3]


# ------------------------------------------------------------------------------------------------------- how good


def test_average_precision_by_hand():
    rows, queries = np.array([0, 1, 0, 1, 0]), np.array([0, 1, 2])
    matches = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2]])
    # class 0: hits at 1 and 3 of 3 there; class 1: a hit at 2 of 2 there; class 2: nothing there
    expected = [(1 + 2 / 3) / 3, (1 / 2) / 2, 0]
    np.testing.assert_allclose(average_precision(rows, queries, matches, exclude_self=False), expected)
    # a query among its own class's three rows can find the two others
    np.testing.assert_allclose(average_precision(rows, np.array([0]), np.array([[2, 4, 1]]), exclude_self=True), [1])


def test_accuracy_is_scikit_learns(model, digits, labels):
    index = Index(model, metric="euclidean").add(digits[:1200], labels[:1200])
    quality = index.evaluate(digits[1200:], labels[1200:], n_neighbors=5)
    reference = KNeighborsClassifier(5, algorithm="brute").fit(model.transform(digits[:1200]), labels[:1200])
    assert quality.accuracy == pytest.approx(reference.score(model.transform(digits[1200:]), labels[1200:]), abs=0.005)
    assert quality.n_queries == 597


def test_labels_may_stand_in_a_column(model, digits, labels):
    flat, column = (Index(model).add(digits[:50], y).evaluate() for y in (labels[:50], labels[:50, None]))
    assert flat == column


def test_own_rows_are_left_out(model, digits, labels):
    twice = np.concatenate([digits[:300], digits[:300]])
    alone = Index(model).add(digits[:300], labels[:300]).evaluate(k=5)
    doubled = Index(model).add(twice, np.tile(labels[:300], 2)).evaluate(k=1)
    assert doubled.map == 1  # each finds its double
    assert alone.map < 1
    shuffled = np.random.default_rng(0).permutation(labels[:300])
    chance = Index(model).add(digits[:300], shuffled).evaluate(k=50)
    assert chance.accuracy < 0.25
    assert chance.map < alone.map / 2


def test_a_graph_is_as_good(model, digits, labels):
    exact, graph = (index.add(digits, labels).evaluate() for index in (Index(model), by_graph(model)))
    assert graph.map == pytest.approx(exact.map, abs=0.005)
    assert graph.accuracy == pytest.approx(exact.accuracy, abs=0.005)
    assert exact.accuracy > 0.7


def test_without_labels_there_is_recall_alone(model, digits):
    quality = Index(model).add(digits[:50]).evaluate()
    assert (quality.map, quality.accuracy, quality.recall) == (None, None, 1.0)
    assert (quality.k, quality.n_neighbors) == (49, 10)


# ------------------------------------------------------------------------------------------------------------ kept


@pytest.mark.parametrize("exact", [True, False])
def test_saved_and_loaded(model, digits, labels, exact, tmp_path):
    index = (Index(model) if exact else by_graph(model)).add(digits, labels, keys=[f"{i}.png" for i in range(1797)])
    before = index.search(digits[:30], 5)
    index.save(tmp_path / "i", about={"data": "digits"})
    assert {p.name for p in (tmp_path / "i").iterdir()} == {"index.json", "codes.safetensors"} | (
        set() if exact else {"graph.usearch"}
    )
    again = Index.load(tmp_path / "i", model)
    after = again.search(digits[:30], 5)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    assert after.keys[3, 0] == "3.png"
    assert again.evaluate() == index.evaluate()
    assert describe(tmp_path / "i")["about"] == {"data": "digits"}
    if exact:  # a graph of an older index does not stay behind
        (tmp_path / "i" / "graph.usearch").write_bytes(b"old")
        index.save(tmp_path / "i")
        assert not (tmp_path / "i" / "graph.usearch").exists()


def test_words_as_labels_are_kept(model, digits, labels, tmp_path):
    names = np.array([f"class {i}" for i in labels])
    index = Index(model).add(digits, names)
    index.save(tmp_path)
    assert Index.load(tmp_path, model).evaluate(digits[:50], names[:50]) == index.evaluate(digits[:50], names[:50])


def test_an_index_of_another_model_is_refused(model, digits, tmp_path):
    Index(model).add(digits).save(tmp_path)
    other = AE(6, **{**SMALL, "random_state": 1}).fit(digits)
    with pytest.raises(ValueError, match="was made with another model, whose codes mean something else"):
        Index.load(tmp_path, other)
    # what does not change the codes does not make it another model
    Index.load(tmp_path, AE(6, **{**SMALL, "contamination": 0.2}).fit(digits).fit_sampler(digits))


def test_damaged_files(model, digits, tmp_path):
    with pytest.raises(FileNotFoundError, match="No index at"):
        Index.load(tmp_path, model)
    Index(model).add(digits).save(tmp_path)
    whole = (tmp_path / "codes.safetensors").read_bytes()
    (tmp_path / "codes.safetensors").write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="is missing or not the one that was saved"):
        Index.load(tmp_path, model)
    (tmp_path / "codes.safetensors").write_bytes(whole)
    text = (tmp_path / "index.json").read_text()
    for broken in (text[:50], "[1]", "{}"):
        (tmp_path / "index.json").write_text(broken)
        with pytest.raises(ValueError, match="is truncated or no index of narrows"):
            Index.load(tmp_path, model)
    (tmp_path / "index.json").write_text(json.dumps({**json.loads(text), "format": 99}))
    with pytest.raises(ValueError, match=r"has format 99.*Update narrows"):
        Index.load(tmp_path, model)


# ------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X: Index(m).search(X[0]), r"The index is empty: add rows with add\(X\)"),
        (lambda m, X: Index(m).evaluate(), "at least two rows to search for its own rows. Got 0"),
        (lambda m, X: Index(m).add(X[:1]).evaluate(), "at least two rows to search for its own rows. Got 1"),
        (lambda m, X: Index(m).evaluate(X), "The index is empty"),
        (lambda m, X: Index(m).add(X[:0]), r"0 sample\(s\)"),
        (
            lambda m, X: Index(m).add(X[:5]).search(X[0], 6),
            r"`k` parameter of search must be an int in the range \[1, 5\]",
        ),
        (lambda m, X: Index(m).add(X[:5]).search(X[0], 0), "Got 0 instead"),
        (lambda m, X: Index(m).add(X[:5]).search(X[0, :4], 1), "has examples of shape|must be vectors"),
        (lambda m, X: Index(m).add(X[:5]).search(X[:2, :4], 1), r"has examples of shape \(4, 8\)"),
        (lambda m, X: Index(m).add(X[:5]).search(np.full_like(X[0], np.inf), 1), "contains infinity"),
        (
            lambda m, X: Index(m).add(X[:5], [1, 2]),
            r"Index.add must hold one label for each of 5 .* Got shape \(2,\)",
        ),
        (
            lambda m, X: Index(m).add(X[:2], np.eye(2)),
            r"one label for each of 2 examples, .* Got shape \(2, 2\)",
        ),
        (lambda m, X: Index(m).add(X[:2], [1, 2]).evaluate(X[:2], ["1", "2"]), "both be numbers, or both be words"),
        (lambda m, X: Index(m).add(X[:5], keys=["a"]), "`keys` passed to add must have one entry for each of 5"),
        (
            lambda m, X: Index(m).add(X[:5], keys=list("abcde")).add(X),
            "Either all rows of an index have `keys` or none",
        ),
        (lambda m, X: Index(m).add(X[:5]).add(X[:2], [1, 2]), "Either all rows of an index have `y` or none"),
        (lambda m, X: Index(m).add(X[:5]).evaluate(X[:2], [1, 2]), "The rows of this index have no labels"),
        (
            lambda m, X: Index(m).add(X[:2], [1, 2]).evaluate(X[:2], [1]),
            "Index.evaluate must hold one label for each of 2",
        ),
        (lambda m, X: Index(m).add(X[:5]).evaluate(k=0), "`k` parameter of evaluate"),
        (
            lambda m, X: Index(m, metric="l2"),
            "`metric` parameter of Index must be one of 'cosine', 'euclidean'. Got 'l2'",
        ),
        (lambda m, X: Index(m, exact="maybe"), "`exact` parameter of Index"),
        (lambda m, X: Index(m, recall=1.5), "`recall` parameter of Index"),
        (lambda m, X: Index(DAE(**SMALL).fit(X[:50])), "has no codes, because n_components=None"),
        (lambda m, X: Index(AE(2)), "is not fitted yet"),
    ],
)
def test_bad_input(model, digits, call, message):
    with pytest.raises(ValueError, match=message):
        call(model, digits)


def test_no_model_at_all(digits):
    with pytest.raises(TypeError, match=r"Index takes a fitted narrows estimator\. Got ndarray"):
        Index(digits)


def test_without_usearch_the_extra_is_named(model, digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    monkeypatch.setattr(module, "_MAX_EXACT_ROWS", 100)
    with pytest.raises(ImportError, match=r"narrows\[search\].*exact=True"):
        Index(model).add(digits).search(digits[0])
    assert Index(model, exact=True).add(digits).search(digits[0]).rows[0, 0] == 0


# ---------------------------------------------------------------------------------------------------- the commands


def run(*arguments: object, code: int = 0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def photos(digits, labels, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "photos"
    for i in range(60):
        place = folder / str(labels[i])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits[i] * 255).astype(np.uint8)).save(place / f"{i:02}.png")
    return folder


@pytest.fixture(scope="module")
def kept(photos, tmp_path_factory) -> Path:
    from narrows.data.files import read

    folder = tmp_path_factory.mktemp("models") / "m"
    AE(3, **SMALL).fit(read(photos).X).save(folder)
    return folder


def test_index_and_search(kept, photos, labels, tmp_path):
    made = json.loads(run("index", kept, photos, "--evaluate", "--json").stdout)
    assert (made["n"], made["metric"], made["recall_at_10"]) == (60, "cosine", 1)
    assert 0 < made["map_at_59"] < 1
    assert Path(made["index"]).parent == kept / "index"
    query = photos / str(labels[7]) / "07.png"
    out = tmp_path / "results.png"
    result = run("search", kept, query, "--in", photos, "-n", 4, "-o", out, "--json")
    matches = json.loads(result.stdout)["matches"]
    assert matches[0]["key"] == f"{labels[7]}/07.png"
    assert matches[0]["distance"] == pytest.approx(0, abs=1e-6)
    assert len(matches) == 4
    assert "is no index" not in result.stderr
    with Image.open(out) as sheet:
        assert sheet.width > 5 * 60  # the query and four more
    np.save(tmp_path / "X.npy", np.asarray(Image.open(query))[None])
    run("search", kept, tmp_path / "X.npy", "--in", photos, "-n", 2, "-o", tmp_path / "r.npy")
    pictures = np.load(tmp_path / "r.npy")
    assert pictures.shape == (1, 3, 8, 8)
    np.testing.assert_array_equal(pictures[0, 0], pictures[0, 1])


def test_search_says_when_there_is_no_index_or_an_old_one(kept, photos, labels, tmp_path):
    folder = tmp_path / "few"
    for i in range(12):
        (folder / f"{i}.png").parent.mkdir(exist_ok=True)
        (folder / f"{i}.png").write_bytes((photos / str(labels[i]) / f"{i:02}.png").read_bytes())
    assert "There is no index of" in run("search", kept, folder / "3.png", "--in", folder, "-n", 2).stderr
    run("index", kept, folder)
    result = run("search", kept, folder / "3.png", "--in", folder, "-n", 99)
    assert "index" not in result.stderr
    assert len(result.stdout.splitlines()) == 12  # all that there are
    (folder / "12.png").write_bytes((folder / "0.png").read_bytes())
    result = run("search", kept, folder / "12.png", "--in", folder, "-n", 3)
    assert "has changed since it was indexed" in result.stderr
    assert {line.split()[1] for line in result.stdout.splitlines()} >= {"0.png", "12.png"}
    assert (
        "has changed since it was indexed"
        in run("search", kept, folder / "3.png", "--in", folder, "--metric", "euclidean").stderr
    )


def test_search_in_a_named_set(kept, tmp_path):
    folder = tmp_path / "d"
    run("fit", "digits", "--recipe", "ae", "--out", folder, "--max-epochs", 1, "--verbose", 0, "--set", "hidden=16")
    out = run("search", folder, "digits:train", "--row", 7, "--in", "digits:train", "-n", 2, "-o", tmp_path / "r.png")
    assert out.stdout.splitlines()[0].split()[1] == "7"


def test_mistakes(kept, photos, labels, tmp_path):
    query = photos / str(labels[0]) / "00.png"

    def fails(*arguments: object) -> str:
        result = run(*arguments, code=1)
        assert result.stdout == ""
        return result.stderr

    assert "`k` parameter of search must be an int in the range [1, 60]" in fails(
        "search", kept, query, "--in", photos, "-n", 0
    )
    assert len(run("search", kept, query, "--in", photos, "-n", 61).stdout.splitlines()) == 60  # all that there are
    assert "--row must be from 0 to 0" in fails("search", kept, query, "--row", 3, "--in", photos)
    assert "There is no file or folder" in fails("search", kept, "none.png", "--in", photos)
    assert "must end in .png, .npy" in fails("search", kept, query, "--in", photos, "-o", tmp_path / "r.gif")
    assert "`metric` parameter of Index" in fails("index", kept, photos, "--metric", "l2")
    large = tmp_path / "large.png"
    Image.new("L", (20, 20)).save(large)
    assert "has examples of shape (20, 20)" in fails("search", kept, large, "--in", photos)
    run("index", kept, photos)
    AE(3, **{**SMALL, "random_state": 5}).fit(load_digits().images).save(kept)
    assert "was made with another model" in fails("search", kept, query, "--in", photos)


@pytest.mark.parametrize("command", ["index", "search"])
def test_help_teaches_by_example(command):
    text = run(command, "--help").stdout
    assert f"narrows {command}" in text.split("For example:")[1]
