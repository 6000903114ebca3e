"""Every registered likelihood: normalised, its mean, and its draws; closed forms in float64."""

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.integrate import quad

import narrows
from narrows.data import Schema, infer
from narrows.likelihoods import (
    LIKELIHOODS,
    DiscretizedLogistic,
    Gaussian,
    HeteroscedasticGaussian,
    NegativeBinomial,
    StudentT,
    choose,
)

# outputs of the decoder: ordinary ones, near 0 where series are used, and large ones
POINTS = [-30.0, -4.0, -0.3, -0.11, -0.09, -1e-3, 0.0, 1e-6, 0.05, 0.099, 0.101, 1.0, 3.0, 40.0]


def made(name: str):
    """The likelihood in double precision, in all its forms."""
    likelihood = LIKELIHOODS[name]().double()
    forms = [likelihood]
    if name == "gaussian":
        likelihood.variance.fill_(0.3)
        forms.append(Gaussian(bounded=True).double())
        forms[1].variance.fill_(0.02)
    if name == "student_t":
        likelihood.variance.fill_(0.3)
        with torch.no_grad():
            likelihood.raw_nu.fill_(0.0)  # light tails, so that the integrals below converge
    if name == "negative_binomial":
        with torch.no_grad():
            likelihood.log_dispersion.fill_(0.7)
        forms.append(NegativeBinomial().double())
        with torch.no_grad():
            forms[1].log_dispersion.fill_(-1.5)
    return forms


# likelihoods with one number an entry; the others have their own tests below
ALL = [
    pytest.param(form, id=f"{name}-{i}")
    for name in LIKELIHOODS
    for i, form in enumerate(made(name))
    if form.n_params == 1
]


def points(likelihood) -> list[float]:
    # counts with means from 0.02 to 20 are summed in full below
    return [o for o in POINTS if -4 <= o <= 3] if likelihood.required_support == "count" else POINTS


def expectation(likelihood, o: float, of) -> float:
    """The sum or integral of `of(x)` p(x | o) over the support, by quadrature where it is a density."""

    def density(x: float) -> float:
        tensor = torch.tensor(float(x), dtype=torch.float64)
        with torch.no_grad():
            return float(likelihood.log_prob(torch.tensor(o, dtype=torch.float64), tensor).exp()) * of(x)

    if likelihood.name == "bernoulli":
        return density(0) + density(1)
    if likelihood.required_support == "count":
        x = torch.arange(200_000, dtype=torch.float64)
        with torch.no_grad():
            p = likelihood.log_prob(torch.tensor(o, dtype=torch.float64), x).exp()
        return float((p * torch.tensor([of(i) for i in x.tolist()], dtype=torch.float64)).sum())
    if likelihood.support == "[0, 1]":
        peak = [1e-3, 0.05, 0.5, 0.95, 1 - 1e-3]
        return quad(density, 0, 1, points=peak, epsabs=1e-12, limit=200)[0]
    centre, scale = float(likelihood.mean(torch.tensor(o, dtype=torch.float64))), float(likelihood.variance.sqrt())
    return quad(density, centre - 12 * scale, centre + 12 * scale, points=[centre], epsabs=1e-12, limit=200)[0]


@pytest.mark.parametrize("likelihood", ALL)
def test_is_normalised(likelihood):
    for o in points(likelihood):
        assert expectation(likelihood, o, lambda x: 1.0) == pytest.approx(1, abs=1e-8), o


@pytest.mark.parametrize("likelihood", ALL)
def test_mean_is_the_expectation(likelihood):
    for o in points(likelihood):
        mean = float(likelihood.mean(torch.tensor(o, dtype=torch.float64)))
        assert expectation(likelihood, o, lambda x: x) == pytest.approx(mean, rel=1e-7, abs=1e-9), o


