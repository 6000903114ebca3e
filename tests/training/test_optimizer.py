"""AdamW as a function for a compiler, compared with torch's own; and gradient clipping for both."""

import pytest
import torch
from torch import nn

from narrows.accelerate.compiled_step import adamw_constants, adamw_state, adamw_update
from narrows.bottlenecks import Selector
from narrows.priors import NormalMixture, VampPrior
from narrows.training.optimizer import GradientClipping, adamw, muon, parameters_without_decay


def _parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(size)) for size in ((6, 5), (6,), (3, 4), ())]


def _gradients(parameters, size: float) -> list[torch.Tensor | None]:
    gradients: list[torch.Tensor | None] = [size * torch.randn(p.shape) for p in parameters]
    gradients[2] = None  # of a weight that the loss does not use
    return gradients


@pytest.mark.parametrize(
    "sizes", [(1.0, 1.0, 1.0), (1.0, 100.0, 1.0), (1.0, float("nan"), 1.0), (float("inf"), 1.0, 2.0)]
)
def test_a_step_is_that_of_torchs_fused_one(sizes):
    parameters, theirs = _parameters(), _parameters()
    optimizer, reference = (adamw(p, 0.3) for p in (parameters, theirs))
    clippings = [GradientClipping(p, torch.device("cpu")) for p in (parameters, theirs)]
    for number, size in enumerate(sizes):
        gradients = _gradients(parameters, size)
        rate = 0.1 / (number + 1)
        with torch.no_grad():
            state, constants = adamw_state(optimizer, parameters), adamw_constants(optimizer, parameters)
            assert constants.decays == [0.3 if p.dim() > 1 else 0.0 for p in parameters]
            adamw_update(parameters, gradients, state, torch.tensor(rate), clippings[0].update_divisor, constants)
        for p, g in zip(theirs, gradients, strict=True):
            p.grad = g
        for group in reference.param_groups:
            group["lr"] = rate
        clippings[1].clip(reference)
        reference.step()
    for p, q, first in zip(parameters, theirs, _parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
        assert torch.equal(p, first) == (p is parameters[2])
    for p, q in zip(parameters, theirs, strict=True):
        for key, value in reference.state[q].items():
            torch.testing.assert_close(optimizer.state[p][key], value, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(clippings[0].mean, clippings[1].mean)


def test_a_parameter_without_a_state_takes_the_count_of_the_others():
    parameters = _parameters()
    optimizer = adamw(parameters, 0.0)
    for p, g in zip(parameters, _gradients(parameters, 1.0), strict=True):
        p.grad = g
    optimizer.step()
    state = adamw_state(optimizer, parameters)
    assert [float(step) for step in state.steps] == [1.0] * 4
    assert not state.means[2].any()
    assert state.means[0].any()


@pytest.mark.parametrize("make", [adamw, muon])
def test_values_of_parts_neither_decay_nor_are_turned_as_matrices(make):
    torch.manual_seed(0)
    zero, one = torch.zeros(()), torch.ones(())
    values = nn.ModuleList([NormalMixture(40, 40), VampPrior(2, 40, zero, one, (40,)), Selector(40, 50)])
    model = nn.Sequential(nn.Linear(40, 40), values)
    parameters, exempt = list(model.parameters()), parameters_without_decay((model,))
    assert exempt == set(values.parameters())
    optimizer = make(parameters, 0.5, no_decay=exempt)
    assert [p for group in optimizer.param_groups for p in group["params"] if group["weight_decay"] > 0] == [
        model[0].weight
    ]
    assert all(not group.get("orthogonal") for group in optimizer.param_groups if set(group["params"]) & exempt)
    assert {p for group in optimizer.param_groups for p in group["params"]} == set(parameters)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(parameters)
