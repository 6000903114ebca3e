"""The sparse step: hand-written gradients against autograd's, and sparse codes against dense ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from narrows.bottlenecks import BatchTopK, Gated, JumpReLU, TopK
from narrows.networks import Dictionary
from narrows.networks.sparse import chosen_outputs, largest_units, sum_of_directions
from narrows.types import DeferredLinear, SparseCode

B, D, L = 7, 5, 12
CODES = {
    "topk": lambda: TopK(L, 3, patience=10),
    "batchtopk": lambda: BatchTopK(L, 3, patience=10),
    "jumprelu": lambda: JumpReLU(L, 3, patience=10),
    "gated": lambda: Gated(L, patience=10),
}


def entries(seed: int = 0, per_row: tuple[int, ...] = (3, 0, 5, 1, 12, 2, 4)) -> tuple[Tensor, Tensor]:
    """Rows with different numbers of units, and one without any: entries as row * L + unit, and starts."""
    generator = torch.Generator().manual_seed(seed)
    units = [torch.randperm(L, generator=generator)[:n] for n in per_row]
    flat = torch.cat([row * L + chosen for row, chosen in enumerate(units)])
    return flat, torch.tensor([0, *per_row]).cumsum(0)


def leaf(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def test_chosen_outputs_have_autograds_gradients():
    flat, _ = entries()
    x, w, b, upstream = leaf(B, D), leaf(L, D, seed=2), leaf(L, seed=3), leaf(len(flat), seed=4).detach()
    linear = DeferredLinear(x, w, b)
    chosen, expected = chosen_outputs(linear, linear.compute().detach(), flat), linear.compute().reshape(-1)[flat]
    torch.testing.assert_close(chosen, expected)
    ours, theirs = (torch.autograd.grad(y, (x, w, b), upstream) for y in (chosen, expected))
    torch.testing.assert_close(ours, theirs)


def test_examples_that_need_no_gradient_get_none():
    flat, _ = entries()
    linear = DeferredLinear(leaf(B, D).detach(), leaf(L, D), leaf(L))
    chosen_outputs(linear, linear.compute().detach(), flat).sum().backward()
    assert linear.features.grad is None
    assert (linear.weight.grad != 0).any()


def test_a_sum_of_directions_has_autograds_gradients():
    flat, starts = entries()
    values, directions, upstream = leaf(len(flat)), leaf(L, D, seed=2), leaf(B, D, seed=3).detach()
    code = SparseCode(values, flat % L, starts, L)
    ours, dense = sum_of_directions(code, directions), code.to_dense() / directions.norm(dim=1) @ directions
    torch.testing.assert_close(ours, dense)
    torch.testing.assert_close(
        torch.autograd.grad(ours, (values, directions), upstream),
        torch.autograd.grad(dense, (values, directions), upstream),
    )


def test_the_gradient_of_a_dictionary_keeps_the_lengths_of_its_directions():
    flat, starts = entries()
    dictionary = Dictionary((D,), L).double()
    dictionary(SparseCode(leaf(len(flat)), flat % L, starts, L)).square().sum().backward()
    along = (dictionary.directions.grad * dictionary.directions).sum(1)
    torch.testing.assert_close(along, torch.zeros_like(along))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(("n_units", "k"), [(256, 3), (256, 8), (250, 8), (16, 4)])
def test_the_largest_units_are_those_of_topk(dtype, n_units, k):
    h = torch.randn(50, n_units, generator=torch.Generator().manual_seed(0)).to(dtype)
    h[0, :5] = 7.0  # ties
    h[1] = -h[1].abs()
    h[2, 5] = h[2].new_tensor(-0.0)
    ours = h.gather(1, largest_units(h, k))
    assert torch.equal(ours.relu().sort(1).values, h.topk(k, dim=1).values.relu().sort(1).values)
    assert all(len(row.unique()) == k for row in largest_units(h, k))


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("has_dead", [True, False], ids=["dead", "alive"])
def test_a_sparse_code_is_the_dense_one_with_the_same_gradients(kind, training, has_dead):
    x = leaf(40, D)
    dictionary = Dictionary((D,), L).double()
    torch.manual_seed(0)
    layer = nn.Linear(D, L).double()
    results = []
    for is_sparse in (True, False):
        bottleneck = CODES[kind]().double()
        if has_dead:
            bottleneck.idle[::3] = 100
        bottleneck.update_dead_units()
        bottleneck.train(training)
        h = DeferredLinear(x, layer.weight, layer.bias)
        code = bottleneck(h if is_sparse else h.compute())
        assert (code.sparse is not None) == is_sparse
        out = dictionary(code.sparse if code.sparse is not None else code.z)
        if code.aux_code is not None:
            out = out + dictionary.sum_units(code.aux_code)
        if code.gate_code is not None:
            gates = (
                code.gate_code
                if isinstance(code.gate_code, SparseCode)
                else SparseCode.of_rows(code.gate_code, torch.arange(L).expand(40, L), L)
            )
            out = out + dictionary(gates)
        cost = sum((value.sum() for value in code.costs.values()), out.square().sum())
        inputs = [x, *layer.parameters(), *dictionary.parameters(), *(bottleneck.parameters() if training else ())]
        gradients = torch.autograd.grad(cost, inputs)
        results.append((code.z, out, code.costs, gradients, dict(bottleneck.state_dict())))
        assert (code.aux_code is not None) == (training and has_dead)
    torch.testing.assert_close(*results)