@pytest.mark.parametrize("likelihood", ALL)
def test_draws_have_the_mean_and_lie_in_the_support(likelihood):
    torch.manual_seed(0)
    n = 20_000
    o = torch.tensor(points(likelihood), dtype=torch.float64).expand(n, -1)
    x = likelihood.sample(o)
    assert x.shape == o.shape
    assert likelihood.contains(x).all()
    if getattr(likelihood, "bounded", False):
        o = o[:, [abs(p) < 1.5 for p in points(likelihood)]]  # draws are brought back into [0, 1], which moves the mean
        x = likelihood.sample(o)
    error = (x.mean(0) - likelihood.mean(o[0])).abs()
    assert (error <= 5 * x.std(0) / n**0.5 + 1e-9).all()


def test_draws_have_the_variance():
    torch.manual_seed(0)
    o = torch.full((200_000,), 1.2, dtype=torch.float64)
    m = np.exp(1.2)
    poisson, nb = LIKELIHOODS["poisson"](), made("negative_binomial")[0]
    assert float(poisson.sample(o).var()) == pytest.approx(m, rel=0.03)
    assert float(nb.sample(o).var()) == pytest.approx(m + m**2 / np.exp(0.7), rel=0.03)
    assert float(made("gaussian")[0].sample(o).var()) == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize("likelihood", ALL)
def test_inverse_mean_inverts_mean(likelihood):
    if likelihood.support == "[0, 1]" or getattr(likelihood, "bounded", False):
        m = torch.linspace(0.006, 0.994, 41, dtype=torch.float64)
    elif likelihood.required_support == "count":
        m = torch.logspace(-2, 3, 41, dtype=torch.float64)
    else:
        m = torch.linspace(-50, 50, 41, dtype=torch.float64)
    torch.testing.assert_close(likelihood.mean(likelihood.inverse_mean(m)), m, rtol=1e-8, atol=1e-9)
    # at the ends of the range too there is a number to start from
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert torch.isfinite(likelihood.inverse_mean(ends)).all()
    assert (likelihood.mean(likelihood.inverse_mean(ends)) - ends).abs().max() < 0.006


@pytest.mark.parametrize("likelihood", ALL)
def test_gradient(likelihood):
    o = torch.tensor(points(likelihood), dtype=torch.float64)[:, None].repeat(1, 3).requires_grad_()
    x = {"count": [0.0, 1.0, 7.0]}.get(likelihood.required_support, [0.0, 0.3, 1.0])
    x = torch.tensor(x, dtype=torch.float64).expand_as(o)
    assert torch.autograd.gradcheck(lambda o: likelihood.log_prob(o, x), (o,))
    assert torch.autograd.gradcheck(likelihood.mean, (o,))


class Scored(torch.nn.Module):
    def __init__(self, likelihood):
        super().__init__()
        self.likelihood = likelihood

    def forward(self, o, x):
        return self.likelihood.log_prob(o, x)


def test_gradient_with_respect_to_the_dispersion():
    likelihood = made("negative_binomial")[0]
    o = torch.linspace(-2, 3, 6, dtype=torch.float64)
    x = torch.tensor([0.0, 1.0, 0.0, 4.0, 20.0, 3.0], dtype=torch.float64)

    def log_prob(value):
        return torch.func.functional_call(Scored(likelihood), {"likelihood.log_dispersion": value}, (o, x))

    assert torch.autograd.gradcheck(log_prob, (torch.tensor(0.4, dtype=torch.float64, requires_grad=True),))


@pytest.mark.parametrize("likelihood", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_overflows(likelihood, dtype):
    o = torch.tensor([-1e4, -100, -1, 0, 1, 100, 1e4], dtype=dtype)[:, None].repeat(1, 2).requires_grad_()
    x = torch.tensor([0.0, 1.0], dtype=dtype).expand_as(o)
    likelihood = likelihood.to(dtype)
    nats = likelihood.log_prob(o, x)
    nats.sum().backward()
    likelihood.double()
    assert torch.isfinite(nats).all()
    assert torch.isfinite(o.grad).all()
    assert torch.isfinite(likelihood.mean(o)).all()


@pytest.mark.parametrize("likelihood", ALL)
def test_weights_take_entries_out(likelihood):
    torch.manual_seed(0)
    o = torch.randn(4, 3, 2, dtype=torch.float64)
    x = likelihood.sample(o).clamp(0, 1)
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64).expand(4, 3, 2)
    each = likelihood.log_prob(o, x)
    scores = likelihood.score(o, x, weight)
    assert scores.shape == (4,)
    torch.testing.assert_close(scores, (each * weight).flatten(1).sum(1))
    torch.testing.assert_close(likelihood.score(o, x), each.flatten(1).sum(1))
    # what is hidden has no influence
    other = torch.where(weight > 0, x, 1 - x)
    torch.testing.assert_close(likelihood.score(o, other, weight), scores)


