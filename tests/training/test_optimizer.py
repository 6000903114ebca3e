"""AdamW as a function for a compiler, against torch's own; and the limit on gradients, for both."""

import pytest
import torch
from torch import nn

from narrows.accelerate.compiled_step import adamw_constants, adamw_state, adamw_update
from narrows.training.optimizer import GradientClipping, adamw


def _parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(size)) for size in ((6, 5), (6,), (3, 4), ())]


def _gradients(parameters, size: float) -> list[torch.Tensor | None]:
    found: list[torch.Tensor | None] = [size * torch.randn(p.shape) for p in parameters]
    found[2] = None  # of a weight that the loss does not look at
    return found


@pytest.mark.parametrize(
    "sizes", [(1.0, 1.0, 1.0), (1.0, 100.0, 1.0), (1.0, float("nan"), 1.0), (float("inf"), 1.0, 2.0)]
)
def test_a_step_is_that_of_torchs_fused_one(sizes):
    parameters, theirs = _parameters(), _parameters()
    mine, reference = (adamw(p, 0.3) for p in (parameters, theirs))
    limits = [GradientClipping(p, torch.device("cpu")) for p in (parameters, theirs)]
    for number, size in enumerate(sizes):
        gradients = _gradients(parameters, size)
        rate = 0.1 / (number + 1)
        with torch.no_grad():
            state, constants = adamw_state(mine, parameters), adamw_constants(mine, parameters)
            assert constants.decays == [0.3 if p.dim() > 1 else 0.0 for p in parameters]
            adamw_update(parameters, gradients, state, torch.tensor(rate), limits[0].divisor, constants)
        for p, g in zip(theirs, gradients, strict=True):
            p.grad = g
        for group in reference.param_groups:
            group["lr"] = rate
        limits[1].limit(reference)
        reference.step()
    for p, q, first in zip(parameters, theirs, _parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
        assert torch.equal(p, first) == (p is parameters[2])
    for p, q in zip(parameters, theirs, strict=True):
        for key, value in reference.state[q].items():
            torch.testing.assert_close(mine.state[p][key], value, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(limits[0].mean, limits[1].mean)


def test_a_parameter_without_a_state_takes_the_count_of_the_others():
    parameters = _parameters()
    optimizer = adamw(parameters, 0.0)
    for p, g in zip(parameters, _gradients(parameters, 1.0), strict=True):
        p.grad = g
    optimizer.step()
    found = adamw_state(optimizer, parameters)
    assert [float(step) for step in found.steps] == [1.0] * 4
    assert not found.means[2].any()
    assert found.means[0].any()
