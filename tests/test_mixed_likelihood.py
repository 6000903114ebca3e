"""The likelihood of tables against independent references: each column is the distribution of torch for its kind."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Categorical, NegativeBinomial, Normal

from narrows.data import MeanFeatures, infer_table, open_frame
from narrows.data.schema import Schema
from narrows.likelihoods import Mixed
from narrows.networks import Standardize

N = 400
UNSEEN = 1e-4  # probability of a level that was not seen in training
rng = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "city": rng.choice(["a", "b", "c"], N, p=[0.5, 0.3, 0.2]),
        "real": rng.normal(5, 2, N),
        "visits": rng.poisson(2, N),
        "gains": np.where(rng.random(N) < 0.6, 0.0, rng.normal(50, 3, N)),
        "flag": rng.random(N) < 0.3,
        "price": np.exp(2 * rng.normal(size=N)),
        "calls": rng.poisson(1, N),
        "code": [f"c{i}" for i in rng.permutation(600)[np.arange(N) % 600]],
    }
)
LEVELS = [f"c{i}" for i in range(600)]


def make_schema(frame: pd.DataFrame) -> tuple[torch.Tensor, Schema]:
    rows, schema = infer_table(open_frame(frame, "test"), "test", {"code": "categorical"}, max_levels=None)
    return schema.prepare(torch.from_numpy(np.array(rows)), torch.float64), schema


@pytest.fixture(scope="module")
def case() -> tuple[torch.Tensor, Schema]:
    big = pd.concat([FRAME, FRAME], ignore_index=True)
    big["code"] = [LEVELS[i % 600] for i in range(len(big))]
    return make_schema(big)


def make(schema: Schema, heteroscedastic: bool = False) -> Mixed:
    """The likelihood in double precision, with scales and dispersions of its own for each column."""
    torch.manual_seed(0)
    likelihood = Mixed(schema, heteroscedastic).double()
    with torch.no_grad():
        likelihood.variance.copy_(torch.linspace(0.2, 0.9, len(likelihood.variance)))
        likelihood.log_dispersion.copy_(torch.linspace(-0.5, 0.7, len(likelihood.log_dispersion)))
        for bias in likelihood.biases:
            bias.normal_()
    return likelihood


def make_params(likelihood: Mixed, n: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(n, *likelihood.params_shape(()), generator=torch.manual_seed(1), dtype=torch.float64)


def split(schema: Schema, likelihood: Mixed, params: torch.Tensor) -> dict[str, torch.Tensor]:
    """The decoder's output of each column, by name; by "atom of" and "scale of" its further numbers."""
    names = [column.name for column in schema.used_columns]
    kinds = {column.name: column for column in schema.used_columns}
    numeric = [n for n in names if not kinds[n].has_levels and kinds[n].kind != "count"]
    sizes = [(n, 1) for n in numeric] + [(n, 1) for n in names if kinds[n].kind == "count"]
    sizes += [(f"atom of {n}", 1) for n in numeric if kinds[n].atom is not None]
    sizes += [(n, kinds[n].n_levels) for n in names if kinds[n].has_levels and kinds[n].n_levels <= 512]
    sizes += [(n, 32) for n in names if kinds[n].has_levels and kinds[n].n_levels > 512]
    sizes += [(f"scale of {n}", 1) for n in numeric if likelihood.heteroscedastic]
    return dict(zip([n for n, _ in sizes], params.split([size for _, size in sizes], 1), strict=True))