@pytest.mark.parametrize("likelihood", ALL)
def test_half_precision_is_scored_in_single(likelihood):
    o = torch.zeros(2, 5, dtype=torch.bfloat16)
    likelihood = likelihood.float()
    assert likelihood.score(o, torch.ones(2, 5)).dtype == torch.float32
    likelihood.double()


# ----------------------------------------------------------------------------------------- independent references


def test_against_scipy_and_torch():
    o = torch.linspace(-3, 3, 13, dtype=torch.float64)[:, None]
    counts = torch.arange(15, dtype=torch.float64)[None]
    m = o.exp().numpy()
    poisson = LIKELIHOODS["poisson"]().log_prob(o, counts)
    np.testing.assert_allclose(poisson, scipy.stats.poisson.logpmf(counts.numpy(), m), rtol=1e-10)
    for nb in made("negative_binomial"):
        r = float(nb.log_dispersion.detach().exp())
        expected = scipy.stats.nbinom.logpmf(counts.numpy(), r, r / (r + m))
        np.testing.assert_allclose(nb.log_prob(o, counts).detach(), expected, rtol=1e-9)
    x = torch.linspace(0, 1, 9, dtype=torch.float64)[None]
    gaussian = made("gaussian")[0]
    expected = torch.distributions.Normal(o, gaussian.variance.sqrt()).log_prob(x)
    torch.testing.assert_close(gaussian.log_prob(o, x), expected)
    binary = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(13, 2)
    bernoulli = torch.distributions.Bernoulli(logits=o).log_prob(binary)
    torch.testing.assert_close(LIKELIHOODS["bernoulli"]().log_prob(o.expand(13, 2), binary), bernoulli)


def test_continuous_bernoulli_against_torch():
    o = torch.tensor([-8.0, -2.0, -0.5, 0.7, 3.0, 9.0], dtype=torch.float64)[:, None]
    x = torch.linspace(0, 1, 9, dtype=torch.float64)[None]
    ours, theirs = LIKELIHOODS["continuous_bernoulli"](), torch.distributions.ContinuousBernoulli(logits=o)
    torch.testing.assert_close(ours.log_prob(o, x), theirs.log_prob(x), rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(ours.mean(o), theirs.mean, rtol=1e-7, atol=1e-9)
    torch.manual_seed(0)
    draws = ours.sample(o.expand(6, 50_000))
    torch.testing.assert_close(draws.var(1), theirs.variance[:, 0], rtol=0.05, atol=1e-4)
    # the whole distribution, by Kolmogorov and Smirnov's distance
    for row, logit in zip(draws, o[:, 0], strict=True):
        law = torch.distributions.ContinuousBernoulli(logits=logit)
        distance = scipy.stats.kstest(row.numpy(), lambda v, law=law: law.cdf(torch.tensor(v)).numpy()).statistic
        assert distance < 0.01


# ----------------------------------------------------------------------------------------------- the learned scale


def test_the_gaussians_scale_follows_the_error():
    torch.manual_seed(0)
    likelihood = Gaussian()
    o = torch.zeros(64, 10)
    for _ in range(300):
        likelihood.update_scale(o, 0.2 * torch.randn(64, 10))
    assert float(likelihood.variance) == pytest.approx(0.04, rel=0.05)
    # entries that are not observed do not count
    other, weight = Gaussian(), torch.zeros(64, 10)
    weight[:, :5] = 1
    x = 0.2 * torch.randn(64, 10)
    x[:, 5:] = 100
    other.update_scale(o, x, weight)
    assert float(other.variance) == pytest.approx(0.04, rel=0.2)
    # data that are reproduced exactly do not send the likelihood to infinity
    exact = Gaussian()
    for _ in range(500):
        exact.update_scale(o, o)
    assert torch.isfinite(exact.score(o, o)).all()
    assert float(exact.log_prob(o, o).max()) == pytest.approx(np.log(1e3) - 0.5 * np.log(2 * np.pi), rel=1e-5)


# ----------------------------------------------------------------------------------------------------- the choice


def schema_of(X: np.ndarray) -> Schema:
    return infer(X, "test")


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (np.eye(12), "bernoulli"),
        (np.eye(12, dtype=bool), "bernoulli"),
        (np.random.default_rng(0).random((20, 9, 9)), "gaussian"),
        (np.random.default_rng(0).integers(0, 256, (20, 9, 9)).astype(np.uint8), "gaussian"),
        (np.random.default_rng(0).normal(size=(20, 4)), "gaussian"),
        (np.random.default_rng(0).normal(size=(20, 9, 9)), "gaussian"),
        (np.random.default_rng(0).poisson(0.3, size=(50, 4)), "negative_binomial"),
    ],
)
def test_the_likelihood_follows_from_the_data(X, expected):
    likelihood, reason = choose("auto", schema_of(X))
    assert likelihood.name == expected
    assert reason
    x = schema_of(X).prepare(torch.from_numpy(X))
    assert likelihood.contains(x).all()


