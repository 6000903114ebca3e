"""Containers that are no arrays: each is refused at once, and the message says what to pass."""

import datetime
import re
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

import narrows
from narrows import AE, MapAE
from narrows.data import as_array, as_rows, check_container
from narrows.tasks import Classifier, Index, OutlierDetector

SMALL = {"hidden": (8,), "max_epochs": 1, "random_state": 0, "device": "cpu"}
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))


class Slow:
    """A container that no one may read, as its package's class of that name would take minutes."""

    def __len__(self):
        return 40

    def __iter__(self):
        raise AssertionError("it was read")

    __array__ = __getitem__ = __iter__


def foreign(package: str, name: str) -> object:
    return type(name, (Slow,), {"__module__": f"{package}.core"})()


def dataset() -> torch.utils.data.TensorDataset:
    return torch.utils.data.TensorDataset(torch.tensor(X))


CONTAINERS = {
    "matrix": (lambda: scipy.sparse.csr_matrix(X), "is a scipy.sparse csr_matrix: pass X.toarray()"),
    "sparse array": (lambda: scipy.sparse.coo_array(X), "is a scipy.sparse coo_array: pass X.toarray()"),
    "sparse tensor": (lambda: torch.tensor(X).to_sparse(), "is a sparse torch tensor: pass X.to_dense()"),
    "cells": (lambda: foreign("anndata", "AnnData"), "is an anndata.AnnData: pass X.to_df()"),
    "loader": (lambda: torch.utils.data.DataLoader(dataset()), "is a torch.DataLoader: pass the examples as one array"),
    "tensors": (dataset, "is a torch.TensorDataset: pass one of its tensors, X.tensors[0]"),
    "subset": (lambda: torch.utils.data.Subset(dataset(), [0]), "is a torch.Subset: pass the examples as one array"),
    "generator": (lambda: (x for x in X), "is a generator: pass the examples as one array, np.stack(list(X))"),
    "map": (lambda: map(np.abs, X), "is a map: pass the examples as one array"),
    "path": (lambda: "data.csv", "is a str: read the file first: narrows.data.files.read(PATH).X"),
    "lazy frame": (lambda: foreign("polars", "LazyFrame"), "is a polars.LazyFrame: pass X.collect()"),
    "dask": (lambda: foreign("dask", "Array"), "is a dask.Array: pass X.compute()"),
    "data set": (lambda: foreign("xarray", "Dataset"), "is an xarray.Dataset: pass one of its variables, X[NAME]"),
    "dict": (lambda: {"a": X[:, 0], "b": X[:, 1]}, "is a dict: pass one array, such as np.column_stack"),
    "set": (lambda: {1, 2}, "is a set: pass a list or an array, which has an order"),
}


@pytest.fixture(scope="module")
def fitted() -> AE:
    return AE(2, **SMALL).fit(X)


@pytest.mark.parametrize("case", CONTAINERS)
def test_each_door_refuses_it_in_one_line(case, fitted):
    make, message = CONTAINERS[case]
    doors = {
        "AE": [AE(2, **SMALL).fit, AE(2, **SMALL).partial_fit, fitted.transform, fitted.score_samples, fitted.predict],
        "OutlierDetector": [OutlierDetector(max_iter=5).fit],
        "MapAE": [MapAE(random_state=0).fit],
        "": [lambda x: Classifier(AE(2, **SMALL)).fit(x, np.arange(40) % 2), fitted.plot.reconstructions],
    }
    if case != "path":  # they read files
        doors[""] += [lambda x: narrows.evaluate(fitted, x), lambda x: narrows.sweep(AE(**SMALL), x, sizes=(1, 2))]
        if case not in ("loader", "tensors", "subset", "generator", "map", "set"):  # they read iterators
            doors[""] += [lambda x: Index(fitted).add(x), fitted.stream]
    if case == "path":  # those of one model read files, too
        doors = {"OutlierDetector": doors["OutlierDetector"]}
    for owner, calls in doors.items():
        for call in calls:
            with pytest.raises(TypeError, match=f"^X passed to {owner}.*{re.escape(message)}") as error:
                call(make())
            assert "\n" not in str(error.value)


def test_iterators_of_blocks_are_read_by_streams(fitted):
    np.testing.assert_allclose(fitted.stream(iter([X[:10], X[10:]])), fitted.transform(X), atol=1e-6)
    loader = torch.utils.data.DataLoader(torch.tensor(X), batch_size=7)
    np.testing.assert_allclose(fitted.stream(loader), fitted.transform(X), atol=1e-6)


class Foreign:
    """An array of another package, as JAX has them."""

    shape, ndim = X.shape, 2

    def __len__(self):
        return len(X)

    def __array__(self, dtype=None, copy=None):
        return X.astype(dtype or X.dtype)


class OnDevice(Foreign):
    """An array that refuses to be converted unasked, as CuPy's do."""

    __cuda_array_interface__ = None

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def get(self):
        return X


