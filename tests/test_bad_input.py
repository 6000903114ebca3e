"""Bad input: the message names the parameter, its owner, the rule, the value and the fix."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch

import narrows
from narrows import AE, DAE, SAE, VAE
from narrows.data.files import read as load_file

SMALL = {"hidden": (8,), "max_epochs": 1, "random_state": 0, "device": "cpu", "precision": "float32"}
rng = np.random.default_rng(0)
VECTORS = rng.normal(size=(30, 6))
IMAGES = rng.random((30, 9, 10))
OWNERS = [AE, VAE, DAE, SAE]


def placed(X: np.ndarray, index: tuple[int, ...], value: float) -> np.ndarray:
    X = X.copy()
    X[index] = value
    return X


# --------------------------------------------------------------------------------------------------------- X at fit

BAD_X = {
    "empty": (np.empty((0, 6)), r"Found array with 0 sample\(s\) .*minimum of 2 is required by {owner}"),
    "empty images": (np.empty((0, 9, 9)), r"X passed to {owner} holds 0 sample\(s\) .*minimum of 2"),
    "empty list": ([], r"(?i)must be vectors|Expected 2D array|0 sample"),
    "no columns": (np.empty((30, 0)), r"0 feature\(s\) .*minimum of 1 is required"),
    "one row": (VECTORS[:1], r"1 sample\(s\) .*minimum of 2 is required by {owner}"),
    "one image": (IMAGES[:1], r"{owner} holds 1 sample\(s\) .*minimum of 2 .*learns from differences"),
    "infinity": (placed(VECTORS, (4, 5), np.inf), r"contains infinity \(first at index \(4, 5\)\).*drop those rows"),
    "minus infinity": (placed(IMAGES, (0, 0, 0), -np.inf), r"contains infinity \(first at index \(0, 0, 0\)\)"),
    "infinity beside gaps": (
        placed(placed(VECTORS, (4, 5), np.inf), (3, 2), np.nan),
        r"contains infinity \(first at index \(4, 5\)\)",
    ),
    "infinity in a frame": (
        pd.DataFrame({"a": [1.0, 2.0, np.inf], "colour": ["red", "blue", "red"]}),
        r"passed to {owner} cannot be used: The column 'a' holds infinity",
    ),
    "numbers as text": (np.array([["3", "1"], ["4", "2"]]), r"the numbers are text: pass X.astype\(float\)"),
    "objects": (
        np.array([[1, 2], [3, "x"]], object),
        r"passed to {owner} must hold numbers. Got 'x' at index \(1, 1\)",
    ),
    "complex": (VECTORS + 1j, r"(?i)complex data not supported"),
    "complex images": (IMAGES + 1j, r"passed to {owner} must hold numbers. Got dtype complex128"),
    "images of two sizes": (
        [np.zeros((9, 9)), np.zeros((9, 10)), np.zeros((9, 9))],
        r"passed to {owner} holds examples of 2 shapes, among them \(9, 9\) and \(9, 10\). All must have one shape",
    ),
    "rows of two lengths": ([[1.0, 2.0], [3.0]], r"passed to {owner} holds examples of 2 shapes.*one shape"),
    "small images": (
        np.zeros((30, 7, 20)),
        r"passed to {owner} holds images of 7 x 20 pixels; at least 8 x 8.*reshape\(len\(X\), -1\)",
    ),
    "small colour images": (np.zeros((30, 20, 6, 3)), r"images of 20 x 6 pixels; at least 8 x 8"),
    "one axis": (VECTORS[:, 0], r"(?i)reshape your data"),
    "five axes": (
        np.zeros((3, 2, 9, 9, 3)),
        r"passed to {owner} must be vectors \(n, d\) or images .*Got shape \(3, 2, 9, 9, 3\)",
    ),
    "nothing but NaN": (torch.full((30, 4), torch.nan), r"passed to {owner} has columns without any value: 0, 1, 2, 3"),
}


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize("cls", OWNERS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_x(cls, case, method):
    X, message = BAD_X[case]
    model = cls(**SMALL)
    with pytest.raises(ValueError, match="(?s)" + message.replace("{owner}", cls.__name__)):
        getattr(model, method)(X)
    assert not hasattr(model, "history_")


def test_what_is_no_number_at_all_is_a_type_error():
    with pytest.raises(TypeError, match=r"passed to AE must hold numbers. Got \{\} at index \(0, 1\)"):
        AE(1, **SMALL).fit(np.array([[1, {}], [2, 3]], object))


# ---------------------------------------------------------------------------------------------- X after fitting


@pytest.mark.parametrize("cls", OWNERS)
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "predict", "partial_fit"])
def test_x_of_another_form(cls, method):
    of_vectors, of_images = cls(2, **SMALL).fit(VECTORS), cls(2, **SMALL).fit(IMAGES)
    colour = cls(2, **SMALL).fit(rng.random((30, 3, 9, 10)))
    owner = cls.__name__
    for model, X, message in (
        (of_vectors, VECTORS[:, :5], rf"X has 5 features, but {owner} is expecting 6 features"),
        (of_vectors, IMAGES, rf"passed to {owner} has examples of shape \(9, 10\), .*fitted on shape \(6,\)"),
        (
            of_images,
            IMAGES[:, :8],
            rf"passed to {owner} has examples of shape \(8, 10\), .*\(9, 10\) \(9 x 10 grey images",
        ),
        (of_images, IMAGES[..., None], r"has examples of shape \(9, 10, 1\)"),
        (of_images, IMAGES.reshape(30, -1), r"has examples of shape \(90,\)"),
        (of_images, IMAGES.transpose(0, 2, 1), r"has examples of shape \(10, 9\)"),
        (colour, rng.random((30, 9, 10, 3)), r"has examples of shape \(9, 10, 3\), .*fitted on shape \(3, 9, 10\)"),
        (of_vectors, VECTORS[:0], r"0 sample\(s\)"),
        (of_images, IMAGES[:0], r"0 sample\(s\)"),
        (of_images, placed(IMAGES, (1, 2, 3), np.inf), r"contains infinity \(first at index \(1, 2, 3\)\)"),
        (of_vectors, placed(VECTORS, (1, 2), -np.inf), r"contains infinity \(first at index \(1, 2\)\)"),
        (of_vectors, [["a"] * 6], r"must hold numbers. Got 'a'"),
    ):
        with pytest.raises(ValueError, match="(?s)" + message):
            getattr(model, method)(X)


@pytest.mark.parametrize("cls", OWNERS)
def test_nothing_works_before_fit(cls):
    model = cls(2, **SMALL)
    for call in (
        lambda: model.transform(VECTORS),
        lambda: model.inverse_transform(VECTORS[:, :2]),
        lambda: model.reconstruct(VECTORS),
        lambda: model.score_samples(VECTORS),
        lambda: model.predict(VECTORS),
        lambda: model.sample(),
        lambda: model.traverse(),
        lambda: model.interpolate(VECTORS[0], VECTORS[1]),
        lambda: model.save("nowhere"),
    ):
        with pytest.raises(ValueError, match=f"This {cls.__name__} instance is not fitted yet"):
            call()


@pytest.mark.parametrize(
    ("Z", "message"),
    [
        (np.zeros((3, 3)), r"Codes for AE must have shape \(n, 2\). Got \(3, 3\)"),
        (np.zeros(2), r"Codes for AE must have shape \(n, 2\). Got \(2,\)"),
        (np.full((3, 2), np.nan), r"Codes for AE must be finite numbers"),
        ([["a", "b"]], r"Codes for AE must be finite numbers"),
    ],
)
def test_bad_codes(Z, message):
    with pytest.raises(ValueError, match=message):
        AE(2, **SMALL).fit(VECTORS).inverse_transform(Z)


# ---------------------------------------------------------------------------- values that a likelihood cannot score


@pytest.mark.parametrize(
    ("likelihood", "X", "message"),
    [
        (
            "bernoulli",
            placed(rng.random((30, 6)), (4, 5), -0.2),
            r"X holds 1 value outside \[0, 1\] \(min -0.2, max -0.2, the first in column 5\), which the "
            r'"bernoulli" likelihood of {owner} cannot score. Rescale X, or pass likelihood="gaussian"',
        ),
        (
            "continuous_bernoulli",
            placed(IMAGES, (3, 4, 4), 1.5),
            r"1 value outside \[0, 1\] \(min 1.5, max 1.5, the first in image 3\)",
        ),
        (
            "bernoulli",
            placed(rng.random((30, 9, 10, 3)), (6, 1, 2, 0), 7.0),
            r"1 value outside \[0, 1\] \(min 7, max 7, the first in image 6\)",
        ),
        (
            "poisson",
            placed(rng.poisson(3.0, (30, 6)).astype(float), (2, 1), 1.5),
            r"1 value outside 0, 1, 2, ... \(min 1.5, max 1.5, the first in column 1\)",
        ),
        (
            "negative_binomial",
            placed(rng.poisson(3.0, (30, 6)).astype(float), (2, 1), -3),
            r"min -3, max -3.*\"negative_binomial\" likelihood",
        ),
        (
            "bernoulli",
            pd.DataFrame(placed(rng.random((30, 2)), (0, 1), 2.0), columns=["age", "height"]),
            r"the first in column 'height'",
        ),
    ],
)
@pytest.mark.parametrize("cls", OWNERS)
def test_values_outside_the_support(cls, likelihood, X, message):
    message = "(?s)" + message.replace("{owner}", cls.__name__)
    model = cls(2, likelihood=likelihood, **{**SMALL, "max_epochs": 10**9})  # refused before the training, not after it
    with pytest.raises(ValueError, match=message):
        model.fit(X)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X)


@pytest.mark.parametrize(
    ("likelihood", "X"),
    [
        ("bernoulli", 0.9 * rng.random((30, 6))),  # within 0 to 1, without reaching the ends
        ("continuous_bernoulli", 0.1 + 0.8 * rng.random((30, 9, 10))),
        ("bernoulli", rng.integers(0, 256, (30, 9, 10)).astype(np.uint8)),
        ("bernoulli", rng.random((30, 6)) < 0.5),
        ("poisson", rng.poisson(4.0, (30, 6))),  # counts that are hardly ever 0
        ("negative_binomial", rng.poisson(4.0, (30, 9, 10)).astype(np.uint8)),
        ("gaussian", rng.poisson(0.4, (30, 6))),
    ],
)
def test_values_inside_the_support_are_taken(likelihood, X):
    model = VAE(2, likelihood=likelihood, **SMALL).fit(X)
    assert model.model_.likelihood.name == likelihood
    assert np.isfinite(model.score_samples(X)).all()
    assert model.reconstruct(X).shape == X.shape
    if likelihood != "gaussian":
        assert model.schema_.scale in ((1.0,), (255.0,))


def test_scores_of_other_values_are_refused():
    model = VAE(2, **SMALL).fit((rng.random((30, 6)) < 0.5).astype(float))
    assert model.model_.likelihood.name == "bernoulli"
    with pytest.raises(ValueError, match=r'30 values outside \[0, 1\] .*"bernoulli" likelihood of VAE'):
        model.score_samples(placed(np.zeros((30, 6)), (slice(None), 2), 3.0))


# ------------------------------------------------------------------------------------------------------ parameters


@pytest.mark.parametrize(
    ("cls", "parameters", "message"),
    [
        (AE, {"n_components": 0}, r"The `n_components` parameter of AE must be an int in the range \[1, inf\). Got 0"),
        (AE, {"n_components": -3}, r"`n_components` parameter of AE must be .* Got -3"),
        (AE, {"n_components": 2.5}, r"`n_components` parameter of AE must be an int .* Got 2.5"),
        (AE, {"n_components": None}, r"`n_components` parameter of AE must be an int"),
        (DAE, {"n_components": 0}, r"`n_components` parameter of DAE must be an int .* or None. Got 0"),
        (
            AE,
            {"n_components": 7},
            r"`n_components` parameter of AE must be at most 6, .* compresses nothing. SAE takes more. Got 7",
        ),
        (VAE, {"n_components": 1000}, r"`n_components` parameter of VAE must be at most 6"),
        (SAE, {"n_components": 2_000_000}, r"`n_components` parameter of SAE must be at most 1000000. Got 2000000"),
        (VAE, {"beta": -1}, r"The `beta` parameter of VAE must be a float in the range \[0, inf\). Got -1 instead"),
        (VAE, {"beta": "4"}, r"`beta` parameter of VAE must be a float .* Got '4'"),
        (VAE, {"beta": np.nan}, r"`beta` parameter of VAE .* Got nan"),
        (VAE, {"kl_warmup": 2}, r"`kl_warmup` parameter of VAE must be a float in the range \[0, 0.7\]"),
        (VAE, {"free_nats": -0.1}, r"`free_nats` parameter of VAE"),
        (
            VAE,
            {"free_nats": 0.1, "posterior": "laplace"},
            r"`free_nats` parameter of VAE must be 0 with posterior='lap",
        ),
        (
            VAE,
            {"free_nats": 0.1, "prior": "mixture"},
            r"`free_nats` parameter of VAE must be 0 with .* prior='mixture'",
        ),
        (DAE, {"noise": "gausian"}, r"`noise` parameter of DAE must be one of 'gaussian', 'masking'.* Got 'gausian'"),
        (DAE, {"level": (0.5, 0.1)}, r"`level` parameter of DAE must be .* pair \(low, high\).* Got \(0.5, 0.1\)"),
        (DAE, {"level": -1}, r"`level` parameter of DAE must be a float of at least 0"),
        (DAE, {"noise": "masking", "level": 1.5}, r"`level` parameter of DAE must be .* at most 1.* Got 1.5"),
        (SAE, {"k": 0}, r"`k` parameter of SAE must be an int"),
        (SAE, {"sparsity": "l0"}, r"`sparsity` parameter of SAE must be one of 'topk', .*'kl'. Got 'l0'"),
        (SAE, {"rate": 1.0}, r"`rate` parameter of SAE must be a float in the range \(0, 1\)"),
        (AE, {"hidden": (16, 0)}, r"`hidden` parameter of AE must be a sequence .* or 'auto'. Got \(16, 0\)"),
        (AE, {"hidden": 16}, r"`hidden` parameter of AE must be a sequence"),
        (AE, {"likelihood": "bernouli"}, r"`likelihood` parameter of AE must be one of 'auto', 'bernoulli'"),
        (AE, {"network": "cnov"}, r"Unknown network 'cnov'. Did you mean 'conv'"),
        (AE, {"network": "conv"}, r'network="conv" needs images, .* Got vectors of 6 columns.*network="mlp"'),
        (AE, {"batch_size": 0}, r"`batch_size` parameter of AE must be an int .* or 'auto'. Got 0"),
        (
            AE,
            {"learning_rate": 0.0},
            r"`learning_rate` parameter of AE must be a float in the range \(0, inf\) or 'auto'",
        ),
        (AE, {"max_epochs": 0}, r"`max_epochs` parameter of AE"),
        (AE, {"max_time": 0}, r"`max_time` parameter of AE must be a float in the range \(0, inf\) or None"),
        (AE, {"early_stopping": 1}, r"`early_stopping` parameter of AE must be one of True, False. Got 1"),
        (
            AE,
            {"validation_fraction": 1.0},
            r"`validation_fraction` parameter of AE must be a float in the range \(0, 1\)",
        ),
        (
            AE,
            {"contamination": 0.7},
            r"`contamination` parameter of AE must be a float in the range \(0, 0.5\] or 'auto'",
        ),
        (AE, {"device": "gpu"}, r"Unknown device 'gpu'. .*Known: auto, cpu, cuda, mps"),
        (AE, {"precision": "float16"}, r"`precision` parameter of AE must be one of 'auto', 'float32'"),
        (AE, {"random_state": "0"}, r"`random_state` parameter of AE must be an int, a numpy RandomState"),
        (AE, {"verbose": -1}, r"`verbose` parameter of AE"),
        (AE, {"checkpoint": 3}, r"`checkpoint` parameter of AE must be a folder's path or None. Got 3"),
    ],
)
def test_bad_parameters(cls, parameters, message):
    model = cls(**{"n_components": 2, **SMALL, **parameters})  # a constructor only stores
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="(?s)" + message):
            method(VECTORS)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is available")
def test_a_device_that_is_not_there():
    with pytest.raises(
        ValueError, match=r'device=\'cuda\' was requested, and this machine has 0 CUDA devices.*Pass device="auto"'
    ):
        AE(2, **{**SMALL, "device": "cuda"}).fit(VECTORS)


def test_a_fit_that_failed_leaves_nothing_that_looks_fitted():
    model = AE(2, **{**SMALL, "device": "gpu"})
    with pytest.raises(ValueError, match="Unknown device"):
        model.fit(VECTORS)
    with pytest.raises(ValueError, match="not fitted yet"):
        model.transform(VECTORS)
    model.set_params(device="cpu").partial_fit(VECTORS)
    assert model.transform(VECTORS).shape == (30, 2)


@pytest.mark.parametrize(
    ("recipe", "values", "message"),
    [
        ("iwae", {"n_draws": 0}, "`n_draws` parameter of IWAE must be an int in the range"),
        ("miwae", {"n_draws": 8, "n_groups": 3}, "`n_groups` parameter of MIWAE must divide `n_draws`, 8"),
        ("betavae", {"prior": "mixture", "free_nats": 1.0}, "`free_nats` parameter of BETAVAE must be 0 with"),
        ("laddervae", {"n_components": 1}, "`n_components` parameter of LADDERVAE must be at least 2"),
        ("pqvae", {"n_components": 3, "group_size": 2}, "`group_size` parameter of PQVAE must divide n_components, 3"),
        ("raegp", {"n_components": 50}, "`n_components` parameter of RAEGP must be at most"),
    ],
)
def test_a_refusal_names_the_model_that_was_asked_for(recipe, values, message):
    with pytest.raises(ValueError, match=f"^The {re.escape(message)}"):
        narrows.estimator(recipe)(**values).fit(VECTORS)


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(TypeError, match=r"VAE has no parameter 'n_component'. Did you mean 'n_components'\? Known: "):
        VAE(n_component=3)
    with pytest.raises(TypeError, match=r"GMVAE has no parameter 'prior': it is 'mixture' in all its models."):
        narrows.estimator("gmvae")(prior="vamp")
    with pytest.raises(TypeError, match=r"VAE has no parameter 'k'. "):
        VAE(k=3)
    with pytest.raises(TypeError, match="positional"):
        VAE(2, 4.0)
    with pytest.raises(ValueError, match=r"Unknown recipe 'vea'. Did you mean 'vae'\? Known: aae, ae, "):
        narrows.estimator("vea")
    with pytest.raises(ValueError, match=r"Unknown recipe 'WAE'. Did you mean 'wae'\?"):
        narrows.estimator("WAE")
    with pytest.raises(AttributeError, match="module 'narrows' has no attribute 'VEA'"):
        narrows.VEA  # noqa: B018


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.sample(0), r"`n_samples` parameter of sample must be an int in the range \[1, inf\). Got 0"),
        (lambda m: m.traverse(n_steps=1), r"`n_steps` parameter of traverse must be an int in the range \[2, inf\)"),
        (lambda m: m.traverse(span=np.nan), r"`span` parameter of traverse must be a float in the range \[0, inf\)"),
        (
            lambda m: m.traverse(components=[2]),
            r"`components` parameter of traverse must hold ints from 0 to 1. Got \[2\]",
        ),
        (lambda m: m.interpolate(VECTORS[0], VECTORS[1], n_steps=0), r"`n_steps` parameter of interpolate"),
        (lambda m: m.interpolate(VECTORS[0], VECTORS[1, :3]), r"X has 3 features"),
    ],
)
def test_bad_arguments(call, message):
    model = VAE(2, **SMALL).fit(VECTORS)
    with pytest.raises(ValueError, match=message):
        call(model)


@pytest.mark.parametrize("X", [None, "abc", 3.0])
def test_what_holds_no_examples_is_a_type_error(X):
    model = AE(2, **SMALL).fit(VECTORS)
    for call in (lambda: narrows.evaluate(model, X), lambda: narrows.sweep(AE(), X, sizes=(1, 2))):
        with pytest.raises(TypeError, match=r"takes an array of examples\. Got "):
            call()


def test_a_sparse_code_cannot_be_drawn_from():
    with pytest.raises(ValueError, match="A sparse code has no distribution to draw from: fit a VAE"):
        SAE(8, k=2, **SMALL).fit(VECTORS).sample()


# ----------------------------------------------------------------------------------------------------------- files


def test_a_pickle_named_npy_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was run",))

    path = tmp_path / "X.npy"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=re.escape(str(path)) + ".*pickle"):
        load_file(path)
    np.save(tmp_path / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"objects.npy"):
        load_file(tmp_path / "objects.npy")


def test_a_model_folder_is_no_place_for_pickles(tmp_path):
    model = AE(2, **SMALL).fit(VECTORS)
    model.save(tmp_path / "m")
    for path in (tmp_path / "m").iterdir():
        assert path.suffix in (".json", ".safetensors", ".md")
        with (
            open(path, "rb") as stream,
            pytest.raises((pickle.UnpicklingError, UnicodeDecodeError, EOFError, ValueError)),
        ):
            pickle.load(stream)
