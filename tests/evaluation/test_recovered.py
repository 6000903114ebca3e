"""The loss of networks with replaced activations, against closed forms."""

import math
from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

import narrows
from narrows.data.edits import replace_tensor
from narrows.evaluation.recovered import compute_divergence, recovered_loss


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4))


@pytest.fixture(scope="module")
def inputs():
    """12 batches of different sizes."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(20 + i, 6, generator=generator) for i in range(12)]


def labels(x):
    return (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()


def test_the_shares_of_known_edits(network, inputs):
    with torch.no_grad():
        hidden = [torch.tanh(network[0](x)) for x in inputs]
        targets = {id(h): labels(x) for h, x in zip(hidden, inputs, strict=True)}
        n = {len(h): t for h, t in zip(hidden, targets.values(), strict=True)}

    def loss(h):
        logits = network[2](h)
        return cross_entropy(logits, n[len(h)]), logits

    found = recovered_loss(lambda h: h / 2, loss, hidden)
    everything, y = torch.cat(hidden), torch.cat(list(n.values()))
    with torch.no_grad():
        versions = {"clean": everything, "reconstructed": everything / 2, "zero": 0 * everything}
        versions["mean"] = everything.mean(0).expand(everything.shape)
        for name, h in versions.items():
            assert getattr(found, name) == pytest.approx(float(cross_entropy(network[2](h), y)), rel=1e-5), name
        logits = log_softmax(network[2](everything), -1), log_softmax(network[2](everything / 2), -1)
        wanted = kl_div(logits[1], logits[0], log_target=True, reduction="batchmean")
    # a mean over batches by their sizes
    assert found.kl == pytest.approx(float(wanted), rel=1e-4)
    recovered = (found.zero - found.reconstructed) / (found.zero - found.clean)
    assert found.recovered.value == pytest.approx(recovered, rel=1e-6)
    assert found.n_batches == 12
    assert found.n_rows == len(everything)
    assert recovered_loss(lambda h: h, loss, hidden).recovered_kl == 1
    assert recovered_loss(torch.zeros_like, loss, hidden).recovered.value == pytest.approx(0, abs=1e-6)
    assert "recovered" in repr(found)


def test_a_hooked_model_gives_the_same(network, inputs):
    def loss(x):
        logits = network(x)
        return cross_entropy(logits, labels(x)), logits

    with torch.no_grad():
        hidden = [torch.tanh(network[0](x)) for x in inputs]
        y = {len(x): labels(x) for x in inputs}

    def rest(h):
        return cross_entropy(network[2](h), y[len(h)]), network[2](h)

    sae = narrows.SAE(24, k=4, max_epochs=20, learning_rate=1e-2, random_state=0).fit(torch.cat(hidden).numpy())
    with narrows.hook(network, "1") as hooked:
        found = recovered_loss(sae, loss, inputs, hooked=hooked)
    same = recovered_loss(sae, rest, hidden)
    for a, b in zip(found[:4] + found[6:9], same[:4] + same[6:9], strict=True):
        assert a == pytest.approx(b, rel=1e-5)
    assert 0 < found.recovered.value < 1 or found.clean > found.reconstructed
    assert found.recovered.low < found.recovered.value < found.recovered.high
    assert 0 < found.kl < found.kl_zero


def test_only_a_loss_or_only_logits(network, inputs):
    with torch.no_grad():
        hidden = [torch.tanh(network[0](x)) for x in inputs[:3]]
    number = recovered_loss(lambda h: h, lambda h: float(h.square().mean()) * -1, hidden)
    assert math.isnan(number.kl)
    assert number.recovered.value == 1
    assert math.isnan(number.recovered.low), "3 batches give no interval"
    logits = recovered_loss(lambda h: h * 0.9, network[2], lambda: iter(hidden))
    assert math.isnan(logits.clean)
    assert math.isnan(logits.recovered.value)
    assert logits.kl > 0
    assert repr(logits).startswith(f"RecoveredLoss({logits.recovered_kl:.3f} of the KL recovered: ")
    assert math.isnan(recovered_loss(lambda h: h, lambda h: 0 * h, hidden).recovered_kl), "zeros change nothing"


@pytest.mark.parametrize("is_flat", [False, True])
def test_padding_does_not_count(is_flat):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Linear(8, 4)).requires_grad_(False)
    batches = [torch.randn(n, 5, 3) for n in (2, 3)]
    is_token = {n: torch.arange(5).expand(n, 5) < torch.arange(2, 2 + n)[:, None] for n in (2, 3)}

    def loss(x):
        logits = network(x)
        logits = logits * (1 + logits[:, :1])  # a layer that mixes tokens, so that the logits of padding change, too
        return logits.reshape(-1, 4) if is_flat else logits

    with narrows.hook(network, "0", mask=lambda x: is_token[len(x)]) as hooked:
        found = recovered_loss(lambda h: h / 2, loss, batches, hooked=hooked)
    total, n = 0.0, 0
    for x in batches:
        first = network[0](x)
        edited = torch.where(is_token[len(x)][..., None], first / 2, first)
        clean, changed = (network[1](h) * (1 + network[1](h)[:, :1]) for h in (first, edited))
        p, q = (logits.log_softmax(-1)[is_token[len(x)]] for logits in (clean, changed))
        total, n = total + float(kl_div(q, p, log_target=True, reduction="sum")), n + len(p)
    assert n == found.n_rows == 14
    assert found.kl == pytest.approx(total / n, rel=1e-4)


def test_wrong_use(network, inputs):
    with pytest.raises(TypeError, match="read twice"):
        recovered_loss(lambda h: h, network, iter(inputs))
    with pytest.raises(ValueError, match="holds no batch"):
        recovered_loss(lambda h: h, network, [])
    with pytest.raises(TypeError, match="fitted estimator or a function"):
        recovered_loss(3, network, inputs)
    for wrong, named in (("1.3", "str"), (None, "NoneType"), ((None, torch.ones(3)), "tuple of NoneType and Tensor")):
        with pytest.raises(TypeError, match=rf"`loss` parameter of recovered_loss must return .* Got {named}\."):
            recovered_loss(lambda h: h, lambda h, wrong=wrong: wrong, inputs)
    with narrows.hook(network, ["0", "1"]) as hooked, pytest.raises(ValueError, match="`layer` parameter of replace"):
        recovered_loss(lambda h: h, network, inputs, hooked=hooked)


def test_divergence_of_two_coins():
    p, q = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    wanted = (p * np.log(p / q)).sum()
    assert compute_divergence(torch.tensor(p).log(), torch.tensor(q).log() + 7) == pytest.approx(wanted)


def test_replacing_ends_with_the_block(network, inputs):
    before = network(inputs[0])
    with narrows.hook(network, "1") as hooked:
        with hooked.replace(lambda h: 0 * h):
            assert torch.equal(network(inputs[0]), network[2].bias.expand(20, 4))
            assert torch.equal(next(iter(hooked.blocks([inputs[0]]))), torch.tanh(network[0](inputs[0])))
        assert torch.equal(network(inputs[0]), before)
        with pytest.raises(ValueError, match="must have their shape"), hooked.replace(lambda h: h[:1]):
            network(inputs[0])
    assert torch.equal(network(inputs[0]), before)


def test_tokens_outside_the_mask_keep_their_activations():
    network, x = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Identity()), torch.randn(4, 5, 3)
    behind_first = torch.arange(5).expand(4, 5) > 0
    with narrows.hook(network, "0", mask=lambda batch: behind_first) as hooked:
        with hooked.replace(lambda rows: 0 * rows[:16] if len(rows) == 16 else rows):
            changed = network(x)
        rows = next(iter(hooked.blocks([x])))
    assert torch.equal(changed[:, 0], x[:, 0].tanh())
    assert changed[:, 1:].abs().sum() == 0
    assert torch.equal(rows, x[:, 1:].tanh().reshape(16, 3))


def test_outputs_of_several_tensors():
    pair = namedtuple("pair", "a b")
    one = torch.ones(2, 3, 4)
    for output in ((one, 5), [one, 5], pair(one, 5)):
        edited = replace_tensor(output, lambda x: 2 * x)
        assert type(edited) is type(output)
        assert torch.equal(edited[0], 2 * one)
        assert edited[1] == 5
    assert torch.equal(replace_tensor({"x": one, "y": None}, lambda x: 2 * x)["x"], 2 * one)
    with pytest.raises(ValueError, match="must return a tensor"):
        replace_tensor("text", lambda x: x)
