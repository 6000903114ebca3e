"""VQ-VAE-2: grids of vectors, what is encoded given what, and a sampler that draws the coarse grid first."""

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from recipe_cases import SIZES, Case, data

import narrows
from narrows.bottlenecks import GridQuantizer
from narrows.data import infer
from narrows.estimators.samplers import Autoregressive
from narrows.networks import GridDecoder, GridEncoder, Grids, find_grids

GRIDS = Grids([(2, 3), (3, 5)], 2)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def quantizer() -> GridQuantizer:
    return GridQuantizer(GRIDS, n_codes=6).double()


def test_each_grid_has_half_of_the_next_one():
    for sizes in find_grids(9, 21, 3):
        assert len(sizes) == 3
        for (rows, columns), (more_rows, more_columns) in itertools.pairwise(sizes):
            assert (rows, columns) == ((more_rows + 1) // 2, (more_columns + 1) // 2)
    assert find_grids(9, 21, 1)[-1] == [(1, 1)]
    assert find_grids(4, 4, 4) == []


class TestGridQuantizer:
    def test_it_is_two_quantisations_of_which_the_second_knows_the_first(self, quantizer):
        h = torch.randn(7, 42, dtype=torch.float64)
        books = [part.codebook[0].clone() for part in quantizer.quantizers]
        code = quantizer(h)  # which moves the vectors after they were chosen
        coarse = nearest(h[:, :12].reshape(-1, 2), books[0]).view(7, 12)
        given = h[:, 12:] + quantizer.finer[0](coarse)
        fine = nearest(given.reshape(-1, 2), books[1]).view(7, 30)
        torch.testing.assert_close(code.z, torch.cat([coarse, fine], 1))
        cost = (h[:, :12] - coarse).square().sum(1) + (given - fine).square().sum(1)
        torch.testing.assert_close(code.costs["commitment"], cost)

    def test_gradients_go_straight_through_and_down_to_the_coarse_grid(self, quantizer):
        h = torch.randn(7, 42, dtype=torch.float64, requires_grad=True)
        weight = torch.randn(30, dtype=torch.float64)
        (quantizer(h).z[:, 12:] * weight).sum().backward()
        torch.testing.assert_close(h.grad[:, 12:], weight.expand(7, -1))
        assert (h.grad[:, :12].abs().amax(1) > 0).all()

    def test_the_coarse_grid_changes_the_fine_one_and_not_the_other_way_round(self, quantizer):
        quantizer.eval()
        h = torch.randn(50, 42, dtype=torch.float64)
        before = quantizer.indices(quantizer.encode(h))
        coarse, fine = h.clone(), h.clone()
        coarse[:, :12] = coarse[:, :12].roll(1, 0)
        fine[:, 12:] = fine[:, 12:].roll(1, 0)
        assert not torch.equal(quantizer.indices(quantizer.encode(coarse))[:, 6:], before[:, 6:])
        assert torch.equal(quantizer.indices(quantizer.encode(fine))[:, :6], before[:, :6])

    def test_all_places_of_a_grid_share_their_vectors(self, quantizer):
        for value in range(6):
            z = quantizer.from_indices(torch.full((1, 21), value))[0]
            assert len(z[:12].view(6, 2).unique(dim=0)) == len(z[12:].view(15, 2).unique(dim=0)) == 1

    def test_a_sampler_learns_which_fine_vectors_suit_the_coarse_ones(self):
        grids = Grids([(1, 2), (2, 4)], 2)
        code: Any = GridQuantizer(grids, n_codes=4)
        coarse = torch.randint(4, (600, 1, 2))
        index = torch.cat([coarse.flatten(1), coarse.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1)], 1)
        model: Any = SimpleNamespace(bottleneck=code)
        sampler = Autoregressive(16, n_layers=1, dropout=0.0, max_epochs=40).bind(model, "test")
        sampler.fit(code.from_indices(index).double(), seed=0)
        drawn = code.indices(sampler.draw(500, np.random.default_rng(0)).float())
        fine = drawn[:, 2:].view(500, 2, 2, 2)  # rows, columns of the coarse grid, and those within one of its places
        assert float((fine == drawn[:, None, :2, None]).double().mean()) > 0.95
        assert float(drawn[:, :2].double().var()) > 1


