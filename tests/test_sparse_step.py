"""The sparse step: hand-written gradients against autograd's, and sparse codes against dense ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from narrows import SAE, recipes
from narrows.bottlenecks import BatchTopK, Gated, Gaussian, Joint, JumpReLU, Label, Plain, TopK, normal_threshold
from narrows.corruptions import Nothing
from narrows.data import infer, weigh_rows
from narrows.evaluation.scores import N_DRAWS, draws, log_likelihood
from narrows.likelihoods import Gaussian as GaussianLikelihood
from narrows.model import Autoencoder, infer_label, log_prob_by_label
from narrows.networks import Dictionary, FreeDictionary, MLPEncoder, UnitEncoder
from narrows.networks.sparse import chosen_outputs, largest_units, sum_of_directions
from narrows.objectives import GateReconstruction, ImportanceWeighted, Prefixes
from narrows.types import Batch, DeferredLinear, SparseCode

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
            out = out + dictionary(code.aux_code)
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


@pytest.mark.parametrize("kind", CODES)
def test_the_health_of_sparse_codes_is_that_of_dense_ones(kind):
    torch.manual_seed(0)
    x, layer, bottleneck = torch.randn(40, D), nn.Linear(D, L), CODES[kind]().eval()
    h = DeferredLinear(x, layer.weight, layer.bias)
    with torch.no_grad():
        codes = [bottleneck(h._replace(features=part)).sparse for part in x.split(16)]
        assert bottleneck.health_of_codes(codes) == pytest.approx(bottleneck.health(h.compute()))


# ------------------------------------------------------------------------------------------------- which are active


def test_batchtopk_shares_k_times_the_batch_among_its_rows():
    h = torch.randn(64, 40, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.2, 3, 64)[:, None]
    code = BatchTopK(40, 4)
    z = code(h).z
    assert int((z > 0).sum()) == 4 * 64
    assert (z[z > 0].min() >= h[z == 0].max()).item()  # the largest of the batch
    assert (z[-1] > 0).sum() > (z[0] > 0).sum()


def test_batchtopk_does_not_depend_on_the_batch_at_inference():
    torch.manual_seed(0)
    code = BatchTopK(40, 4)
    for _ in range(200):
        code(torch.randn(64, 40))
    code.eval()
    h = torch.randn(64, 40)
    whole = code.encode(h)
    assert torch.equal(whole[5:6], code.encode(h[5:6]))
    assert torch.equal(whole, h * (h >= code.threshold))
    assert torch.equal(whole, code(h).z)
    assert 3.5 < float((code.encode(torch.randn(5_000, 40)) > 0).sum(1).double().mean()) < 4.5


def test_batchtopk_learns_the_mean_of_the_smallest_active_number():
    torch.manual_seed(0)
    code, smallest = BatchTopK(40, 4), []
    for _ in range(20):
        z = code(torch.randn(64, 40)).z
        smallest.append(z[z > 0].min())
    torch.testing.assert_close(code.threshold, torch.stack(smallest).mean())


@pytest.mark.parametrize("name", ["threshold", "count"])
def test_the_gradient_of_a_threshold_is_that_of_the_window(name):
    """The formulas of Rajamanoharan et al. (2024), eq. 11 and 12, entry by entry."""
    code = JumpReLU(4, 2, window=0.5).double()
    with torch.no_grad():
        code.threshold.copy_(torch.tensor([0.5, 1.0, 1.5, 2.0]))
    h = torch.tensor([[0.6, 0.9, 0.2, 1.76], [1.0, 1.2, 1.4, 3.0]], dtype=torch.float64, requires_grad=True)
    upstream = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], dtype=torch.float64)
    is_near = (h - code.threshold).abs() < 0.25
    output = code(h)
    if name == "threshold":
        (output.z * upstream).sum().backward()
        torch.testing.assert_close(code.threshold.grad, (-code.threshold / 0.5 * is_near * upstream).sum(0))
        torch.testing.assert_close(h.grad, upstream * (h > code.threshold))
    else:
        output.costs["l0"].mean().backward()  # which has no gradient to h
        share = (h > code.threshold).sum(1).double().mean() / 2
        expected = 2 * (share - 1) * -(is_near.double() / 0.5).sum(0) / (2 * 2)  # mean over two rows, relative to k = 2
        torch.testing.assert_close(code.threshold.grad, expected)
        assert h.grad is None


def test_a_normal_threshold_lets_k_units_through():
    h = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    for k, n in ((16, 256), (32, 3072), (1, 2)):
        assert float((h > normal_threshold(k, n)).double().mean()) == pytest.approx(k / n, rel=0.1)
    assert normal_threshold(3, 4) == 0


@pytest.mark.parametrize("make", [lambda: Dictionary((5,), 8), lambda: FreeDictionary(5, 8), lambda: nn.Linear(8, 5)])
def test_gates_are_reconstructed_by_a_constant_decoder(make):
    torch.manual_seed(0)
    bottleneck, dictionary = Gated(8), make()
    model = Autoencoder(Nothing(), nn.Linear(5, 8), bottleneck, dictionary, GaussianLikelihood())
    x = torch.randn(30, 5)
    output = model(Batch(x, x))
    cost = GateReconstruction()(model, Batch(x, x), output).value
    gates = model.encoder(x).relu()
    torch.testing.assert_close(cost, -model.likelihood.score(dictionary(gates), x))
    cost.sum().backward()
    assert all(parameter.grad is None for parameter in dictionary.parameters())
    assert (model.encoder.weight.grad != 0).any()
    assert bottleneck.log_scale.grad is None


def test_a_gated_code_opens_by_its_gate_and_has_its_own_magnitude():
    code = Gated(3)
    with torch.no_grad():
        code.log_scale.copy_(torch.tensor([0.0, 1.0, 0.0]))
        code.shift.copy_(torch.tensor([0.5, 0.0, -9.0]))
    z = code.encode(torch.tensor([[-0.1, 2.0, 3.0], [0.2, -1.0, 10.0]]))
    torch.testing.assert_close(z, torch.tensor([[0.0, 2 * torch.e, 0.0], [0.7, 0.0, 1.0]]))


@pytest.mark.parametrize("sizes", [(3, 7), (1,), (12,), (2, 5, 9)])
def test_prefixes_are_decoded_from_the_first_units_alone(sizes):
    flat, starts = entries()
    dictionary = Dictionary((D,), L).double()
    nn.init.normal_(dictionary.bias)
    code = SparseCode(leaf(len(flat)), flat.sort().values % L, starts, L)
    ours = dictionary.sum_prefixes(code, sizes)
    dense = torch.stack([dictionary(code.to_dense() * (torch.arange(L) < m)) for m in sizes], 1)
    torch.testing.assert_close(ours, dense)
    inputs = (code.values, *dictionary.parameters())
    theirs = torch.autograd.grad(dense.square().sum(), inputs)
    torch.testing.assert_close(torch.autograd.grad(ours.square().sum(), inputs), theirs)


def test_the_cost_of_prefixes_is_the_same_for_a_dense_code():
    torch.manual_seed(0)
    x = torch.randn(30, D)
    schema = infer(x.numpy(), "test")
    encoder, dictionary, values = MLPEncoder(schema, L, ()), Dictionary((D,), L), []
    for decoder in (dictionary, Dense(dictionary)):
        model = Autoencoder(Nothing(), encoder, BatchTopK(L, 3), decoder, GaussianLikelihood())
        output = model(Batch(x, x))
        assert (output.code.sparse is not None) == (decoder is dictionary)
        values.append(Prefixes((3, 7))(model, Batch(x, x), output).value)
    torch.testing.assert_close(*values)


class Dense(nn.Module):
    """A dictionary that takes dense codes only."""

    def __init__(self, dictionary: Dictionary) -> None:
        super().__init__()
        self.dictionary = dictionary

    def forward(self, z: Tensor) -> Tensor:
        return self.dictionary(z)


@pytest.mark.parametrize(
    ("sparsity", "lengths"), [("topk", (0.1, 0.3)), ("batchtopk", (0.1, 0.3)), ("jumprelu", (1, 1)), ("l1", (1, 1))]
)
def test_codes_that_go_by_order_start_short(sparsity, lengths):
    """Lengths change no choice of units, and a direction adds as much as one of unit length."""
    torch.manual_seed(0)
    x = torch.randn(20, D)
    model = recipes.get("sae").make(infer(x.numpy(), "test"), L, sparsity=sparsity, k=3).model
    directions, rows = model.decoder.directions.detach(), model.encoder.layers[0].weight.detach()
    for matrix, length in zip((directions, rows), lengths, strict=True):
        torch.testing.assert_close(matrix.norm(dim=1), torch.full((L,), float(length)))
    torch.testing.assert_close(directions / lengths[0], rows / lengths[1])  # each unit responds to what it adds
    z = torch.eye(L)
    torch.testing.assert_close((model.decoder(z) - model.decoder.output_bias).norm(dim=1), torch.ones(L))


# ------------------------------------------------------------------------------------------------- whole trainings


def fitted(X: np.ndarray, **parameters: object) -> SAE:
    values = {"n_components": 48, "k": 4, "max_epochs": 30, "batch_size": 64, "random_state": 0, "device": "cpu"}
    return SAE(**{**values, "precision": "float32", "compile": False, "verbose": 0, **parameters}).fit(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sparsity", ["topk", "batchtopk", "jumprelu", "gated", "matryoshka"])
def test_a_training_with_sparse_codes_is_the_one_with_dense_ones(sparsity, monkeypatch):
    X = sums_of_few(600)
    sparse = fitted(X, sparsity=sparsity, max_epochs=4)
    monkeypatch.setattr(MLPEncoder, "defer", lambda self, x: None)
    dense = fitted(X, sparsity=sparsity, max_epochs=4)
    assert sparse.history_[-1]["l0"] == pytest.approx(dense.history_[-1]["l0"], abs=0.3)
    assert sparse.history_[-1]["dead_fraction"] == pytest.approx(dense.history_[-1]["dead_fraction"], abs=0.05)
    np.testing.assert_allclose(sparse.score_samples(X).mean(), dense.score_samples(X).mean(), atol=0.2)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sparsity", ["batchtopk", "jumprelu", "matryoshka"])
def test_k_units_are_active_on_average_for_new_rows(sparsity):
    X = sums_of_few(2_600)
    model = fitted(X[:2_000], sparsity=sparsity, max_epochs=30)
    assert 2.8 < model.active_units(X[2_000:]).count.mean() < 5.2


def sums_of_few(n: int) -> np.ndarray:
    """Rows that are sums of few of 32 directions, with a little noise."""
    rng = np.random.default_rng(0)
    directions = np.random.default_rng(1).normal(size=(32, 16))
    return (rng.random((n, 32)) < 0.1) * rng.uniform(1, 2, (n, 32)) @ directions + 0.05 * rng.normal(size=(n, 16))


@pytest.mark.slow
def test_the_first_of_nested_units_reconstruct_most():
    X = sums_of_few(1_000)
    errors = {}
    for sparsity in ("batchtopk", "matryoshka"):
        model = fitted(X, sparsity=sparsity, prefixes=(12, 24), max_epochs=40)
        Z = model.transform(X)
        Z[:, 12:] = 0
        errors[sparsity] = float(((model.inverse_transform(Z) - X) ** 2).mean())
    assert errors["matryoshka"] < 0.8 * errors["batchtopk"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sparsity": "matryoshka", "prefixes": (4, 99)}, "`prefixes` parameter of SAE must be at most n_components"),
        ({"patience": 0}, "patience"),
        ({"n_aux": 0}, "n_aux"),
        ({"aux_weight": -1.0}, "aux_weight"),
        ({"sparsity": "top"}, "sparsity"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        fitted(sums_of_few(60), **parameters)


def test_patience_follows_the_expected_firings():
    schema = infer(sums_of_few(60), "test")
    for values, expected in (({"k": 4}, 200 * 12_288 // 4), ({"k": 12_288}, 5_000), ({"k": 4, "patience": 77}, 77)):
        parts = recipes.get("sae").make(schema, 12_288, n_aux=10, aux_weight=0.5, **values)
        assert parts.model.bottleneck.patience == expected
        assert parts.model.bottleneck.n_aux == 10
        assert [cost.weight for cost in parts.objective.pass_costs()] == [0.5]


@pytest.mark.parametrize("scaling", ["layer_norm", "constant_norm"])
def test_prefixes_and_gates_have_the_scale_of_the_rows(scaling):
    torch.manual_seed(0)
    encoder, dictionary = UnitEncoder(5, 8, scaling=scaling), FreeDictionary(5, 8, scaling=scaling)
    model = Autoencoder(Nothing(), encoder, Gated(8), dictionary, GaussianLikelihood())
    x = 10 * torch.randn(30, 5) + 3
    batch, z = Batch(x, x), model(Batch(x, x)).code.z
    some = z * (torch.arange(8) < 3)
    for cost, code in ((Prefixes([3]), some), (GateReconstruction(), encoder(x).relu())):
        weight = weigh_rows(x, scaling)  # in the loss, rows count as if they were scaled
        expected = -model.likelihood.score(dictionary.undo_scaling(dictionary(code), x), x, weight)
        torch.testing.assert_close(cost(model, batch, model(batch)).value, expected)


@pytest.mark.parametrize("scaling", ["layer_norm", "constant_norm"])
def test_labels_and_scores_have_the_scale_of_the_rows(scaling):
    torch.manual_seed(0)
    x = 10 * torch.randn(30, 5) + 3
    for free in (Plain(4), Gaussian(4)):
        encoder, dictionary = (
            UnitEncoder(5, free.n_inputs, scaling=scaling),
            FreeDictionary(5, 6, scaling=scaling),
        )
        label = Label((0.5, 0.5))
        model = Autoencoder(Nothing(), encoder, Joint(free, label), dictionary, GaussianLikelihood()).eval()
        with torch.no_grad():
            z, y = model.bottleneck.encode(encoder(x)), torch.eye(2)
            decoded = [dictionary.undo_scaling(dictionary(torch.cat([z, row.expand(30, 2)], 1)), x) for row in y]
            expected = torch.stack([model.likelihood.score(params, x) for params in decoded], 1)
            torch.testing.assert_close(log_prob_by_label(model, z, x), expected)
            assert torch.equal(infer_label(model, x).argmax(1), expected.argmax(1))
            scores = expected.amax(1)
            if isinstance(free, Gaussian):
                scores, columns = torch.zeros(30), y[expected.argmax(1)]
                for eps in draws(4, N_DRAWS):
                    z, log_q, log_p = free.sample(encoder(x), eps.to(x).expand(30, -1))
                    params = dictionary.undo_scaling(dictionary(torch.cat([z, columns], 1)), x)
                    scores += (log_p - log_q + model.likelihood.score(params, x)) / N_DRAWS
            torch.testing.assert_close(log_likelihood(model, x), scores + np.log(0.5))
    with pytest.raises(ValueError, match="leave `scaling` out"):
        ImportanceWeighted().check(model)


def test_an_encoder_of_units_fills_gaps_while_it_learns():
    encoder, x = UnitEncoder(5, 8, scaling="constant_norm").train(), torch.randn(4, 5)
    x[0, 1] = torch.nan
    torch.testing.assert_close(encoder(x), encoder(x.nan_to_num(0.0)))


def test_wide_encoders_ask_for_smaller_blocks():
    schema = infer(np.zeros((3, 5), np.float32) + np.arange(3, dtype=np.float32)[:, None], "Test")
    for n in (2048, 2049):
        for encoder in (UnitEncoder(5, n), MLPEncoder(schema, n, ())):
            assert encoder.n_widest == (n if n > 2048 else 0)


def test_a_threshold_below_0_is_0():
    code, h = JumpReLU(3).eval(), torch.tensor([[-0.01, 0.02, -1.0]])
    with torch.no_grad():
        code.threshold.fill_(-0.05)
    assert code.encode(h).tolist() == [[0, pytest.approx(0.02), 0]]
    assert code(h).z.tolist() == [[0, pytest.approx(0.02), 0]]
