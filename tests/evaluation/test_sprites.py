"""Sprites: the grid of factors, and what each factor does to the picture."""

import numpy as np
import pytest

from narrows.evaluation import synthetic_sprites


def test_the_grid_is_that_of_dsprites():
    sprites = synthetic_sprites(2_000)
    assert sprites.X.shape == (2_000, 64, 64)
    assert sprites.X.dtype == np.uint8
    assert set(np.unique(sprites.X)) == {0, 255}
    assert sprites.names == ("shape", "scale", "orientation", "x", "y")
    assert [len(v) for v in sprites.values] == [3, 6, 40, 32, 32]
    np.testing.assert_allclose(sprites.values[1], [0.5, 0.6, 0.7, 0.8, 0.9, 1])
    np.testing.assert_allclose(np.diff(sprites.values[2]), 2 * np.pi / 40)
    assert sprites.factors.max(0).tolist() == [2, 5, 39, 31, 31]
    assert len(np.unique(sprites.factors, axis=0)) == 2_000
    with pytest.raises(ValueError, match=r"must be an int in the range \[1, 737280\]"):
        synthetic_sprites(737_281)


def test_rows_are_those_of_the_whole_grid_and_the_seed_gives_them_again():
    small = {"size": 16, "n_values": (3, 2, 4, 3, 3)}
    grid = synthetic_sprites(**small)
    assert len(grid.X) == 216
    a, b, c = (synthetic_sprites(50, random_state=seed, **small) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.X, b.X)
    assert not np.array_equal(a.factors, c.factors)
    flat = np.ravel_multi_index(tuple(a.factors.T), (3, 2, 4, 3, 3))
    np.testing.assert_array_equal(grid.factors[flat], a.factors)
    np.testing.assert_array_equal(grid.X[flat], a.X)


def picture(sprites, *factors):
    return sprites.X[(sprites.factors == factors).all(1)][0] > 0


def test_positions_move_the_shape_by_whole_pixels():
    sprites = synthetic_sprites(n_values=(3, 1, 3, 33, 2))  # 32 pixels in 32 steps
    for shape in range(3):
        first = picture(sprites, shape, 0, 1, 0, 0)
        for step in (1, 17, 32):
            np.testing.assert_array_equal(np.roll(first, step, axis=1), picture(sprites, shape, 0, 1, step, 0))
        np.testing.assert_array_equal(np.roll(first, 32, axis=0), picture(sprites, shape, 0, 1, 0, 1))


def test_orientations_turn_the_shape():
    sprites = synthetic_sprites(n_values=(3, 1, 8, 3, 3))
    for shape in range(3):
        upright = picture(sprites, shape, 0, 0, 1, 1)
        assert (np.rot90(upright, -1) != picture(sprites, shape, 0, 2, 1, 1)).mean() < 0.005  # clockwise
        assert (np.rot90(upright, 2) != picture(sprites, shape, 0, 4, 1, 1)).mean() < 0.005
    square, ellipse, heart = ([picture(sprites, s, 0, k, 1, 1) for k in (0, 2, 4)] for s in range(3))
    assert (square[0] != square[1]).mean() < 0.005 < (ellipse[0] != ellipse[1]).mean()
    assert (ellipse[0] != ellipse[2]).mean() < 0.005 < (heart[0] != heart[2]).mean()


def test_scales_are_those_of_the_area():
    sprites = synthetic_sprites(size=512, n_values=(3, 6, 1, 1, 1))
    radius = 0.25 * 512
    for shape, of_circle in ((0, 2 / np.pi), (1, 1 / 2)):
        for number, scale in enumerate(sprites.values[1]):
            area = np.pi * (radius * scale) ** 2 * of_circle
            assert picture(sprites, shape, number, 0, 0, 0).sum() == pytest.approx(area, rel=0.03)
    heart = [picture(sprites, 2, number, 0, 0, 0).sum() for number in (0, 5)]
    assert heart[1] / heart[0] == pytest.approx(4, rel=0.03)


def test_no_shape_is_cut_off():
    at_corners = synthetic_sprites(n_values=(3, 1, 40, 2, 2)).X
    area = (synthetic_sprites(n_values=(3, 1, 40, 3, 3)).X > 0).sum((1, 2)).reshape(3, 40, 9)
    np.testing.assert_array_equal((at_corners > 0).sum((1, 2)).reshape(3, 40, 4), area[:, :, 4:5].repeat(4, axis=2))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 4}, "`size` parameter of synthetic_sprites"),
        ({"n_values": (4, 6, 40, 32, 32)}, "`n_values` parameter of synthetic_sprites must be five ints"),
        ({"n_values": (3, 6, 40)}, "`n_values` parameter of synthetic_sprites must be five ints"),
        ({"n": 0}, "`n` parameter of synthetic_sprites"),
    ],
)
def test_wrong_parameters(wrong, message):
    with pytest.raises(ValueError, match=message):
        synthetic_sprites(**wrong)