def nearest(rows: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    return vectors[torch.cdist(rows, vectors).argmin(1)]


class TestNetworks:
    """On images of 9 x 10 pixels, with grids of 3 x 3 and 5 x 5 places."""

    @pytest.fixture
    def grids(self) -> Grids:
        return Grids([(3, 3), (5, 5)], 2)

    def test_the_decoder_gives_each_place_its_part_of_the_image(self, grids):
        decoder = GridDecoder((1, 9, 10), grids)
        z = torch.randn(64, grids.n_components)
        for first, (rows, columns) in zip((0, 18), grids.sizes, strict=True):
            for place in (0, rows * columns - 1):
                changed = z.clone()
                changed[:, first + 2 * place : first + 2 * place + 2] += 1
                change = (decoder(changed) - decoder(z))[:, 0].abs().mean(0)
                y, x = divmod(int(change.argmax()), 10)
                assert (y > 4, x > 4) == (place > 0, place > 0)

    def test_the_encoder_puts_what_is_at_a_place_there(self, grids):
        X = data("grey")
        encoder, x = GridEncoder(infer(X, "test"), grids), torch.zeros(1, 1, 9, 10)
        base = encoder(x)
        for y, column in ((0, 0), (8, 9)):
            changed = x.clone()
            changed[0, 0, y, column] = 1.0
            change = (encoder(changed) - base)[0].abs()
            for part, (rows, columns) in zip(change.split([18, 50]), grids.sizes, strict=True):
                strongest = int(part.view(-1, 2).sum(1).argmax())
                assert strongest == y * rows // 9 * columns + column * columns // 10


class TestRecipe:
    @pytest.mark.parametrize(
        ("shape", "n_components", "more", "sizes", "length"),
        [
            ((28, 28), 40, {}, [(2, 2), (4, 4)], 2),
            ((28, 28), 260, {}, [(4, 4), (7, 7)], 4),
            ((28, 28), 80, {"group_size": 16}, [(1, 1), (2, 2)], 16),
            ((32, 32), 84, {"n_levels": 3, "group_size": 1}, [(2, 2), (4, 4), (8, 8)], 1),
            ((32, 32), 84, {"n_levels": 3}, [(1, 1), (2, 2), (4, 4)], 4),
            ((8, 16), 10, {"n_levels": 1}, [(1, 2)], 5),
            ((9, 10), 65, {}, [(2, 2), (3, 3)], 5),
        ],
    )
    def test_the_grids_follow_the_number_of_components(self, shape, n_components, more, sizes, length):
        X = np.random.default_rng(0).integers(0, 255, (4, *shape), dtype=np.uint8)
        parts = narrows.recipes.get("vqvae2").make(infer(X, "test"), n_components, **more)
        grids = parts.model.bottleneck.grids
        assert (grids.sizes, grids.length, grids.n_components) == (sizes, length, n_components)
        assert parts.model.bottleneck.bits == 8 * sum(grids.n_places)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"n_components": 16}, r"be a multiple of the number of places of 2 grids .* 20 \(2 x 2 and 4 x 4\), 5 \("),
            ({"n_components": 20, "group_size": 3}, "be 3 times the number of places of 2 grids of images of 8 x 8"),
            ({"n_components": 20, "n_levels": 9}, r"which is one of: none\. Got 20"),
        ],
    )
    def test_other_numbers_are_refused(self, values, message):
        with pytest.raises(ValueError, match=message):
            Case("vqvae2", **values).make(**values).fit(data("colour"))

    def test_indices_of_a_model_come_back_and_are_drawn(self):
        X = data("grey")
        model = Case("vqvae2", SIZES["vqvae2"], n_codes=8).make().fit(X)
        index = model.code_indices(X)
        assert index.shape == (40, 5)
        np.testing.assert_allclose(model.decode_indices(index), model.reconstruct(X), atol=1)
        model.fit_sampler(X, Autoregressive(16, n_layers=1, max_epochs=2))
        assert model.sample(3, random_state=0).shape == (3, 9, 10)
        drawn = model.sampler().draw(20, np.random.default_rng(0))
        assert torch.equal(model.model_.bottleneck.project(drawn), drawn)
