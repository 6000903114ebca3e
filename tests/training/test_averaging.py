"""The running mean of the weights, and the pace of a kind of model."""

from __future__ import annotations

import pytest
import torch

from narrows.training import Pace, Settings
from narrows.training.averaging import Averaging
from narrows.training.pace import follow_pace

PACE = Pace(batch_size=256, learning_rate=2e-3, n_epochs=60, fewest_steps=2_000, most_steps=15_000, decay_rows=4_000)


def make() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(3, 2).double()


def test_the_mean_follows_its_formula():
    model = make()
    averaging = Averaging(model, 0.9)
    expected = model.weight.detach().clone()
    for i in range(1, 200):
        with torch.no_grad():
            model.weight.add_(torch.randn_like(model.weight))
        averaging.update()
        decay = min(0.9, i / (i + 10))
        expected = decay * expected + (1 - decay) * model.weight.detach()
    own = model.weight.detach().clone()
    with averaging.use():
        average = model.weight.detach().clone()
    torch.testing.assert_close(average, expected)
    assert torch.equal(model.weight, own)  # the training goes on where it was


def test_the_weights_come_back_after_an_error_too():
    model = make()
    averaging, own = Averaging(model, 0.5), model.weight.detach().clone()
    averaging.means[0].zero_()
    with pytest.raises(KeyError, match="False"), averaging.use():
        raise KeyError(bool(model.weight.any()))
    assert torch.equal(model.weight, own)


def test_a_checkpoint_restores_the_mean():
    averaging, other = Averaging(make(), 0.9), Averaging(make(), 0.9)
    for _ in range(5):
        with torch.no_grad():
            averaging.weights[0].mul_(1.5)
        averaging.update()
    other.restore(averaging.state())
    assert other.n_steps == 5
    for mean, restored in zip(averaging.means, other.means, strict=True):
        assert torch.equal(mean, restored)


def test_no_mean_without_a_decay():
    model = make()
    averaging = Averaging(model, None)
    averaging.update()
    with averaging.use():
        assert averaging.state() == {"n_steps": 0, "means": {}}


@pytest.mark.parametrize(
    ("n", "epochs", "decay"),
    [(80, 500, 1.0), (1_000, 500, 1.0), (8_000, 62, 0.25), (40_000, 60, 0.03), (1_000_000, 4, 0.03)],
)
def test_the_pace_follows_the_number_of_rows(n, epochs, decay):
    settings, choices = follow_pace(Settings(pace=PACE), n)
    assert (settings.batch_size, settings.learning_rate) == (min(256, n), 2e-3)
    assert settings.max_epochs == epochs
    assert settings.weight_decay == pytest.approx(decay)
    assert [choice.name for choice in choices] == ["batch_size", "learning_rate", "max_epochs", "weight_decay"]


def test_what_the_user_sets_stays():
    asked = Settings(pace=PACE, batch_size=10, learning_rate=0.1, max_epochs=3, weight_decay=0.5)
    assert follow_pace(asked, 8_000) == (asked, ())
    common = Settings()
    assert follow_pace(common, 8_000) == (common, ())
