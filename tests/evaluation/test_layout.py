"""Maps by neighbours: the weights in closed form, the step against the gradient, and what the map keeps."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

import narrows
from narrows.data.neighbors import nearest_by_cells
from narrows.evaluation import layout as layouts
from narrows.evaluation.layout import NeighborLayout, neighbor_weights


@pytest.fixture(scope="module")
def codes():
    return PCA(16).fit_transform(load_digits().data[:600]).astype(np.float32)


def dense_weights(codes, k):
    """The weights by their definition, in float64, one code after the other."""
    n = len(codes)
    w = np.zeros((n, n))
    distances = np.linalg.norm(codes[:, None].astype(float) - codes[None], axis=2)
    for i in range(n):
        nearest = [j for j in np.argsort(distances[i], kind="stable") if j != i][:k]
        beyond = distances[i, nearest] - distances[i, nearest].min()
        low, high = 0.0, 1e3
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (low, middle) if np.exp(-beyond / middle).sum() > np.log2(k) else (middle, high)
        w[i, nearest] = np.exp(-beyond / low)
    return w + w.T - w * w.T


def test_the_weights_are_those_of_their_definition(codes):
    expected = dense_weights(codes[:120], 8)
    np.testing.assert_allclose(neighbor_weights(codes[:120], 8).toarray(), expected, atol=2e-5)
    # sparse codes have the same
    np.testing.assert_allclose(neighbor_weights(sp.csr_array(codes[:120]), 8).toarray(), expected, atol=2e-5)


def test_equal_codes_have_finite_weights():
    weights = neighbor_weights(np.ones((20, 3)), 5)
    assert np.isfinite(weights.data).all()
    layout = NeighborLayout(np.ones((20, 3)), np.zeros((20, 2)), n_steps=10)
    assert np.isfinite(layout.advance()).all()


def test_a_step_follows_the_gradient_of_the_cost(codes, monkeypatch):
    n = 60
    monkeypatch.setattr(layouts, "_SAMPLE", n)
    monkeypatch.setattr(torch, "randint", lambda n, size, generator: torch.arange(size[0]))  # all codes, each once
    layout = NeighborLayout(codes[:n], codes[:n, :2], n_neighbors=15)
    z = torch.from_numpy(layout.places).double().requires_grad_()
    w = torch.from_numpy(dense_weights(codes[:n], 15))
    d = (z[:, None] - z[None]).square().sum(2)
    q = 1 / (1 + d)
    others = 1 - torch.eye(n, dtype=torch.float64)
    g = 3.0
    # a code feels its own pairs only, as in the docstring: the other end of a pair is fixed
    still = z.detach()
    d = (z[:, None] - still[None]).square().sum(2)
    e = layouts._SOFTENING
    repelled = (torch.log(d + e) - torch.log1p(d)) / (1 - e)  # its derivative is 1 / ((e + d) (1 + d))
    cost = (w * torch.log1p(d)).sum() - g * (w.sum(1, keepdim=True) / n * others * repelled).sum()
    (gradient,) = torch.autograd.grad(cost, z)
    curvature = (w * q).sum(1) + g * (w.sum(1, keepdim=True) / n * others * q / (e + d)).sum(1)
    expected = (-gradient / 2 / curvature[:, None]).detach().numpy()
    np.testing.assert_allclose(layout._step(g), expected, atol=2e-3 * np.abs(expected).max())


def test_neighbours_stay_neighbours(codes):
    start = codes[:, :2]
    layout = NeighborLayout(codes, start, n_steps=120)
    trust = [trustworthiness(codes, places, n_neighbors=10) for places in layout.refine(every=60)]
    assert trust[0] < 0.9 < 0.95 < trust[1] <= trust[2] + 0.005
    assert layout.is_done
    np.testing.assert_array_equal(layout.advance(5), layout.places)  # no steps are left


def test_it_may_be_resumed_and_repeats(codes):
    once, twice = (NeighborLayout(codes, codes[:, :2], n_steps=20, random_state=3) for _ in range(2))
    twice.advance(7)
    np.testing.assert_array_equal(once.advance(), twice.advance())
    other = NeighborLayout(codes, codes[:, :2], n_steps=20, random_state=4).advance()
    assert not np.array_equal(once.places, other)


def test_cells_find_most_neighbours():
    points = torch.randn(3000, 6, generator=torch.Generator().manual_seed(0))
    found = nearest_by_cells(points, torch.randperm(3000, generator=torch.Generator().manual_seed(1)), 10).numpy()
    exact = NearestNeighbors(n_neighbors=10).fit(points.numpy()).kneighbors(return_distance=False)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, exact, strict=True)]) > 0.9
    assert all(len({*row.tolist(), i}) == 11 for i, row in enumerate(found))  # no twice, and none is itself


def test_bad_values_are_refused(codes):
    start = codes[:, :2]
    with pytest.raises(ValueError, match=r"`start` of NeighborLayout must be 600 x 2 finite numbers.*\(5, 2\)"):
        NeighborLayout(codes, start[:5])
    with pytest.raises(ValueError, match=r"at least 4.*Got 3"):
        NeighborLayout(codes[:3], start[:3])
    with pytest.raises(ValueError, match="n_neighbors"):
        NeighborLayout(codes, start, n_neighbors=1)
    broken = codes.copy()
    broken[3, 0] = np.nan
    with pytest.raises(ValueError, match="must be finite"):
        NeighborLayout(broken, start)


def test_a_picture_of_a_model(codes):
    model = narrows.AE(3, hidden=(8,), max_epochs=1, random_state=0).fit(codes[:200])
    neighbours, axes = model.plot.map(codes[:80], method="neighbours"), model.plot.map(codes[:80])
    assert "neighbours lie together" in neighbours.get_xlabel()
    assert "principal axis" in axes.get_xlabel()
    places = neighbours.collections[0].get_offsets()
    same = model.plot.map(codes[:80], method="neighbors").collections[0].get_offsets()
    np.testing.assert_array_equal(places, same)
    assert "principal axis" in model.plot.map(codes[:3], method="neighbours").get_xlabel()  # too few to have any
    with pytest.raises(ValueError, match=r"method.*plot\.map"):
        model.plot.map(codes[:80], method="umap")
