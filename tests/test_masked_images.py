"""The masked autoencoder for images: patches, what the encoder sees, and what the loss counts."""

import numpy as np
import pytest
import torch
from recipe_cases import Case, data

import narrows
from narrows.corruptions import PatchMasking
from narrows.data import infer
from narrows.networks import PatchDecoder, PatchEncoder, PatchGrid
from narrows.tasks import Classifier
from narrows.types import Batch


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("shape", "size"), [((8, 8), 4), ((9, 10), 4), ((5, 7), 3), ((3, 3), 2)])
class TestPatches:
    def test_patches_join_to_the_image(self, shape, size):
        grid, x = PatchGrid(shape, size), torch.randn(2, 3, *shape)
        assert grid.cut(x).shape == (2, grid.n_patches, 3 * size * size)
        assert torch.equal(grid.join(grid.cut(x)), x)

    def test_a_patch_is_a_square_of_the_image(self, shape, size):
        grid, x = PatchGrid(shape, size), torch.randn(2, 3, *shape)
        for number in range(grid.n_patches):
            row, column = (size * place for place in divmod(number, grid.n_columns))
            square = x[:, :, row : row + size, column : column + size]
            patch = grid.cut(x)[:, number].view(2, 3, size, size)
            assert torch.equal(patch[:, :, : square.shape[2], : square.shape[3]], square)

    def test_the_loss_counts_what_the_encoder_does_not_see(self, shape, size):
        grid, x = PatchGrid(shape, size), torch.randn(50, 3, *shape)
        corruption = PatchMasking(grid, 0.75, visible_weight=0.5)
        seen, scored = corruption(Batch(x, x))
        number = seen[:, :, 0].long()
        assert seen.shape == (50, max(1, round(grid.n_patches / 4)), 1 + 3 * size * size)
        for row in range(50):  # each patch at most once, with its own pixels
            assert len(set(number[row].tolist())) == corruption.n_visible
            assert torch.equal(seen[row, :, 1:], grid.cut(x)[row, number[row]])
        weights = grid.cut(scored)
        is_seen = torch.zeros(50, grid.n_patches, dtype=torch.bool).scatter(1, number, True)
        assert torch.equal(weights[is_seen], torch.full_like(weights[is_seen], corruption.visible_weight))
        assert torch.equal(weights[~is_seen], torch.full_like(weights[~is_seen], corruption.hidden_weight))
        assert corruption.visible_weight == corruption.hidden_weight / 2
        assert float(weights.mean()) == pytest.approx(1)

    def test_each_patch_is_seen_as_often_as_any_other(self, shape, size):
        grid = PatchGrid(shape, size)
        corruption, x = PatchMasking(grid, 0.5), torch.zeros(4000, 1, *shape)
        counts = torch.bincount(corruption(Batch(x, x)).x[:, :, 0].long().flatten(), minlength=grid.n_patches)
        torch.testing.assert_close(
            counts / 4000, torch.full_like(counts / 4000, corruption.n_visible / grid.n_patches), atol=0.04, rtol=0
        )


@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_hidden_patches_do_not_reach_the_code(kind):
    parts, batch = Case("maskedae", visible_weight=0.1).parts(kind, dtype=torch.float64)
    model, grid = parts.model, parts.model.corruption.grid
    torch.manual_seed(3)
    output = model(batch)
    visible = grid.cut(output.scored)[:, :, :1] < 1
    assert 0 < float(visible.double().mean()) < 0.5
    noise = grid.join(torch.where(visible, 0.0, torch.rand_like(grid.cut(batch.x))))
    changed = batch._replace(x=batch.x + noise)
    torch.manual_seed(3)
    assert torch.equal(model(changed).code.z, output.code.z)
    torch.manual_seed(3)
    assert not torch.equal(model(batch._replace(x=batch.x + 0.1)).code.z, output.code.z)


def test_all_patches_in_any_order_are_the_image():
    X = data("colour")
    schema = infer(X, "test")
    grid, x = PatchGrid(schema.shape[1:], 3), schema.prepare(torch.from_numpy(X), torch.float64)
    encoder = PatchEncoder(schema, 4, grid, 32, 2).double()
    number = torch.rand(len(x), grid.n_patches).argsort(1)[:, :, None]
    patches = grid.cut(x).gather(1, number.expand(-1, -1, 27))
    torch.testing.assert_close(encoder(torch.cat([number.double(), patches], 2)), encoder(x))


def test_positions_differ_between_patches():
    positions = PatchGrid((28, 28), 4).positions(16)
    distances = torch.cdist(positions, positions) + 9 * torch.eye(49)
    assert positions.shape == (49, 16)
    assert float(distances.min()) > 0.1


@pytest.mark.slow  # it compiles
def test_one_graph():
    parts, batch = Case("maskedae").parts("grey")
    explained = torch._dynamo.explain(lambda batch: parts.objective(parts.model, batch).total)(batch)
    assert explained.graph_break_count == 0


def test_the_decoder_starts_at_the_mean():
    decoder = PatchDecoder(3, 2, PatchGrid((9, 10), 4), 16, 1)
    decoder.start_at(torch.tensor([1.0, 2.0, 3.0]))
    torch.nn.init.zeros_(decoder.head.weight)
    assert torch.equal(decoder(torch.randn(2, 2)), torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1).expand(2, 3, 9, 10))


def test_seeds():
    X = data("grey")
    first, again = (Case("maskedae").make().fit(X) for _ in range(2))
    np.testing.assert_array_equal(first.transform(X), again.transform(X))
    other = Case("maskedae").make(random_state=1).fit(X)
    assert not np.allclose(first.transform(X), other.transform(X))


@pytest.mark.parametrize("method", ["probe", "fine-tune"])
def test_it_is_an_encoder_for_few_labels(method):
    X = data("grey")
    y = (X[:, 0].mean(1) > np.median(X[:, 0].mean(1))).astype(int)
    encoder = Case("maskedae", width=16, n_blocks=1).make(max_epochs=2)
    y[30:] = -1
    assert Classifier(encoder, method=method, random_state=0).fit(X, y).predict_proba(X).shape == (40, 2)


def test_parameters_are_checked():
    X = data("grey")
    cls = narrows.estimator("maskedae")
    with pytest.raises(ValueError, match="The `patch_size` parameter of MASKEDAE must be less than the longer side"):
        cls(2, patch_size=10).fit(X)
    with pytest.raises(ValueError, match="The `width` parameter of MASKEDAE must be a multiple of 16"):
        cls(2, width=24).fit(X)
    with pytest.raises(ValueError, match="MASKEDAE needs images"):
        cls(2).fit(data("vectors"))
