"""What PCA makes of examples before a training, and its loss beside the model's."""

import numpy as np
import pytest
import torch

from narrows import AE, VAE, TableAE
from narrows.data import infer
from narrows.likelihoods import Gaussian
from narrows.studio import requests, sketch
from narrows.studio.sketch import Baseline

pytest.importorskip("fastapi", reason="needs the extra `studio`")


def baseline_of(recipe: str, X: np.ndarray, **parameters) -> Baseline | None:
    """Return the baseline of a model that is not trained."""
    schema = infer(X, "test")
    return sketch.find_baseline(requests.assemble(recipe, parameters, schema, len(X)))


@pytest.mark.parametrize(
    ("recipe", "parameters", "expected"),
    [
        ("ae", {"n_components": 3}, Baseline(3, "squared error")),
        ("ae", {"n_components": 3, "likelihood": "heteroscedastic"}, Baseline(3, None)),
        ("vae", {"n_components": 3}, Baseline(3, "elbo")),
        ("vae", {"n_components": 3, "beta": 2.0}, Baseline(3, None)),
        ("sae", {"n_components": 30, "k": 2}, Baseline(2, "squared error")),
        ("dae", {}, None),  # without a code, nothing is left out
        ("dae", {"n_components": 3}, Baseline(3, None)),  # its loss is on noisy examples
        ("mapae", {}, Baseline(2, None)),
        ("iwae", {}, Baseline(2, None)),
        ("vqvae", {"n_components": 2}, Baseline(2, None)),
        ("tableae", {}, None),
        ("ae", {"n_components": 99}, None),  # it cannot be built
    ],
)
def test_what_can_be_compared_with_pca(vectors, recipe, parameters, expected):
    assert baseline_of(recipe, vectors, hidden=(8,), **parameters) == expected


def test_the_loss_of_pca_is_what_the_likelihood_says_of_its_reconstructions(vectors):
    pca = sketch.PCA(2).fit(vectors)
    error = torch.from_numpy(vectors - pca.inverse_transform(pca.transform(vectors)))
    likelihood = Gaussian()
    likelihood.variance.fill_(error.square().mean())
    expected = -float(likelihood.score(torch.zeros_like(error), error).mean())
    assert sketch.measure_loss(pca, vectors, Baseline(2, "squared error")) == pytest.approx(expected, rel=1e-6)
    assert sketch.measure_loss(pca, vectors, Baseline(2, None)) is None


def test_the_elbo_of_pca_is_the_density_of_probabilistic_pca(vectors):
    pca = sketch.PCA(2).fit(vectors)
    loss = sketch.measure_loss(pca, vectors, Baseline(2, "elbo"))
    assert loss == pytest.approx(-pca.score(vectors), rel=1e-6)
    everything = sketch.PCA(6).fit(vectors)
    assert sketch.measure_loss(everything, vectors, Baseline(6, "elbo")) is None  # it leaves no noise


def test_the_elbo_of_pca_counts_directions_beyond_the_number_of_rows():
    rng = np.random.default_rng(0)
    basis, spread = np.linalg.qr(rng.normal(size=(50, 3)))[0], np.array([3.0, 2.0, 1.0])
    X = rng.normal(size=(30, 3)) * spread @ basis.T + 0.1 * rng.normal(size=(30, 50))
    pca = sketch.PCA(3).fit(X)
    # the density of N(mean, W W^T + noise), with the noise spread over all 47 other directions
    total = np.square(X - X.mean(0)).sum() / 29
    noise = (total - pca.explained_variance_.sum()) / 47
    covariance = pca.components_.T * (pca.explained_variance_ - noise) @ pca.components_ + noise * np.eye(50)
    centred = X - X.mean(0)
    expected = 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    expected += 0.5 * np.mean((centred @ np.linalg.inv(covariance) * centred).sum(1))
    assert sketch.measure_loss(pca, X, Baseline(3, "elbo")) == pytest.approx(expected, rel=1e-6)


def test_pictures_of_images(digits):
    X = np.rint(255 * digits[:300]).astype(np.uint8)
    drawn = sketch.draw(infer(X, "test"), sketch.subsample(X), X[:8], Baseline(4, "squared error"))
    assert drawn["cells"] is None
    assert len(drawn["original"]) == len(drawn["pca"]["reconstruction"]) == 8
    assert all(part["picture"].startswith("data:image/png") for part in drawn["pca"]["reconstruction"])
    assert drawn["pca"]["loss"] < 0
    assert drawn["pca"]["n_components"] == 4
    alone = sketch.draw(infer(X, "test"), X, X[:2], None)
    assert (alone["pca"], len(alone["original"])) == (None, 2)


def test_rows_of_a_table_with_words_and_gaps(people):
    model = TableAE(8, max_epochs=1, random_state=0)  # for its schema, which says how to show cells
    rows = model.fit(people).validate(people, reset=False)
    drawn = sketch.draw(model.schema_, rows, rows[:4], Baseline(2, "elbo"))
    names = [cell["name"] for cell in drawn["cells"]]
    job = names.index("job")
    assert drawn["pca"]["loss"] is None  # words have no squared error
    for example in drawn["pca"]["reconstruction"]:
        assert len(example["values"]) == len(names)
        assert example["values"][job] in (0, 1)
        assert example["probs"] is None


def test_the_loss_of_a_model_that_learned_is_below_that_of_pca_with_one_component(vectors):
    for cls, recipe in ((AE, "ae"), (VAE, "vae")):
        model = cls(2, hidden=(32,), max_epochs=150, random_state=0, precision="float32", verbose=0).fit(vectors)
        schema = infer(vectors, "test")
        parts = requests.assemble(recipe, {"n_components": 1, "hidden": (8,)}, schema, 200)
        drawn = sketch.draw(schema, vectors, vectors[:2], sketch.find_baseline(parts))
        assert min(record["valid_loss"] for record in model.history_) < drawn["pca"]["loss"]