def reference(schema: Schema, likelihood: Mixed, params: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """log p of each cell by the distributions of torch."""
    outputs = split(schema, likelihood, params)
    variances, dispersions = iter(likelihood.variance), iter(likelihood.log_dispersion)
    nats = []
    for j, column in enumerate(schema.used_columns):
        o, cell = outputs[column.name], x[:, j]
        if column.has_levels:
            if column.n_levels > 512:
                o = o @ likelihood.vectors[0].T + likelihood.biases[0]
            is_seen = cell < column.n_levels
            known = Categorical(logits=o).log_prob(cell.clamp(max=column.n_levels - 1).long()) + math.log1p(-UNSEEN)
            nats.append(torch.where(is_seen, known, math.log(UNSEEN)))
        elif column.kind == "count":
            dispersion = next(dispersions).exp()
            logits = o[:, 0] - dispersion.log()  # the mean is dispersion * exp(logits)
            nats.append(NegativeBinomial(dispersion, logits=logits).log_prob(cell))
        else:
            std = next(variances).sqrt()
            if likelihood.heteroscedastic:
                floor = math.log(1e-2)
                std = (floor + F.softplus(outputs[f"scale of {column.name}"][:, 0] - floor)).exp()
            normal = Normal(o[:, 0], std).log_prob(cell)
            if column.atom is not None:
                share = Bernoulli(logits=outputs[f"atom of {column.name}"][:, 0])
                atom = (column.atom - column.center) / column.scale
                holds = ((cell - atom).abs() < 1e-6).double()
                normal = share.log_prob(holds) + (1 - holds) * normal
            nats.append(normal)
    return torch.stack(nats, 1)


def test_the_columns_are_of_all_kinds(case):
    kinds = {column.name: column.kind for column in case[1].used_columns}
    assert kinds == {
        "city": "categorical",
        "real": "real",
        "visits": "count",
        "gains": "real",
        "flag": "binary",
        "price": "heavy_tailed",
        "calls": "count",
        "code": "categorical",
    }
    columns = {column.name: column for column in case[1].used_columns}
    assert columns["gains"].atom == 0
    assert columns["code"].n_levels == 600


@pytest.mark.parametrize("heteroscedastic", [False, True])
def test_log_prob_is_that_of_the_reference(case, heteroscedastic):
    x, schema = case
    likelihood = make(schema, heteroscedastic)
    params = make_params(likelihood, len(x))
    x = x.clone()
    x[3, 0], x[4, 4], x[5, 7] = 3, 2, 600  # levels that were not seen in training
    with torch.no_grad():
        nats = likelihood.log_prob(params, x)
    assert nats.shape == x.shape
    torch.testing.assert_close(nats, reference(schema, likelihood, params, x), rtol=1e-9, atol=1e-9)
    assert nats[3, 0] == nats[4, 4] == nats[5, 7] == math.log(UNSEEN)


def test_the_features_of_a_soft_mean_are_those_that_the_link_is_given(case):
    """Half of the features of an example are those of a mean between the example and the mean of all."""
    x, schema = case
    standardize = Standardize(schema)
    u = standardize(x[:20])[:, : standardize.n_shared].detach() / 2
    params = make(schema).link(schema)(u)
    assert float(u.std(0).min()) > 0
    torch.testing.assert_close(MeanFeatures(schema)(make(schema).soft_mean(params)), u, rtol=1e-4, atol=1e-4)


def test_the_params_are_one_number_for_each_number_count_atom_and_level(case):
    _, schema = case
    assert Mixed(schema).params_shape(()) == (3 + 2 + 1 + (3 + 2) + 32,)
    assert Mixed(schema, heteroscedastic=True).params_shape(()) == (3 + 2 + 1 + (3 + 2) + 32 + 3,)


@pytest.mark.parametrize("name", ["city", "flag", "code"])
def test_levels_sum_to_one(case, name):
    x, schema = case
    likelihood = make(schema)
    j = schema.columns.index(name)
    n = schema.used_columns[j].n_levels
    params = make_params(likelihood, 1).expand(n + 1, -1)
    cells = x[:1].repeat(n + 1, 1)
    cells[:, j] = torch.arange(n + 1)  # with the slot of unseen levels
    with torch.no_grad():
        probs = likelihood.log_prob(params, cells)[:, j].exp()
        torch.testing.assert_close(likelihood.level_probs(params[:1], j)[0], probs[:-1] / (1 - UNSEEN))
    assert float(probs.sum()) == pytest.approx(1, abs=1e-12)
    assert float(probs[-1]) == pytest.approx(UNSEEN)


@pytest.mark.parametrize("name", ["visits", "calls"])
def test_counts_sum_to_one(case, name):
    x, schema = case
    likelihood = make(schema)
    j = schema.columns.index(name)
    params = make_params(likelihood, 1).expand(5000, -1)
    cells = x[:1].repeat(5000, 1)
    cells[:, j] = torch.arange(5000)
    with torch.no_grad():
        assert float(likelihood.log_prob(params, cells)[:, j].exp().sum()) == pytest.approx(1, abs=1e-9)


def test_mean_is_the_mean_or_the_likeliest_level(case):
    _, schema = case
    likelihood = make(schema)
    params = make_params(likelihood, 50)
    outputs = split(schema, likelihood, params)
    with torch.no_grad():
        means = dict(zip(schema.columns, likelihood.mean(params).T, strict=True))
        logits = outputs["code"] @ likelihood.vectors[0].T + likelihood.biases[0]
    for name in ("city", "flag"):
        torch.testing.assert_close(means[name], outputs[name].argmax(1).double())
    torch.testing.assert_close(means["code"], logits.argmax(1).double())
    torch.testing.assert_close(means["visits"], outputs["visits"][:, 0].exp())
    torch.testing.assert_close(means["real"], outputs["real"][:, 0])
    column = schema.used_columns[schema.columns.index("gains")]
    atom = torch.tensor((column.atom - column.center) / column.scale, dtype=torch.float64)
    expected = torch.where(outputs["atom of gains"][:, 0] > 0, atom, outputs["gains"][:, 0])
    torch.testing.assert_close(means["gains"], expected, rtol=1e-5, atol=1e-5)


def test_samples_have_the_frequencies_and_moments(case):
    _, schema = case
    likelihood = make(schema)
    n = 40_000
    one = make_params(likelihood, 1, scale=0.5)
    outputs = split(schema, likelihood, one)
    torch.manual_seed(0)
    with torch.no_grad():
        draws = dict(zip(schema.columns, likelihood.sample(one.expand(n, -1)).T, strict=True))
    for name in ("city", "flag"):
        shares = torch.bincount(draws[name].long(), minlength=outputs[name].shape[1]) / n
        torch.testing.assert_close(shares.double(), outputs[name][0].softmax(0), rtol=0, atol=0.01)
    for i, name in enumerate(("visits", "calls")):
        mean, r = outputs[name][0].exp(), likelihood.log_dispersion[i].detach().exp()
        assert float(draws[name].mean()) == pytest.approx(float(mean), rel=0.05)
        assert float(draws[name].var()) == pytest.approx(float(mean + mean**2 / r), rel=0.1)
    assert float(draws["real"].mean()) == pytest.approx(float(outputs["real"]), abs=0.02)
    assert float(draws["real"].var()) == pytest.approx(float(likelihood.variance[0]), rel=0.03)
    column = schema.used_columns[schema.columns.index("gains")]
    is_atom = (draws["gains"] - (column.atom - column.center) / column.scale).abs() < 1e-5
    assert float(is_atom.double().mean()) == pytest.approx(float(outputs["atom of gains"].sigmoid()), abs=0.01)
    assert float(draws["gains"][~is_atom].mean()) == pytest.approx(float(outputs["gains"]), abs=0.02)


@pytest.mark.parametrize("heteroscedastic", [False, True])
def test_inverse_mean_decodes_to_the_means_and_the_frequencies(case, heteroscedastic):
    x, schema = case
    likelihood = make(schema, heteroscedastic)
    with torch.no_grad():
        for bias, column in zip(likelihood.biases, [schema.used_columns[-1]], strict=True):
            bias.copy_(torch.tensor(column.frequencies).log())
        params = likelihood.inverse_mean(x.mean(0))[None]
        decoded = likelihood.mean(params)[0]
    assert params.shape == (1, *likelihood.params_shape(()))
    for j, column in enumerate(schema.used_columns):
        if column.has_levels:
            with torch.no_grad():
                probs = likelihood.level_probs(params, j)[0]
            np.testing.assert_allclose(probs, column.frequencies, rtol=1e-4)
        elif column.atom is None:
            assert float(decoded[j]) == pytest.approx(float(x[:, j].mean()), rel=1e-6, abs=1e-9)
    share = split(schema, likelihood, params)["atom of gains"].sigmoid()
    gains = next(column for column in schema.used_columns if column.name == "gains")
    assert float(share) == pytest.approx(gains.atom_share, abs=1e-6)


def test_the_scale_of_each_column_is_its_weighted_mean_squared_error(case):
    x, schema = case
    likelihood = make(schema)
    params = make_params(likelihood, len(x))
    weight = torch.rand(x.shape, generator=torch.manual_seed(2), dtype=torch.float64)
    weight[:, schema.columns.index("price")] = 0  # no cell of this column is observed
    x = torch.where(weight < 0.2, torch.nan, x)
    weight = torch.where(torch.isnan(x), 0.0, weight)
    before = likelihood.variance.clone()
    likelihood.update_scale(params, x, weight)
    outputs = split(schema, likelihood, params)
    for i, name in enumerate(("real", "gains", "price")):
        j = schema.columns.index(name)
        column = schema.used_columns[j]
        w = weight[:, j].clone()
        if column.atom is not None:
            w[(x[:, j] - (column.atom - column.center) / column.scale).abs() < 1e-5] = 0
        if name == "price":
            assert likelihood.variance[i] == before[i]
            continue
        error = (torch.nan_to_num(x[:, j]) - outputs[name][:, 0]).square()
        assert float(likelihood.variance[i]) == pytest.approx(float((w * error).sum() / w.sum()), rel=1e-9)
    first = likelihood.variance.clone()
    likelihood.update_scale(params, params.new_zeros(x.shape), torch.ones_like(x))
    zeros = outputs["real"].square().mean().detach()
    assert float(likelihood.variance[0]) == pytest.approx(float((first[0] + zeros) / 2), rel=1e-9)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
@pytest.mark.parametrize("heteroscedastic", [False, True])
def test_gradients_are_finite(case, heteroscedastic, scale):
    x, schema = case
    likelihood = make(schema, heteroscedastic).float()
    x = x.float()
    x[::3] = torch.nan
    x[1] = 1e6
    params = make_params(likelihood, len(x), scale).float().requires_grad_()
    observed = ~torch.isnan(x)
    nats = torch.where(observed, likelihood.log_prob(params, x), 0.0)
    assert torch.isfinite(nats).all()
    nats.sum().backward()
    for gradient in (params.grad, *(parameter.grad for parameter in likelihood.parameters())):
        assert torch.isfinite(gradient).all()
    assert not params.grad[::3].any()  # a row without a value has no gradient


def test_a_large_column_is_the_softmax_of_all_its_levels():
    words = [LEVELS[i % 600] for i in range(1200)]
    x, schema = make_schema(pd.DataFrame({"code": words, "real": rng.normal(size=1200)}))
    likelihood = make(schema)
    params = make_params(likelihood, len(x)).requires_grad_()
    h, vectors, bias = params[:, 1:], likelihood.vectors[0], likelihood.biases[0]
    logits = torch.stack([sum(h[:, k] * vectors[level, k] for k in range(32)) + bias[level] for level in range(600)], 1)
    dense = torch.log(logits.exp()[torch.arange(1200), x[:, 0].long()] / logits.exp().sum(1)) + math.log1p(-UNSEEN)
    nats = likelihood.log_prob(params, x)[:, 0]
    torch.testing.assert_close(nats, dense)
    leaves = [params, vectors, bias]
    for ours, theirs in zip(
        torch.autograd.grad(nats.sum(), leaves, retain_graph=True),
        torch.autograd.grad(dense.sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
