"""Muon, compared with torch's own; it respects `found_inf` and `grad_scale` as AdamW does."""

import pytest
import torch
from torch import nn

from narrows.training.muon import Muon, is_matrix, orthogonalize
from narrows.training.optimizer import muon


def _with_gradients(parameters, seed):
    generator = torch.Generator().manual_seed(seed)
    for p in parameters:
        p.grad = torch.empty_like(p).copy_(torch.randn(p.shape, generator=generator))


def _weights():
    torch.manual_seed(0)
    linear, other = nn.Parameter(torch.randn(40, 70)), nn.Parameter(torch.randn(40, 70))
    return [linear, other, nn.Parameter(torch.randn(40)), nn.Parameter(torch.randn(8, 70))]


def test_steps_are_those_of_torchs_own():
    ours, theirs = _weights(), _weights()
    optimizer = muon(ours, 0.1, dtype=torch.bfloat16)
    reference = torch.optim.Muon(theirs[:2], lr=4e-3, weight_decay=0.1 / 4, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW([{"params": theirs[3:], "weight_decay": 0.1}, {"params": theirs[2:3], "weight_decay": 0}])
    for group in (*optimizer.param_groups, *adam.param_groups):
        group["lr"] = 1e-3
    for seed in range(5):
        _with_gradients(ours, seed)
        _with_gradients(theirs, seed)
        optimizer.step()
        reference.step()
        adam.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=2e-4)
    for p, q in zip(ours, _weights(), strict=True):
        assert (p - q).abs().max() > 4e-3  # five steps of 1e-3


@pytest.mark.parametrize("shape", [(40, 90), (90, 40), (64, 64)])
def test_singular_values_become_alike(shape):
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape) * torch.logspace(-1, 1, shape[1])
    result = orthogonalize(matrices)
    s = torch.linalg.svdvals(result)
    assert s.median() > 0.6
    assert s.max() < 1.3
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    assert torch.nn.functional.cosine_similarity((u @ v).flatten(1), result.flatten(1)).min() > 0.9


def test_the_order_in_memory_makes_no_difference():
    torch.manual_seed(0)
    plain = nn.Conv2d(16, 40, 3)
    last = nn.Conv2d(16, 40, 3)
    last.load_state_dict(plain.state_dict())
    last.to(memory_format=torch.channels_last)
    for module in (plain, last):
        optimizer = muon(list(module.parameters()), 0.1)
        for seed in range(3):
            _with_gradients(module.parameters(), seed)
            for group in optimizer.param_groups:
                group["lr"] = 1e-2
            optimizer.step()
    torch.testing.assert_close(plain.weight, last.weight, rtol=1e-4, atol=1e-5)
    assert last.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_step_that_is_not_finite_changes_nothing():
    weights = _weights()
    optimizer = muon(weights, 0.1)
    for group in optimizer.param_groups:
        group["lr"] = 1e-2
    _with_gradients(weights, 0)
    optimizer.step()
    before = [p.detach().clone() for p in weights]
    means = [optimizer.state[p]["momentum_buffer"].clone() for p in weights if is_matrix(p)]
    for p in weights:
        p.grad = torch.full_like(p, torch.nan)
    optimizer.found_inf, optimizer.grad_scale = torch.tensor(1.0), torch.tensor(1.0)
    optimizer.step()
    for p, q in zip(weights, before, strict=True):
        torch.testing.assert_close(p.detach(), q, rtol=0, atol=0)
    for p, mean in zip([p for p in weights if is_matrix(p)], means, strict=True):
        torch.testing.assert_close(optimizer.state[p]["momentum_buffer"], mean, rtol=0, atol=0)


def test_gradients_are_divided_by_their_scale():
    ours, theirs = _weights(), _weights()
    for weights, scale in ((ours, 4.0), (theirs, 1.0)):
        optimizer = muon(weights, 0.0)
        for group in optimizer.param_groups:
            group["lr"] = 1e-2
        _with_gradients(weights, 0)
        for p in weights:
            p.grad *= scale
        optimizer.grad_scale, optimizer.found_inf = torch.tensor(scale), torch.tensor(0.0)
        optimizer.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


def test_its_state_goes_through_a_checkpoint():
    weights = _weights()
    optimizer = muon(weights, 0.1)
    _with_gradients(weights, 0)
    optimizer.step()
    other: Muon = muon(weights, 0.1)
    other.load_state_dict(optimizer.state_dict())
    for p in weights:
        assert optimizer.state[p].keys() == other.state[p].keys()
        for key, value in optimizer.state[p].items():
            torch.testing.assert_close(value, other.state[p][key])
