"""Maps: the cost against a plain count, the neighbour search against all distances, and the values of trust."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

import narrows
from narrows.batch_sharding import Shard, split_batch
from narrows.data import Rows, as_features, infer
from narrows.data import neighbors as search
from narrows.data.neighbors import leading_axes, nearest_rows
from narrows.objectives import NeighborEmbedding, WeightedObjective
from narrows.recipes import RECIPES
from narrows.types import Batch

SMALL = {
    "hidden": (64,),
    "max_epochs": 12,
    "random_state": 0,
    "device": "cpu",
    "precision": "float32",
    "compile": False,
}


@pytest.fixture(scope="module")
def digits():
    X = load_digits().images.astype(np.float32)
    return X[:1400], X[1400:]


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_places_are_finer_than_half_precision(digits, network):
    model = narrows.MapAE(**{**SMALL, "precision": "bfloat16", "max_epochs": 2}, network=network).fit(digits[0])
    codes = torch.from_numpy(model.transform(digits[1]))
    assert not torch.equal(codes.bfloat16().float(), codes.float())
    # layers before the last one are rounded, so places agree with full precision only to a few digits
    exact = model.apply(model.model_.encode, model.prepare(digits[1]))
    torch.testing.assert_close(codes, exact, rtol=0.1, atol=0.1 * float(exact.std()))
    assert not torch.equal(codes, exact)


@pytest.fixture(scope="module")
def model(digits):
    return narrows.MapAE(**{**SMALL, "max_epochs": 40}).fit(digits[0])


class TestCost:
    @pytest.mark.parametrize("breadth", [0.0, 0.3, 1.0])
    def test_is_what_its_formula_says(self, breadth):
        torch.manual_seed(0)
        z, neighbor = torch.randn(2, 60, 2, dtype=torch.float64)
        x = torch.randn(60, 4, dtype=torch.float64)
        result = NeighborEmbedding(attraction=1.7, breadth=breadth, spread=3.0).of_codes(z, neighbor, x)
        everyone = torch.cat([z, neighbor])
        for i in range(60):
            q = 1 / (1 + 9 * (everyone - z[i]).square().sum(1))
            d = (x - x[i]).square().sum(1)
            order = d.argsort()[1:5]  # k = 0.04 * 60 = 2, and twice as many have a share
            p = torch.exp(-(d[order] - d[order[0]]) / (d[order[2]] - d[order[0]]))
            pull = (1 - breadth) * q[60 + i].log() + breadth * (p / p.sum() * q[order].log()).sum()
            torch.testing.assert_close(result[i], -1.7 * pull + torch.log(q.sum() - q[i]), rtol=1e-9, atol=0)

    def test_gradient(self):
        torch.manual_seed(0)
        z, neighbor = (torch.randn(8, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
        x = torch.randn(8, 4, dtype=torch.float64)
        cost = NeighborEmbedding(attraction=1.3, spread=2.0)
        assert torch.autograd.gradcheck(lambda z, neighbor: cost.of_codes(z, neighbor, x), (z, neighbor))

    def test_moves_with_the_map(self):
        torch.manual_seed(0)
        (z, neighbor), x = torch.randn(2, 9, 2, dtype=torch.float64), torch.randn(9, 4, dtype=torch.float64)
        cost, turn = NeighborEmbedding(), torch.linalg.qr(torch.randn(2, 2, dtype=torch.float64)).Q
        torch.testing.assert_close(
            cost.of_codes(z @ turn + 5, neighbor @ turn + 5, x), cost.of_codes(z, neighbor, x), rtol=1e-9, atol=0
        )

    def test_goes_by_ratios_of_distances(self):
        torch.manual_seed(0)
        (z, neighbor), x = torch.randn(2, 9, 2, dtype=torch.float64), torch.randn(9, 4, dtype=torch.float64)
        cost = NeighborEmbedding()
        torch.testing.assert_close(
            cost.of_codes(z, neighbor, 100 * x), cost.of_codes(z, neighbor, x), rtol=1e-9, atol=0
        )

    @pytest.mark.parametrize("n", [1, 2, 3, 4, 16])
    @pytest.mark.parametrize("where", [0.0, 1e4])
    def test_examples_that_are_alike_have_a_finite_cost(self, where, n):
        z = torch.full((n, 2), where, requires_grad=True)
        for neighbor in (z, None):
            cost = NeighborEmbedding().of_codes(z, neighbor, torch.zeros(n, 3))
            cost.sum().backward()
            assert torch.isfinite(cost).all()
            assert torch.isfinite(z.grad).all()

    def test_shares_of_a_batch_meet_all_of_it(self, monkeypatch):
        torch.manual_seed(0)
        (z, neighbor), x = torch.randn(2, 9, 2), torch.randn(9, 4)
        cost = NeighborEmbedding()
        whole = cost.of_codes(z, neighbor, x)
        # the rows of the other process, which a sum over processes brings
        others = iter([cost.spread * z, cost.spread * neighbor, x])
        monkeypatch.setattr("narrows.batch_sharding.batch_sum", lambda part: _filled(part, next(others), slice(2, 5)))
        with split_batch(Shard(2, 5, 9)):
            part = cost.of_codes(z[2:5], neighbor[2:5], x[2:5])
        torch.testing.assert_close(part, whole[2:5])

    def test_of_a_batch_without_neighbours_goes_by_the_batch_alone(self):
        X = np.random.default_rng(0).normal(size=(12, 3))
        schema = infer(X, "test")
        parts = RECIPES["mapae"].make(schema, 2, hidden=(4,))
        x = schema.prepare(torch.from_numpy(X))
        z = parts.model.encode(x)
        result = parts.objective.eval()(parts.model, Batch(x, x)).terms["neighbours"]
        torch.testing.assert_close(result, NeighborEmbedding(breadth=1.0).of_codes(z, None, x).mean())

    def test_its_weight_needs_it(self):
        parts = RECIPES["ae"].make(infer(np.eye(4), "test"), 2)
        with pytest.raises(ValueError, match="no cost 'neighbours'"):
            WeightedObjective({"neighbours": 1.0}).check(parts.model)


def _filled(part: torch.Tensor, whole: torch.Tensor, rows: slice) -> torch.Tensor:
    """Check that `part` equals `whole` in `rows` and is 0 elsewhere; return it with the zeros filled from `whole`."""
    torch.testing.assert_close(part[rows], whole[rows])
    assert part.count_nonzero() == part[rows].count_nonzero()
    return whole


class TestNeighbours:
    @pytest.mark.parametrize("metric", ["euclidean", "cosine"])
    def test_are_those_of_scikit_learn(self, metric):
        X = torch.from_numpy(np.random.default_rng(0).normal(size=(300, 9)).astype(np.float32))
        among = torch.randperm(300)[:250]
        result = nearest_rows(lambda index: X[index], 300, among, 5, metric)
        there = NearestNeighbors(n_neighbors=6, metric=metric).fit(X[among] - X[among].mean(0))
        for i, row in enumerate(among[there.kneighbors(X - X[among].mean(0), return_distance=False)].tolist()):
            assert set(result[i].tolist()) == set([j for j in row if j != i][:5])

    def test_of_many_rows_are_looked_for_in_parts(self, monkeypatch):
        monkeypatch.setattr(search, "_PART", 64)
        X = torch.from_numpy(np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32))
        among = torch.randperm(400, generator=torch.Generator().manual_seed(0))[:300]
        result = nearest_rows(lambda index: X[index], 400, among, 4).long()
        assert set(result.flatten().tolist()) <= set(among.tolist())
        assert (result != torch.arange(400)[:, None]).all()
        apart = torch.cdist(X, X)
        assert apart.gather(1, result).mean() < 0.5 * apart.mean()

    @pytest.mark.parametrize("d", [60, 150, 2100])
    def test_axes_are_those_of_pca(self, d):
        rng = np.random.default_rng(0)
        X = torch.from_numpy(rng.normal(size=(200, 5)) @ rng.normal(size=(5, d)) + 3)
        torch.manual_seed(0)
        mean, axes = leading_axes(X)
        torch.testing.assert_close(mean, X.mean(0))
        torch.testing.assert_close(axes.T @ axes, torch.eye(axes.shape[1], dtype=X.dtype), atol=1e-6, rtol=0)
        torch.testing.assert_close((X - mean) @ axes @ axes.T, X - mean, atol=1e-6, rtol=1e-6)

    def test_come_with_the_batch(self):
        X = np.random.default_rng(0).normal(size=(50, 3))
        rows = Rows(X, infer(X, "test"), torch.device("cpu"))
        index = torch.arange(10, 30)
        assert rows.batch(index).neighbor is None
        rows.find_neighbors(1, torch.arange(50))
        apart = torch.cdist(rows.batch(torch.arange(50)).x, rows.batch(torch.arange(50)).x).fill_diagonal_(torch.inf)
        torch.testing.assert_close(rows.batch(index).neighbor, rows.batch(apart.argmin(1)[index]).x)

    def test_images_are_compared_by_direction(self, digits):
        X = digits[0]
        images, table = (narrows.MapAE(max_epochs=1, hidden=(8,), random_state=0).fit(X) for X in (X[:60], X[:60, 0]))
        assert any(line.startswith("metric = cosine: images") for line in images.report_)
        assert any(line.startswith("n_iter_no_change = 25: neighbours") for line in images.report_)
        assert any(line.startswith("metric = euclidean: the columns") for line in table.report_)
        cosine = narrows.MapAE(metric="cosine", max_epochs=1, hidden=(8,), random_state=0).fit(X[:60])
        np.testing.assert_array_equal(cosine.transform(X), images.transform(X))


class TestMap:
    def test_keeps_neighbours_better_than_the_plain_autoencoder(self, digits, model):
        T = digits[1].reshape(len(digits[1]), -1)
        plain = narrows.AE(**{**SMALL, "max_epochs": 40}).fit(digits[0])
        kept = [_kept(T, m.transform(digits[1]), 10).mean() for m in (model, plain)]
        assert kept[0] > kept[1] + 0.03

    def test_has_an_inverse(self, digits, model):
        T = digits[1]
        error = np.square(model.inverse_transform(model.transform(T)) - T).mean()
        assert error < 0.85 * np.square(digits[0].mean(0) - T).mean()

    def test_trust_is_each_examples_trustworthiness(self, digits, model):
        # with the reference examples as data, scikit-learn computes the same mean
        points, codes = model.reference_points_, model.reference_codes_
        expected = trustworthiness(points, codes, n_neighbors=20)
        # in single precision, so that different distances may look equal
        assert model.reference_trust_.mean() == pytest.approx(expected, abs=1e-5)
        assert (model.reference_trust_ <= 1).all()
        assert len(codes) == len(digits[0])

    def test_trust_tells_where_the_map_is_right(self, digits, model):
        T = digits[1]
        trust = model.trust(T)
        assert ((trust >= 0) & (trust <= 1)).all()
        flat, Z = T.reshape(len(T), -1), model.transform(T)
        order = np.argsort(trust)
        kept = [_kept(flat, Z, 20)[rows].mean() for rows in np.array_split(order, 3)]
        assert kept[0] < kept[2] - 0.1

    def test_strangers_are_not_trusted(self, digits, model):
        noise = np.random.default_rng(0).permuted(digits[1].reshape(len(digits[1]), -1), axis=1)
        assert model.trust(noise.reshape(-1, 8, 8)).mean() < model.trust(digits[1]).mean() - 0.05

    def test_places_without_data_are_not_trusted(self, digits, model):
        Z = model.transform(digits[1])
        assert model.trust_at(Z).mean() > 0.8
        far = Z.mean(0) + 20 * Z.std(0)
        assert model.trust_at(far[None])[0] < 0.05

    def test_one_example_alone_is_trusted_as_in_company(self, digits, model):
        T = digits[1][:40]
        np.testing.assert_allclose([model.trust(t[None])[0] for t in T[:5]], model.trust(T)[:5], atol=1e-3)

    def test_trust_survives_saving(self, digits, model, tmp_path):
        model.save(tmp_path / "map")
        again = narrows.load(tmp_path / "map", device="cpu")
        np.testing.assert_array_equal(again.trust(digits[1]), model.trust(digits[1]))
        Z = model.transform(digits[1])
        np.testing.assert_array_equal(again.trust_at(Z), model.trust_at(Z))

    def test_counts(self):
        X = np.random.default_rng(0).poisson(0.5, size=(60, 6)).astype(float)
        model = narrows.MapAE(**SMALL).fit(X)
        assert model.schema_.support == "count"
        assert np.isfinite(model.trust(X)).all()

    def test_resumed_it_goes_on_to_the_same_weights(self, tmp_path, monkeypatch):
        from narrows.training import Interrupted
        from narrows.training.loop import Trainer

        X = np.random.default_rng(0).normal(size=(120, 5))
        expected = narrows.MapAE(**SMALL).fit(X)
        train_step = Trainer.train_step

        def stopping(self, index):
            train_step(self, index)
            if self.clock.step == 10:
                self.clock.interrupted.set()

        monkeypatch.setattr(Trainer, "train_step", stopping)
        with pytest.raises(Interrupted):
            narrows.MapAE(checkpoint=tmp_path, **SMALL).fit(X)
        monkeypatch.undo()
        again = narrows.MapAE(checkpoint=tmp_path, **SMALL).fit(X)
        for key, value in expected.model_.state_dict().items():
            torch.testing.assert_close(again.model_.state_dict()[key], value, rtol=0, atol=0)


class TestBadInput:
    def test_more_neighbours_than_rows(self):
        with pytest.raises(ValueError, match=r"`n_neighbors` parameter of MapAE must be at most 19.*Got 20 instead"):
            narrows.MapAE(n_neighbors=20, **SMALL).fit(np.random.default_rng(0).normal(size=(20, 3)))

    @pytest.mark.parametrize("n", [2, 3, 5, 16])
    def test_few_rows(self, n):
        X = np.random.default_rng(0).normal(size=(n, 3))
        model = narrows.MapAE(**SMALL).fit(X)
        assert np.isfinite(model.trust(X)).all()
        assert any(f"n_neighbors = {min(20, n - 1)}" in line for line in model.report_)

    def test_constant_columns_and_duplicates(self):
        X = np.random.default_rng(0).normal(size=(30, 4)).repeat(3, axis=0)
        X[:, 2] = 7
        model = narrows.MapAE(**SMALL).fit(X)
        trust = model.trust(X)
        assert np.isfinite(model.transform(X)).all()
        assert ((trust >= 0) & (trust <= 1)).all()

    def test_rows_that_are_all_the_same(self):
        X = np.ones((40, 3))
        model = narrows.MapAE(**SMALL).fit(X)
        assert np.isfinite(model.trust(X)).all()
        assert np.isfinite(model.trust_at(model.transform(X))).all()

    @pytest.mark.parametrize(
        ("name", "value"),
        [("n_neighbors", 0), ("attraction", 0.0), ("strength", -1.0), ("breadth", 1.5), ("n_neighbors", 2.5)],
    )
    def test_parameters(self, name, value):
        with pytest.raises(ValueError, match=f"`{name}` parameter of MapAE must be .* Got {value} instead"):
            narrows.MapAE(**{name: value}).fit(np.eye(9))

    def test_codes(self, model):
        for Z in (np.zeros((3, 3)), np.zeros(2), np.full((1, 2), np.nan)):
            with pytest.raises(ValueError, match="Codes for MapAE must be"):
                model.trust_at(Z)

    def test_trust_of_other_shapes(self, model):
        with pytest.raises(ValueError, match="examples of shape"):
            model.trust(np.zeros((4, 9, 9)))


def _kept(X: np.ndarray, Z: np.ndarray, k: int) -> np.ndarray:
    """Return for each point the share of its neighbours on the map that are its neighbours in the data."""
    a, b = (NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False) for points in (X, Z))
    return np.array([len(set(i) & set(j)) / k for i, j in zip(a, b, strict=True)])


def test_rows_with_gaps_have_distances_though_training_rows_had_none():
    X = np.random.default_rng(0).normal(size=(80, 4))
    model = narrows.MapAE(hidden=(8,), max_epochs=1, random_state=0).fit(X)
    X[3, 1] = np.nan
    with pytest.warns(UserWarning, match="fitted on data without any"):
        x = model.prepare(X)
    features = as_features(x, model.schema_)
    assert features[3, 1] == pytest.approx(0, abs=1e-6)  # the mean, on the model's scale
    assert torch.isfinite(features).all()
    with pytest.warns(UserWarning, match="fitted on data without any"):
        trust = model.trust(X)
    assert ((trust >= 0) & (trust <= 1)).all()