def test_an_unknown_likelihood_is_refused():
    with pytest.raises(ValueError, match=r"Unknown likelihood 'bernouli'. Did you mean 'bernoulli'"):
        choose("bernouli", schema_of(np.eye(9)))


class TestHeteroscedastic:
    def test_is_the_normal_distribution(self):
        torch.manual_seed(0)
        o, x = torch.randn(5, 6, 4, 4, dtype=torch.float64), torch.randn(5, 3, 4, 4, dtype=torch.float64)
        likelihood = HeteroscedasticGaussian()
        m, log_s = likelihood.split(o)
        assert torch.equal(m, o[:, :3])
        expected = scipy.stats.norm.logpdf(x.numpy(), m.numpy(), log_s.exp().numpy())
        np.testing.assert_allclose(likelihood.log_prob(o, x).numpy(), expected)
        assert likelihood.score(o, x).shape == (5,)

    def test_the_scale_has_a_floor_and_grows_with_the_second_number(self):
        o = torch.tensor([[0.0, -1e4], [0.0, -30.0], [0.0, 0.0], [0.0, 5.0]], dtype=torch.float64)
        s = HeteroscedasticGaussian().split(o)[1].exp()[:, 0]
        assert s.tolist() == pytest.approx([1e-3, 1e-3, 1.0, np.exp(5.0)], rel=2e-3)

    @pytest.mark.parametrize("bounded", [False, True])
    def test_mean_draws_and_start(self, bounded):
        torch.manual_seed(0)
        likelihood = HeteroscedasticGaussian(bounded)
        m = torch.linspace(0.1, 0.9, 5, dtype=torch.float64)
        o = likelihood.inverse_mean(m)[None]
        assert o.shape == (1, *likelihood.params_shape((5,)))
        torch.testing.assert_close(likelihood.mean(o)[0], m)
        o = torch.cat([o[:, :5], o[:, 5:] - 4], 1).expand(20_000, -1)  # so narrow that no draw is brought back
        x = likelihood.sample(o)
        assert (x.mean(0) - m).abs().max() < 5 * x.std(0).max() / 20_000**0.5
        assert torch.allclose(x.std(0), likelihood.split(o)[1][0].exp(), rtol=0.05)

    def test_gradient(self):
        torch.manual_seed(0)
        o = torch.randn(3, 8, dtype=torch.float64).requires_grad_()
        x = torch.randn(3, 4, dtype=torch.float64)
        assert torch.autograd.gradcheck(lambda o: HeteroscedasticGaussian().log_prob(o, x), (o,))


