"""Schemas: `prepare` in single precision is as exact as in double, if single precision can hold the numbers."""

import pickle

import numpy as np
import pytest
import torch

from narrows.data import Schema, as_shared_tensor, min_max


def schema(offset: np.ndarray, scale: np.ndarray, dtype: str) -> Schema:
    d = len(offset)
    return Schema("vector", (d,), "d", dtype, "real", tuple(offset), tuple(scale), (0.0,) * d, (1.0,) * d)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize(("far", "scale"), [(0.5, 2.0), (7, 1), (9, 1), (1e3, 1), (1.7e9, 1e4), (1e-3, 1e-9), (0, 1e8)])
def test_prepare_is_as_exact_as_double_precision(dtype, far, scale):
    rng = np.random.default_rng(0)
    offset, scales = far * rng.normal(size=40), scale * rng.uniform(0.5, 2, 40)
    rows = (offset + scales * rng.normal(size=(1000, 40))).clip(*((0, 255) if dtype == "uint8" else (-np.inf, np.inf)))
    rows = rows.astype(dtype)
    exact = (rows.astype(np.float64) - offset) / scales
    prepared = schema(offset, scales, dtype).prepare(torch.from_numpy(rows))
    assert prepared.dtype == torch.float32
    # a millionth of a deviation, or what float32 can tell apart
    np.testing.assert_allclose(prepared.double().numpy(), exact, rtol=5e-7, atol=1e-6)


def test_shared_memory_is_not_copied_and_not_warned_of(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(3, 4))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    x = as_shared_tensor(mapped)
    assert x.data_ptr() == mapped.ctypes.data
    del mapped
    assert x.sum() == 66  # the map lives as long as the tensor


def test_extremes_count_rows_from_where_the_piece_begins():
    X = np.zeros((5, 2, 2), np.float32)
    assert min_max(X - 1, "AE") == (-1, -1)
    X[3, 1, 0] = -np.inf
    with pytest.raises(ValueError, match=r"AE contains infinity \(first at index \(103, 1, 0\)\)"):
        min_max(X, "AE", first=100)


def test_a_pickle_holds_no_tensors_of_a_device():
    vectors = schema(np.ones(3), np.full(3, 2.0), "float32")
    x = torch.ones(2, 3)
    with torch.inference_mode():
        prepared = vectors.prepare(x)
    assert vectors.prepare(x.to("meta")).device.type == "meta"
    again = pickle.loads(pickle.dumps(vectors))
    assert again == vectors
    assert not any(isinstance(value, (torch.Tensor, dict)) for value in vars(again).values())
    assert torch.equal(again.prepare(x), prepared)
    assert not vectors.prepare(x).is_inference()  # whoever asked for the constants first
