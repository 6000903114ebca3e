"""Codes of SAE as sparse matrices: the same as the dense ones, in less memory, to files and back."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import narrows
from narrows import AE, SAE
from narrows.cli.app import app
from narrows.data import SparseRows, read_sparse_rows, sparse_sinks
from narrows.estimators import sparse_codes
from narrows.evaluation.inspection import Inspection
from narrows.training import NotEnoughMemory, memory

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = ["topk", "batchtopk", "jumprelu", "gated", "matryoshka", "l1", "kl"]


def rows(n=600, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)


def fitted(sparsity="topk", **parameters):
    return SAE(32, k=3, sparsity=sparsity, max_epochs=1, random_state=0, verbose=0, **parameters).fit(rows())


@pytest.fixture(scope="module")
def sae():
    return fitted(sparse_output=True)


@pytest.fixture
def model(sae):
    return pickle.loads(pickle.dumps(sae))


@pytest.mark.parametrize("sparsity", KINDS)
def test_the_sparse_codes_are_the_dense_ones(sparsity):
    model = fitted(sparsity)
    X, dense = rows(seed=1), model.transform(rows(seed=1))
    Z = model.set_params(sparse_output=True).transform(X)
    assert isinstance(Z, sp.csr_matrix)
    assert Z.dtype == np.float32
    assert Z.indices.dtype == Z.indptr.dtype == np.int32
    assert (np.diff(Z.indices)[np.diff(np.repeat(np.arange(len(X)), np.diff(Z.indptr))) == 0] > 0).all()
    assert (Z.data != 0).all()
    np.testing.assert_array_equal(Z.toarray(), dense)
    np.testing.assert_allclose(model.inverse_transform(Z), model.inverse_transform(dense), rtol=1e-4, atol=1e-5)


def test_a_network_with_layers_and_the_order_of_the_components(model):
    deep = fitted(hidden=(16,), likelihood="gaussian")
    for one in (model, deep):
        one.set_params(sparse_output=False)
        before, X = one.transform(rows()), rows()
        one.model_.order.copy_(torch.arange(31, -1, -1))
        np.testing.assert_array_equal(one.transform(X), before[:, ::-1])
        Z = one.compute_sparse_codes(X)
        np.testing.assert_array_equal(Z.toarray(), before[:, ::-1])
        restored = one.inverse_transform(before[:, ::-1])
        np.testing.assert_allclose(one.inverse_transform(Z), restored, rtol=1e-4, atol=1e-5)


def test_scikit_learn_chooses_between_matrices_and_arrays(model):
    if "sparse_interface" not in sklearn.get_config():
        pytest.skip("this scikit-learn knows only matrices")
    with sklearn.config_context(sparse_interface="sparray"):
        assert isinstance(model.transform(rows()), sp.csr_array)


def test_the_parameter_is_kept_and_changes_no_weight(model, tmp_path):
    plain = fitted()
    for name, tensor in plain.model_.state_dict().items():
        torch.testing.assert_close(tensor, model.model_.state_dict()[name], rtol=0, atol=0)
    model.save(tmp_path / "model")
    for copied in (narrows.load(tmp_path / "model"), pickle.loads(pickle.dumps(model)), clone(model).fit(rows())):
        assert copied.sparse_output is True
        np.testing.assert_array_equal(copied.transform(rows()).toarray(), plain.transform(rows()))
    with pytest.raises(ValueError, match=r"`sparse_output` parameter of SAE must be one of True, False"):
        SAE(sparse_output=1).fit(rows())


def test_data_frames_are_refused_as_scikit_learn_does(model):
    with pytest.raises(ValueError, match=r"Pandas output does not support sparse data\. Set sparse_output=False"):
        model.set_output(transform="pandas").transform(rows())
    assert isinstance(model.set_params(sparse_output=False).transform(rows()), pd.DataFrame)


def test_a_pipeline_learns_from_them():
    X = rows()
    steps = SAE(32, k=3, max_epochs=2, random_state=0, sparse_output=True, verbose=0), LogisticRegression()
    pipeline = make_pipeline(*steps).fit(X, X[:, 0] > 0)
    assert pipeline.score(X, X[:, 0] > 0) > 0.7


@pytest.mark.parametrize("sparsity", ["topk", "l1"])
def test_products_in_bfloat16_are_chosen_by_the_precision(sparsity):
    model = fitted(sparsity, sparse_output=True)
    exact, short = model.transform(rows()), model.set_params(precision="bfloat16").transform(rows())
    assert short.dtype == np.float32
    assert 0 < np.abs(short - exact).max()
    np.testing.assert_allclose(short.toarray().sum(1), exact.toarray().sum(1), rtol=0.05, atol=0.05)
    assert np.abs(model.compute_sparse_codes(rows()) - exact).max() == 0  # what looks at units is exact


def test_rows_without_active_units(model, tmp_path):
    silent = fitted("batchtopk", sparse_output=True)
    silent.model_.bottleneck.threshold.fill_(1e9)
    for name in ("codes.npz", "codes.parquet"):
        silent.stream(rows(), tmp_path / name)
        assert read_sparse_rows(tmp_path / name).to_csr().shape == (600, 32)
    assert silent.transform(rows()).shape == (600, 32)
    assert silent.transform(rows()).nnz == 0
    assert silent.active_units(rows()).dead.tolist() == list(range(32))
    Z = sp.csr_array((np.float32([2]), ([1], [5])), (4, 32))
    expected = model.inverse_transform(Z.toarray())
    for given in (Z, sp.csr_matrix(Z), Z.tocoo(), Z.tocsc(), Z.tolil()):
        np.testing.assert_allclose(model.inverse_transform(given), expected, rtol=1e-5, atol=1e-6)


def test_bad_codes_are_refused(model):
    with pytest.raises(ValueError, match=r"Codes for SAE must have shape \(n, 32\)\. Got \(4, 31\)"):
        model.inverse_transform(sp.csr_array((4, 31)))
    with pytest.raises(ValueError, match="must be finite numbers"):
        model.inverse_transform(sp.csr_array(([np.nan], ([0], [0])), (4, 32)))


def test_other_estimators_decode_sparse_codes_too():
    model = AE(2, hidden=(8,), max_epochs=1, random_state=0, verbose=0).fit(rows())
    Z = model.transform(rows())
    np.testing.assert_allclose(model.inverse_transform(sp.csr_array(Z)), model.inverse_transform(Z), atol=1e-6)


def test_memory_grows_with_the_active_units_alone():
    n, n_units = 4_000, 2_048
    X = rows(n)
    model = SAE(n_units, k=4, max_epochs=1, random_state=0, sparse_output=True, verbose=0).fit(X[:500])
    model.transform(X[:100])
    tracemalloc.start()  # it counts NumPy's arrays; a dense block of torch is at most 8 MB
    Z = model.transform(X)
    model.inverse_transform(Z)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert Z.nnz == 4 * n
    assert peak < 4_000_000 < n * n_units * 4 / 8


def test_a_dense_result_beyond_the_free_memory_names_the_parameter(monkeypatch):
    model = SAE(1_024, k=4, max_epochs=1, random_state=0, verbose=0).fit(rows())
    X = rows(5_000)
    monkeypatch.setattr(memory, "available_bytes", lambda device=None: 10_000_000)
    for apply in (model.transform, model.stream, lambda X: model.stream(iter([X]))):
        with pytest.raises(NotEnoughMemory, match=r"needs (20|34) MB; 10 MB are free\. SAE\(sparse_output=True\)"):
            apply(X)
    monkeypatch.setattr(memory, "available_bytes", lambda device=None: 100_000)
    monkeypatch.setattr(sparse_codes, "_CHECKED_BYTES", 100_000)
    with pytest.raises(NotEnoughMemory, match=r"free\. `stream") as refusal:
        model.reconstruct(X)
    assert "sparse_output" not in str(refusal.value)
    monkeypatch.undo()
    assert model.set_params(sparse_output=True).transform(X).nnz == 20_000


@pytest.mark.parametrize("name", ["codes.npz", "codes.parquet"])
def test_files_hold_the_active_units(model, tmp_path, monkeypatch, name):
    monkeypatch.setattr(sparse_sinks, "_GROUP_ENTRIES", 400)
    X, path = rows(1_000), tmp_path / name
    assert model.stream(iter([X[:300], X[300:301], X[301:]]), path) == path
    expected = model.transform(X).toarray()
    again = read_sparse_rows(path)
    np.testing.assert_array_equal(again.to_dense(), expected)
    np.testing.assert_array_equal(again.to_csr().toarray(), expected)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    if path.suffix == ".npz":
        np.testing.assert_array_equal(sp.load_npz(path).toarray(), expected)
        return
    frame = pd.read_parquet(path)
    assert list(frame.columns) == ["indices", "values"]
    assert frame.loc[7, "indices"].tolist() == np.flatnonzero(expected[7]).tolist()
    np.testing.assert_array_equal(frame.loc[7, "values"], expected[7][expected[7] != 0])


def test_entries_are_collected_in_chunks_of_a_bounded_size(model, monkeypatch):
    X = rows(1_000)
    expected = model.transform(X)
    monkeypatch.setattr(sparse_sinks, "_CHUNK_ENTRIES", 700)
    codes = model.stream(iter([X[:1], X[1:400], X[400:]]))
    np.testing.assert_array_equal(codes.toarray(), expected.toarray())
    np.testing.assert_array_equal(codes.indptr, expected.indptr)


def test_other_targets_get_zeros_too(model, tmp_path):
    X = rows()
    dense = model.transform(X).toarray()
    model.stream(X, tmp_path / "codes.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), dense)
    filled = np.zeros((len(X), 32), np.float32)
    assert model.stream(X, filled) is filled
    np.testing.assert_array_equal(filled, dense)
    np.testing.assert_array_equal(model.stream(X).toarray(), dense)
    model.set_params(sparse_output=False)
    model.stream(X, tmp_path / "codes.npz")
    np.testing.assert_array_equal(sp.load_npz(tmp_path / "codes.npz").toarray(), dense)
    with pytest.raises(ValueError, match="the name must end in"):
        AE(2, hidden=(8,), max_epochs=1, verbose=0).fit(X).stream(X, tmp_path / "codes.npz")


def changed_archive(path, **arrays):
    with np.load(path) as archive:
        np.savez(path, **{**archive, **arrays})


def lists_of(indices, values):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"indices": pa.array(indices, pa.list_(pa.int32())), "values": pa.array(values)})
    return table.replace_schema_metadata({"narrows.n_columns": "4"})


def test_a_file_with_wrong_columns_is_refused(tmp_path):
    matrix = sp.csr_array(np.eye(3, 4))
    for wrong in ({"indices": [0, 1, 4]}, {"indices": [0, -1, 2]}, {"indptr": [0, 2, 1, 3]}, {"indptr": [0, 1, 2, 9]}):
        sp.save_npz(tmp_path / "codes.npz", matrix, compressed=False)
        changed_archive(tmp_path / "codes.npz", **{name: np.array(values) for name, values in wrong.items()})
        with pytest.raises(ValueError, match=r"codes\.npz does not hold sparse rows"):
            read_sparse_rows(tmp_path / "codes.npz")
    parquet = pytest.importorskip("pyarrow.parquet")
    for indices, values in (([[4]], [[1.0]]), ([[-1]], [[1.0]]), ([[0, 1], [2]], [[1.0], [2.0, 3.0]]), ([None], [[]])):
        parquet.write_table(lists_of(indices, values), tmp_path / "codes.parquet")
        with pytest.raises(ValueError, match=r"codes\.parquet does not hold sparse rows"):
            read_sparse_rows(tmp_path / "codes.parquet")
    parquet.write_table(lists_of([[3, 0], []], [[1.0, 2.0], []]), tmp_path / "codes.parquet")
    np.testing.assert_array_equal(read_sparse_rows(tmp_path / "codes.parquet").to_dense(), [[2, 0, 0, 1], [0] * 4])


def test_what_is_looked_up_in_units_is_the_same(model):
    X = rows()
    dense = model.transform(X).toarray()
    active = model.active_units(X)
    np.testing.assert_array_equal(active.which, dense > 0)
    np.testing.assert_array_equal(active.count, (dense > 0).sum(1))
    inspection = Inspection(model, X)
    np.testing.assert_array_equal(inspection.codes, dense)
    np.testing.assert_allclose(inspection.units.rate, (dense > 0).mean(0))
    for unit in (0, 7):
        expected = np.argsort(-dense[:, unit], kind="stable")[: (dense[:, unit] > 0).sum()][:5]
        np.testing.assert_array_equal(inspection.top_rows(unit, 5), expected)
        np.testing.assert_array_equal(model.top_examples(X, unit, 5), expected)
    direct = SparseRows.of_matrix(sp.csr_array(dense))
    assert [len(part) for part in direct.split(250)] == [250, 250, 100]


def test_principal_axes_of_many_units_without_a_dense_array():
    model = SAE(600, k=8, max_epochs=1, random_state=0, verbose=0).fit(rows(700))
    sparse, dense = Inspection(model, rows(700)), Inspection(model, rows(700), codes=model.transform(rows(700)))
    assert sp.issparse(sparse.all_codes)
    np.testing.assert_allclose(sparse.axes.share, dense.axes.share, rtol=1e-6)
    np.testing.assert_allclose(sparse.plane.places, dense.plane.places, atol=1e-4)


def test_the_command_writes_and_reads_them(model, tmp_path):
    model.set_params(sparse_output=False).save(tmp_path / "model")
    np.save(tmp_path / "X.npy", rows())
    dense = model.transform(rows())

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    for name in ("codes.npz", "codes.parquet"):
        result = run("encode", tmp_path / "model", tmp_path / "X.npy", "-o", tmp_path / name, "--sparse")
        assert result.exit_code == 0, result.output
        np.testing.assert_array_equal(read_sparse_rows(tmp_path / name).to_dense(), dense)
        result = run("decode", tmp_path / "model", tmp_path / name, "-o", tmp_path / "X2.npy", "--overwrite")
        assert result.exit_code == 0, result.output
        np.testing.assert_allclose(np.load(tmp_path / "X2.npy"), model.inverse_transform(dense), atol=1e-4)
    frame = pd.DataFrame(rows(), index=[f"row {i}" for i in range(600)]).rename(columns=str)
    frame.to_csv(tmp_path / "X.csv", index_label="name")
    result = run(
        *("encode", tmp_path / "model", tmp_path / "X.csv", "--id", "name"),
        *("-o", tmp_path / "named.parquet", "--sparse"),
    )
    assert result.exit_code == 0, result.output
    assert pd.read_parquet(tmp_path / "named.parquet")["name"].tolist() == list(frame.index)
    result = run("decode", tmp_path / "model", tmp_path / "named.parquet", "-o", tmp_path / "X2.csv")
    assert result.exit_code == 0, result.output
    decoded = pd.read_csv(tmp_path / "X2.csv")
    assert decoded.columns[0] == "name"
    assert decoded["name"].tolist() == list(frame.index)
    assert run("encode", tmp_path / "model", tmp_path / "X.npy", "-o", tmp_path / "c.csv", "--sparse").exit_code
    model.set_params(sparse_output=True).save(tmp_path / "sparse")
    result = run("encode", tmp_path / "sparse", tmp_path / "X.csv", "--id", "name", "-o", tmp_path / "named.csv")
    assert result.exit_code == 0, result.output
    named = pd.read_csv(tmp_path / "named.csv", index_col="name")
    assert list(named.index) == list(frame.index)
    assert list(named.columns) == list(model.get_feature_names_out())
    np.testing.assert_allclose(named, dense, atol=1e-6)