class TestStudentT:
    def made(self, nu: float = 3.0, scale: float = 0.4, bounded: bool = False) -> StudentT:
        likelihood = StudentT(bounded).double()
        likelihood.variance.fill_(scale**2)
        with torch.no_grad():
            likelihood.raw_nu.fill_(float(np.log((nu - 1) / (100 - nu))))
        return likelihood

    @pytest.mark.parametrize("nu", [1.01, 3.0, 99.0])
    def test_is_scipys(self, nu):
        torch.manual_seed(0)
        likelihood = self.made(nu)
        o, x = torch.randn(2, 50, dtype=torch.float64)
        expected = scipy.stats.t.logpdf(x, nu, loc=o, scale=0.4)
        np.testing.assert_allclose(likelihood.log_prob(o, x).detach(), expected, rtol=1e-10)

    def test_draws_follow_the_law(self):
        torch.manual_seed(0)
        draws = self.made().sample(torch.full((50_000,), 2.0, dtype=torch.float64)).detach()
        assert scipy.stats.kstest(draws.numpy(), scipy.stats.t(3.0, 2.0, 0.4).cdf).pvalue > 1e-3

    def test_the_gradient_reaches_the_degrees_of_freedom(self):
        likelihood, x = self.made(), torch.linspace(-2, 2, 9, dtype=torch.float64)

        def log_prob(value):
            return torch.func.functional_call(Scored(likelihood), {"likelihood.raw_nu": value}, (0 * x, x))

        assert torch.autograd.gradcheck(log_prob, (torch.tensor(-2.0, dtype=torch.float64, requires_grad=True),))

    def test_the_scale_and_the_degrees_of_freedom_are_learned(self):
        rng = np.random.default_rng(0)
        x = torch.from_numpy(scipy.stats.t(4.0, 0.0, 0.3).rvs((300, 100), random_state=rng))
        likelihood = StudentT().double()
        optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
        for batch in x.repeat(2, 1):
            optimizer.zero_grad()
            likelihood.update_scale(torch.zeros_like(batch), batch)
            (-likelihood.log_prob(torch.zeros_like(batch), batch).mean()).backward()
            optimizer.step()
        nu, _, scale = scipy.stats.t.fit(x.flatten()[::10], floc=0)
        assert float(likelihood.scale) == pytest.approx(scale, rel=0.1)
        assert float(likelihood.nu.detach()) == pytest.approx(nu, rel=0.35)

    def test_what_is_hidden_does_not_count_for_the_scale(self):
        torch.manual_seed(0)
        x, weight = 0.2 * torch.randn(64, 10), torch.zeros(64, 10)
        weight[:, :5] = 1
        x[:, 5:] = 100
        likelihood = StudentT()
        for _ in range(20):
            likelihood.update_scale(torch.zeros_like(x), x, weight)
        assert float(likelihood.scale.detach()) == pytest.approx(0.2, rel=0.2)

    @pytest.mark.slow
    def test_gross_outliers_do_not_bend_the_model(self):
        """5 % of the cells are replaced by far numbers: the others are reconstructed better than with a Gaussian."""
        rng = np.random.default_rng(0)
        clean = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 12)) + 0.1 * rng.normal(size=(500, 12))
        is_outlier = rng.random(clean.shape) < 0.05
        X = np.where(is_outlier, 20 * rng.normal(size=clean.shape), clean)
        errors = {}
        for name in ("gaussian", "student_t"):
            model = narrows.AE(
                2, likelihood=name, hidden=(32,), max_epochs=60, learning_rate=3e-3, random_state=0, device="cpu"
            )
            errors[name] = np.square(model.fit(X).reconstruct(X) - clean)[~is_outlier].mean()
        assert errors["student_t"] < 0.7 * errors["gaussian"]