@pytest.mark.parametrize("make", [Foreign, OnDevice, lambda: torch.tensor(X), X.tolist, lambda: list(torch.tensor(X))])
def test_arrays_of_other_packages_are_taken(make, fitted):
    np.testing.assert_array_equal(as_array(make(), "test"), X)
    np.testing.assert_allclose(fitted.transform(make()), fitted.transform(X), atol=1e-6)
    assert AE(2, **SMALL).fit(make()).n_features_in_ == 4


def test_a_data_array_is_taken(fitted):
    xarray = pytest.importorskip("xarray")
    np.testing.assert_array_equal(fitted.transform(xarray.DataArray(X)), fitted.transform(X))
    with pytest.raises(TypeError, match=r"is an xarray\.Dataset"):
        check_container(xarray.Dataset({"a": (("x", "y"), X)}), "test")


def test_no_package_is_imported_for_the_check():
    before = set(sys.modules)
    check_container(X, "test")
    assert set(sys.modules) == before


# ------------------------------------------------------------------------------------------------------ gaps


def outcome(call, rows) -> str:
    """Return the numbers or the error that `call` gives for `rows`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return repr(call(rows))
        except ValueError as error:
            return str(error)


def test_what_is_masked_is_missing(fitted):
    masked = np.ma.masked_values(np.where(X > 1.5, -9999.0, X), -9999.0)
    gaps = np.where(X > 1.5, np.nan, X)
    assert np.isnan(gaps).any()
    np.testing.assert_array_equal(as_array(masked, "test"), gaps)
    np.testing.assert_array_equal(as_array(list(masked), "test"), gaps)
    whole = np.ma.masked_equal(np.arange(6).reshape(2, 3), 4)
    np.testing.assert_array_equal(as_array(whole, "test"), [[0, 1, 2], [3, np.nan, 5]])
    nothing = np.ma.array(X)
    assert np.shares_memory(as_array(nothing, "test"), X)
    np.testing.assert_array_equal(
        AE(2, **SMALL).fit(masked).transform(masked), AE(2, **SMALL).fit(gaps).transform(gaps)
    )
    with pytest.warns(
        UserWarning, match=rf"has {np.isnan(gaps).sum()} missing values, but the model was fitted on data"
    ):
        assert np.isfinite(fitted.transform(masked)).all()


@pytest.mark.parametrize("gap", [None, pd.NA, pd.NaT, np.nan])
def test_each_kind_of_gap_is_missing(gap):
    objects = X.astype(object)
    objects[2, 1] = gap
    array = as_array(objects, "test")
    assert np.isnan(array[2, 1])
    assert np.isnan(array).sum() == 1
    assert AE(2, **SMALL).fit(objects).schema_.gaps == (0, 1 / len(X), 0, 0)


def test_a_value_that_is_not_finite_is_named_by_its_column(fitted):
    frame = pd.DataFrame(X, columns=["a", "b", "height", "age"])
    bad = frame.copy()
    bad.loc[3, "age"] = np.inf
    model = AE(2, **SMALL).fit(frame)
    for call in (AE(2, **SMALL).fit, model.partial_fit, model.transform, model.score_samples):
        with pytest.raises(ValueError, match=r"column 'age' .*holds infinity"):
            call(bad)


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("red", "turn words into numbers first (sklearn.preprocessing.OneHotEncoder"),
        ("NA", "if 'NA' means that the value is missing, put NaN in its place"),
        (" ?", "if '?' means that the value is missing"),
        ("True", "turn truth values into numbers first: X == 'True'"),
        ("2020-01-01", "turn dates into numbers first: pandas.to_datetime"),
        ("2020-01-01 10:00", "turn dates into numbers first"),
        ("24.12.2020", "turn dates into numbers first"),
        ("1,234", "take separators and signs out of the numbers first"),
        ("21%", "take separators and signs out of the numbers first"),
        (datetime.date(2020, 1, 1), "turn dates into numbers first: (X - X.min())"),
        (pd.Timestamp("2020-01-01"), "turn dates into numbers first"),
        (datetime.timedelta(3), "turn durations into numbers first"),
        ({}, "each entry must be one number"),
    ],
)
def test_each_value_has_its_own_remedy(value, remedy):
    objects = X.astype(object)
    objects[2, 1] = value
    with pytest.raises((ValueError, TypeError), match=r"must hold numbers\. Got .* at index \(2, 1\)") as error:
        as_array(objects, "test")
    assert remedy in str(error.value)
    assert ("OneHot" in str(error.value)) == (value == "red")


@pytest.mark.parametrize(
    ("array", "remedy"),
    [
        (X.astype(str), "the numbers are text: pass X.astype(float)"),
        (np.full((5, 2), np.datetime64("2020")), "turn dates into numbers first"),
        (np.full((5, 2), np.timedelta64(3, "s")), "turn durations into numbers first"),
        (np.zeros(5, dtype=[("a", float), ("b", float)]), "numpy.lib.recfunctions.structured_to_unstructured(X)"),
        (np.zeros((5, 9, 9), complex), "np.concatenate([X.real, X.imag], axis=1)"),
    ],
)
def test_each_dtype_has_its_own_remedy(array, remedy):
    with pytest.raises(ValueError, match=f"X passed to test must hold numbers.*{re.escape(remedy)}"):
        as_rows(array, "test")