# locations in and beyond the range, and scales from their floor to their ceiling
LOGISTIC = [(m, s) for m in (-3.0, -0.01, 0.0, 0.3, 0.5019, 0.998, 1.0, 40.0) for s in (-30.0, -4.0, 0.0, 3.0, 9.0)]


class TestDiscretizedLogistic:
    LEVELS = torch.arange(256, dtype=torch.float64) / 255

    def probabilities(self, params):
        """P of each level for one entry: 256 numbers, from params (2)."""
        params = torch.as_tensor(params, dtype=torch.float64)[:, None].expand(2, 256).reshape(1, -1)
        return DiscretizedLogistic().log_prob(params, self.LEVELS[None])[0].exp()

    @pytest.mark.parametrize("params", LOGISTIC)
    def test_probabilities_add_up_to_one(self, params):
        assert float(self.probabilities(params).sum()) == pytest.approx(1, abs=1e-12)

    @pytest.mark.parametrize("params", LOGISTIC)
    def test_the_mean_is_within_a_fifth_of_a_level(self, params):
        o = torch.tensor(params, dtype=torch.float64)[None]
        expected = (self.probabilities(params) * self.LEVELS).sum()
        assert float(DiscretizedLogistic().mean(o)) == pytest.approx(float(expected), abs=0.2 / 255)

    def test_is_the_mass_of_scipys_logistic(self):
        m, log_scale = DiscretizedLogistic().split(torch.tensor([[0.4, -0.5]], dtype=torch.float64))
        law = scipy.stats.logistic(float(m), float(log_scale.exp()))
        edges = (np.arange(255) + 0.5) / 255
        cumulative = np.concatenate([[0.0], law.cdf(edges), [1.0]])
        np.testing.assert_allclose(self.probabilities((0.4, -0.5)), np.diff(cumulative), rtol=1e-9, atol=1e-13)

    def test_draws_are_levels_with_these_probabilities(self):
        torch.manual_seed(0)
        n = 40_000
        o = torch.tensor([0.05, -0.5], dtype=torch.float64)[None].expand(n, -1)
        x = DiscretizedLogistic().sample(o)
        assert DiscretizedLogistic().contains(x).all()
        counts = np.bincount((x[:, 0] * 255).round().long().numpy(), minlength=256)
        expected = n * self.probabilities((0.05, -0.5)).numpy()
        often = expected > 20
        chi2 = np.square(counts - expected)[often] / expected[often]
        assert chi2.sum() < scipy.stats.chi2.isf(1e-4, often.sum())

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_gradients_are_finite_far_from_the_data(self, dtype):
        o = torch.tensor([[-1e4, 0.0, 1e4, 0.5], [-1e3, -1e3, 0.0, 1e3]], dtype=dtype).reshape(1, -1).requires_grad_()
        x = torch.tensor([[1.0, 128 / 255, 0.0, 1.0]], dtype=dtype)
        nats = DiscretizedLogistic().log_prob(o, x)
        nats.sum().backward()
        assert torch.isfinite(nats).all()
        assert torch.isfinite(o.grad).all()

    def test_gradient(self):
        torch.manual_seed(0)
        o = torch.randn(3, 8, dtype=torch.float64).requires_grad_()
        x = torch.randint(256, (3, 4)).double() / 255
        assert torch.autograd.gradcheck(lambda o: DiscretizedLogistic().log_prob(o, x), (o,))

    def test_8_bit_images_are_levels_after_prepare(self):
        X = np.random.default_rng(0).integers(0, 256, (20, 9, 9)).astype(np.uint8)
        assert DiscretizedLogistic().contains(schema_of(X).prepare(torch.from_numpy(X), torch.float32)).all()

    @pytest.mark.parametrize("X", [np.random.default_rng(0).random((30, 9, 9)), np.arange(60.0).reshape(15, 4)])
    def test_other_data_are_refused(self, X):
        with pytest.raises(
            ValueError, match=r'the 256 levels 0, 1/255, \.\.\., 1 of 8-bit images .* "discretized_logistic"'
        ):
            narrows.VAE(2, likelihood="discretized_logistic", device="cpu").fit(X)
