"""Objectives: the central equation, and the closed forms that it must agree with."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from torch import nn
from torch.distributions import Independent, Normal

import narrows
from narrows import AE, VAE
from narrows.bottlenecks import L1, Gaussian, Joint, Label, Plain, TopK
from narrows.corruptions import GaussianNoise, Nothing
from narrows.evaluation.scores import draws, log_likelihood
from narrows.likelihoods import Bernoulli
from narrows.likelihoods import Gaussian as GaussianLikelihood
from narrows.model import Autoencoder
from narrows.objectives import Capacity, Cost, CostValue, ImportanceWeighted, TotalCorrelation, WeightedObjective
from narrows.priors import NormalMixture
from narrows.training import checkpoint
from narrows.types import Batch, Code, Output


def model_with(bottleneck, corruption=None, d: int = 5) -> Autoencoder:
    torch.manual_seed(0)
    encoder, decoder = nn.Linear(d, bottleneck.n_inputs), nn.Linear(bottleneck.n_components, d)
    return Autoencoder(corruption or Nothing(), encoder, bottleneck, decoder, Bernoulli()).double()


def batch_of(n: int = 12, d: int = 5) -> Batch:
    x = (torch.rand(n, d, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    return Batch(x, x)


@pytest.mark.parametrize(
    ("bottleneck", "weights"),
    [
        (Plain(2), {}),
        (Gaussian(2), {"kl": 1.0}),
        (Gaussian(2), {"kl": 0.25}),
        (Gaussian(2), {"nll": 0.5, "kl": 3.0}),
        (Gaussian(2), {}),  # a cost without a weight is stated and not charged
        (Gaussian(2, free_nats=0.3), {"kl": 2.0, "free_nats": 2.0}),
        (L1(8), {"l1": 0.1}),
        (TopK(8, 2), {}),
    ],
)
def test_the_total_is_nll_plus_weighted_costs(bottleneck, weights):
    model, batch = model_with(bottleneck), batch_of()
    objective = WeightedObjective(weights)
    objective.check(model)
    torch.manual_seed(3)
    loss = objective(model, batch)
    assert set(weights) | {"nll"} <= set(loss.terms) <= {"nll", *bottleneck.costs}
    assert ("kl" in loss.terms) == isinstance(bottleneck, Gaussian)
    expected = sum(w * loss.terms[name] for name, w in {"nll": 1.0, **weights}.items())
    torch.testing.assert_close(loss.total, expected)
    # and the nll is the likelihood's, summed over entries and averaged over the batch
    torch.manual_seed(3)
    output = model(batch)
    nats = torch.distributions.Bernoulli(logits=output.params).log_prob(batch.target).sum(1)
    torch.testing.assert_close(loss.terms["nll"], -nats.mean())
    assert loss.total.dtype == torch.float64


def test_entries_count_as_far_as_they_are_observed_and_weighed():
    model, (x, *_) = model_with(Plain(2)), batch_of()
    observed, weight = torch.ones_like(x), torch.full_like(x, 0.5)
    observed[:, 3:] = 0
    weight[:, 0] = 2
    each = -model.likelihood.log_prob(model(Batch(x, x)).params, x)
    for batch, factor in [
        (Batch(x, x, observed), observed),
        (Batch(x, x, weight=weight), weight),
        (Batch(x, x, observed, weight), observed * weight),
    ]:
        torch.testing.assert_close(WeightedObjective()(model, batch).total, (each * factor).sum(1).mean())


def test_the_likelihood_has_a_weight_by_name_too():
    model, batch = model_with(Plain(2)), batch_of()
    objective = WeightedObjective({"nll": 0.25}, warmup=0.5)
    objective.advance(0.1)
    for mode in (True, False):  # it is no cost, and does not grow
        loss = objective.train(mode)(model, batch)
        torch.testing.assert_close(loss.total, 0.25 * loss.terms["nll"])


def test_the_target_is_clean_where_the_input_is_not():
    model, batch = model_with(Plain(2), GaussianNoise(0.5)), batch_of()
    torch.manual_seed(3)
    loss = WeightedObjective()(model, batch)
    torch.manual_seed(3)
    seen = model.corruption(batch).x
    assert not torch.equal(seen, batch.x)
    o = model.decoder(model.encoder(seen))
    torch.testing.assert_close(loss.total, -model.likelihood.score(o, batch.target).mean())


def test_unknown_costs_are_refused():
    with pytest.raises(ValueError, match=r"Gaussian states no cost 'kll'. Did you mean 'kl'"):
        WeightedObjective({"kll": 1.0}).check(model_with(Gaussian(2)))
    with pytest.raises(ValueError, match="Plain states no cost 'kl'"):
        WeightedObjective({"kl": 1.0}).check(model_with(Plain(2)))


class Charge(Cost):
    """A cost of one nat an example, or of a given result."""

    def __init__(self, name: str, result=None) -> None:
        super().__init__()
        self.name, self.result = name, result

    def forward(self, model, batch, output):
        return CostValue(torch.ones(len(batch.x))) if self.result is None else self.result


def test_costs_that_cannot_be_weighed_are_refused():
    with pytest.raises(ValueError, match=r"`weights` of WeightedObjective must be finite numbers. Got 'a' for 'kl'"):
        WeightedObjective({"kl": "a"})
    for costs in ((Charge("nll"),), (Charge("a"), Charge("a"))):
        with pytest.raises(ValueError, match="`costs` of WeightedObjective must each have a `name` of its own"):
            WeightedObjective(costs=costs)
    with pytest.raises(
        ValueError, match=r"Gaussian states the cost 'kl', too. Give the one in the objective's `costs`"
    ):
        WeightedObjective({"kl": 1.0}, costs=(Charge("kl"),)).check(model_with(Gaussian(2)))
    objective = WeightedObjective({"a": 1.0}, costs=(Charge("a", torch.ones(12)),))
    with pytest.raises(TypeError, match=r"cost Charge must return a CostValue with .* Got Tensor instead"):
        objective(model_with(Plain(2)), batch_of())


def test_warmup_is_linear_and_ends():
    model, batch = model_with(Gaussian(2)), batch_of()
    objective = WeightedObjective({"kl": 3.0}, warmup=0.4)
    for progress, share in [(0.0, 0.0), (0.1, 0.25), (0.2, 0.5), (0.3, 0.75), (0.4, 1.0), (0.9, 1.0)]:
        objective.advance(progress)
        assert float(objective.share) == pytest.approx(share)
        assert objective.complete == (share == 1.0)
        objective.train()
        loss = objective(model, batch)
        torch.testing.assert_close(loss.total, loss.terms["nll"] + 3 * share * loss.terms["kl"], rtol=1e-6, atol=0)
        objective.eval()  # looked at in full
        loss = objective(model, batch)
        torch.testing.assert_close(loss.total, loss.terms["nll"] + 3 * loss.terms["kl"])
    assert float(WeightedObjective({"kl": 3.0}).share) == 1.0


def test_a_restart_begins_again_from_0():
    objective = WeightedObjective({"kl": 1.0}, warmup=0.2)
    objective.advance(0.5)
    objective.restart(0.5)
    assert not objective.complete
    shares = []
    for progress in (0.5, 0.6, 0.7, 0.8):
        objective.advance(progress)
        shares.append(float(objective.share))
    assert shares == pytest.approx([0, 0.5, 1, 1])
    again = WeightedObjective({"kl": 1.0}, warmup=0.2)
    objective.restart(0.5)
    objective.advance(0.55)
    again.restore(objective.state())
    assert again.state() == objective.state()
    assert float(again.share) == float(objective.share)


def test_the_spare_code_does_not_touch_the_living():
    bottleneck = TopK(8, 2, patience=100)
    model, batch = model_with(bottleneck), batch_of()
    bottleneck.idle[4:] = 1000
    with torch.no_grad():
        model.encoder.bias[4:] = -5
    objective = WeightedObjective()
    plain = objective(model, batch).total
    (g_plain,) = torch.autograd.grad(plain, model.encoder.weight)
    bottleneck.update_dead_units()
    assert bottleneck.aux_active
    with_spare = objective(model, batch)
    assert not torch.equal(with_spare.total, plain)
    assert set(with_spare.terms) == {"nll"}  # the named terms are the true ones
    torch.testing.assert_close(with_spare.terms["nll"], plain)
    (g,) = torch.autograd.grad(with_spare.total, model.encoder.weight)
    torch.testing.assert_close(g[:4], g_plain[:4])
    assert (g_plain[4:] == 0).all()
    assert (g[4:] != 0).any(1).all()


# -------------------------------------------------------------------------------------------------- several draws


def linear_model() -> tuple[Autoencoder, torch.Tensor, torch.Tensor]:
    """x = W z + b + s eps with a posterior that is too wide, data, and their exact log-likelihoods."""
    torch.manual_seed(0)
    model = Autoencoder(Nothing(), nn.Linear(5, 4), Gaussian(2), nn.Linear(2, 5), GaussianLikelihood()).double()
    w, b, s2 = model.decoder.weight.detach(), model.decoder.bias.detach(), 0.3
    model.likelihood.variance.fill_(s2)
    x = torch.randn(40, 2, dtype=torch.float64) @ w.T + b + s2**0.5 * torch.randn(40, 5, dtype=torch.float64)
    posterior = torch.linalg.inv(w.T @ w + s2 * torch.eye(2))  # the mean is posterior W' (x - b)
    with torch.no_grad():
        model.encoder.weight.copy_(torch.cat([posterior @ w.T, torch.zeros(2, 5)]))
        model.encoder.bias.copy_(torch.cat([-posterior @ w.T @ b, torch.tensor([0.5, 0.5])]))
    exact = torch.distributions.MultivariateNormal(b, w @ w.T + s2 * torch.eye(5)).log_prob(x)
    return model, x, exact


def test_the_bound_of_one_draw_is_the_elbo():
    torch.manual_seed(0)
    model = model_with(Gaussian(2, prior=NormalMixture(2, 3)))  # whose KL is that of the draw in both
    batch, results = batch_of(), []
    for objective in (ImportanceWeighted(1), WeightedObjective({"kl": 1.0})):
        torch.manual_seed(3)
        loss = objective(model, batch)
        results.append((loss.total, loss.terms["kl"], *torch.autograd.grad(loss.total, [*model.parameters()])))
    torch.testing.assert_close(results[0], results[1])


def test_the_bound_rises_with_the_draws_to_the_log_likelihood():
    model, x, exact = linear_model()
    bounds, errors = [], []
    torch.manual_seed(0)
    for k, n in [(1, 400), (4, 200), (32, 100), (1000, 10)]:
        objective = ImportanceWeighted(k).eval()
        with torch.no_grad():
            losses = torch.stack([objective(model, Batch(x, x)).total for _ in range(n)])
        bounds.append(-float(losses.mean()))
        errors.append(float(losses.std()) / n**0.5)
    for i in range(3):
        assert bounds[i + 1] > bounds[i] + 3 * (errors[i] + errors[i + 1])
    assert bounds[0] < float(exact.mean()) - 0.3
    assert bounds[3] == pytest.approx(float(exact.mean()), abs=0.01 + 5 * errors[3])
    assert float(log_likelihood(model, x).mean().detach()) == pytest.approx(bounds[0], abs=0.05)


def test_a_bound_grows_anew_after_posterior_collapse():
    torch.manual_seed(0)
    model, batch, objective = model_with(Gaussian(2)), batch_of(), ImportanceWeighted(3)
    objective.restart(0.5)
    begun = objective(model, batch)
    assert float(begun.total.detach()) < float(begun.terms["nll"].detach()) + 1e-9  # the best draws, at no charge
    objective.advance(1.0)
    torch.manual_seed(1)
    whole = objective(model, batch)
    torch.manual_seed(1)
    assert torch.equal(ImportanceWeighted(3)(model, batch).total, whole.total)


def test_an_encoder_of_a_tighter_bound_is_tuned_with_its_kl():
    model = narrows.estimator("iwae")(2, hidden=(8,), max_epochs=1, device="cpu", random_state=0).fit(low_rank(60))
    assert model.own_costs(0) == {"kl": 1.0}


def test_a_score_in_inference_mode_leaves_scores_with_gradients_as_they_are():
    model, x, _ = linear_model()
    draws.cache_clear()
    with torch.inference_mode():
        expected = log_likelihood(model, x).mean()
    score = log_likelihood(model, x).mean()
    score.backward()
    assert float(score.detach()) == float(expected)
    assert float(model.encoder.weight.grad.abs().max()) > 0


def test_codes_without_a_posterior_have_no_bound():
    with pytest.raises(
        ValueError, match=r"needs a code that is drawn from a posterior. The code of Plain is a single point"
    ):
        ImportanceWeighted().check(model_with(Plain(2)))


# -------------------------------------------------------------------------------- bounds of groups of draws


def losses_of(objectives, model, batch):
    """The loss of each objective with the same draws, and its gradients by the model's parameters."""
    results = []
    for objective in objectives:
        torch.manual_seed(3)
        loss = objective(model, batch)
        gradients = torch.autograd.grad(loss.total, [*model.parameters()])
        results.append((loss, dict(zip(names_of(model), gradients, strict=True))))
    return results


def names_of(model) -> list[str]:
    return [name for name, _ in model.named_parameters()]


@pytest.mark.parametrize("n_groups", [1, 2, 3, 6])
def test_the_mean_of_bounds_lies_between_the_elbo_and_the_bound_of_all_draws(n_groups):
    model, x, exact = linear_model()
    with torch.no_grad():
        torch.manual_seed(0)
        loss = ImportanceWeighted(6, n_groups).eval()(model, Batch(x, x)).total
        torch.manual_seed(0)
        elbo = -ImportanceWeighted(6, 6).eval()(model, Batch(x, x)).total
        torch.manual_seed(0)
        tightest = -ImportanceWeighted(6).eval()(model, Batch(x, x)).total
    assert elbo <= -loss <= tightest < exact.mean() + 0.1
    assert (float(elbo) == float(-loss)) == (n_groups == 6)


def test_the_mean_of_bounds_of_one_draw_each_is_the_elbo():
    model, batch = model_with(Gaussian(2, prior=NormalMixture(2, 3))), batch_of()
    loss, _ = losses_of([ImportanceWeighted(4, 4)], model, batch)[0]
    torch.testing.assert_close(loss.total, loss.terms["nll"] + loss.terms["kl"])
    # one bound of four draws of each example, written out
    torch.manual_seed(3)
    eps = torch.randn(12, 8, dtype=torch.float64).view(-1, 2)
    z, log_q, log_p = model.bottleneck.sample(model.encoder(batch.x).repeat_interleave(4, 0), eps)
    log_w = model.likelihood.score(model.decoder(z), batch.x.repeat_interleave(4, 0)) + log_p - log_q
    torch.testing.assert_close(loss.total, -log_w.mean())


def test_a_mixed_bound_is_a_share_of_the_elbo_and_of_the_tight_bound():
    model, batch = model_with(Gaussian(2)), batch_of()
    mixed, tight, elbo = losses_of(
        [ImportanceWeighted(6, elbo_share=0.3), ImportanceWeighted(6), ImportanceWeighted(6, 6)], model, batch
    )
    torch.testing.assert_close(mixed[0].total, 0.3 * elbo[0].total + 0.7 * tight[0].total)
    for name in names_of(model):
        torch.testing.assert_close(mixed[1][name], 0.3 * elbo[1][name] + 0.7 * tight[1][name])


class TwoParameters(Bernoulli):
    """A likelihood with a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(1.2))

    def log_prob(self, params, x):
        return super().log_prob(params * self.temperature, x)


@pytest.mark.parametrize("is_labelled", [False, True])
def test_encoder_and_decoder_learn_from_bounds_of_their_own(is_labelled):
    """PIWAE: the encoder's gradient is that of MIWAE, those of decoder, likelihood and prior are those of IWAE."""
    torch.manual_seed(0)
    code = Gaussian(2, prior=NormalMixture(2, 3))
    bottleneck = Joint(code, Label((0.3, 0.7))) if is_labelled else code
    n_inputs = 4 if is_labelled else 2
    model = Autoencoder(Nothing(), nn.Linear(5, 4), bottleneck, nn.Linear(n_inputs, 5), TwoParameters()).double()
    batch = batch_of()._replace(label=torch.arange(12) % 2 if is_labelled else None)
    partly, grouped, tight = losses_of(
        [ImportanceWeighted(6, 1, 3), ImportanceWeighted(6, 3), ImportanceWeighted(6)], model, batch
    )
    assert float(partly[0].total.detach()) == float(tight[0].total.detach())
    for name in names_of(model):
        own, other = (grouped, tight) if name.startswith("encoder") else (tight, grouped)
        torch.testing.assert_close(partly[1][name], own[1][name], rtol=1e-9, atol=1e-12)
        assert float((own[1][name] - other[1][name]).abs().max()) > 1e-6
    assert any("prior" in name for name in names_of(model))


def test_a_bound_with_labels_is_one_on_the_likelihood_given_the_label():
    model, x, exact = linear_model()
    shift = torch.tensor([[0.0] * 5, [0.7] * 5], dtype=torch.float64)
    decoder = nn.Linear(4, 5).double()
    with torch.no_grad():
        decoder.weight.copy_(torch.cat([model.decoder.weight, shift.T], 1))
        decoder.bias.copy_(model.decoder.bias)
    label = torch.arange(40) % 2
    joint = Joint(model.bottleneck, Label((0.5, 0.5)))
    encoder = nn.Sequential(model.encoder)
    labelled = Autoencoder(Nothing(), encoder, joint, decoder, model.likelihood).double()
    batch = Batch(x, x + shift[label], label=label)
    torch.manual_seed(0)
    with torch.no_grad():
        bound = -ImportanceWeighted(2000).eval()(labelled, batch).total
    assert float(bound) == pytest.approx(float(exact.mean()), abs=0.02)


def test_a_number_of_groups_divides_that_of_the_draws():
    with pytest.raises(ValueError, match="n_groups` parameter of a bound must divide `n_draws`, 8"):
        ImportanceWeighted(8, 3)
    with pytest.raises(ValueError, match=r"n_groups` parameter of VAE must divide `n_draws`, 8.* Got 3 instead"):
        VAE(2, bound="miwae", n_groups=3).fit(low_rank(20))


@pytest.mark.parametrize(("name", "value"), [("beta", 2.0), ("free_nats", 0.1), ("capacity", 3.0)])
def test_what_would_be_no_bound_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}` parameter of VAE must be . with bound='iwae'.*no bound"):
        VAE(2, bound="iwae", **{name: value}).fit(low_rank(20))


def test_a_capacity_charges_the_distance_of_the_kl_and_grows():
    model, batch = model_with(Gaussian(2)), batch_of()
    objective = Capacity(1.5, {"kl": 4.0}, warmup=0.5)
    objective.check(model)
    for progress, grown in ((0.0, 0.0), (0.25, 0.75), (0.5, 1.5), (0.9, 1.5)):
        objective.advance(progress)
        torch.manual_seed(3)
        loss = objective(model, batch)
        kl = model.bottleneck.kl_per_component(model.encoder(batch.x)).sum(1)
        torch.testing.assert_close(loss.total, loss.terms["nll"] + 4 * (kl - grown).abs().mean())
    with pytest.raises(ValueError, match="must belong to costs that Plain states"):
        objective.check(model_with(Plain(2)))


def test_a_code_carries_the_nats_of_its_capacity():
    X = low_rank(400)
    model = VAE(3, capacity=2.0, beta=20.0, kl_warmup=0.5, hidden=(16,), max_epochs=60, random_state=0, device="cpu")
    model.fit(X)
    assert float(np.sum(model.components_kl_)) == pytest.approx(2.0, abs=0.4)


# -------------------------------------------------------------------------------------------------- opponents


def judged(cost: TotalCorrelation, z: torch.Tensor) -> CostValue:
    """The cost of codes z."""
    return cost(None, None, Output(Code(z, {}), z, None, z))


def test_neither_of_two_opponents_moves_the_other():
    model, batch = model_with(Gaussian(3)), batch_of()
    cost = TotalCorrelation(3, width=8, depth=1).double()
    value, loss = cost(model, batch, model(batch))
    assert value.shape == (12,)
    assert loss.shape == ()
    players = {"model": [*model.encoder.parameters()], "opponent": [*cost.opponent.parameters()]}
    for total, moves, stays in ((value.mean(), "model", "opponent"), (loss, "opponent", "model")):
        gradients = torch.autograd.grad(total, players[moves], retain_graph=True)
        assert all(gradient.abs().max() > 0 for gradient in gradients)
        still = torch.autograd.grad(total, players[stays], retain_graph=True, allow_unused=True)
        assert all(gradient is None for gradient in still)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_total_correlation_is_that_of_correlated_codes(correlation):
    """Of two Gaussians it is - log(1 - r^2) / 2."""
    torch.manual_seed(0)
    cost = TotalCorrelation(2, width=32, depth=2)
    optimizer = torch.optim.Adam(cost.opponent.parameters(), 1e-2)
    mixing = torch.linalg.cholesky(torch.tensor([[1.0, correlation], [correlation, 1.0]]))
    for step in range(400):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 400)
        optimizer.zero_grad()
        judged(cost, torch.randn(512, 2) @ mixing.T).not_validated.backward()
        optimizer.step()
    with torch.no_grad():
        estimate = float(judged(cost, torch.randn(20_000, 2) @ mixing.T).value.mean())
    assert estimate == pytest.approx(-np.log(1 - correlation**2) / 2, abs=0.1)


def test_losses_of_opponents_are_minimised_and_not_validated():
    model, batch = model_with(Gaussian(3)), batch_of()
    objective = WeightedObjective({"kl": 1.0, "tc": 6.0}, costs=(TotalCorrelation(3, width=8, depth=1).double(),))
    objective.check(model)
    assert len(objective.opponent_parameters()) == 4
    loss = objective(model, batch)
    torch.testing.assert_close(loss.validated, loss.terms["nll"] + loss.terms["kl"] + 6 * loss.terms["tc"])
    torch.testing.assert_close(loss.total, loss.validated + loss.not_validated)
    assert float(loss.not_validated.detach()) == pytest.approx(np.log(2), abs=0.2)  # of a discriminator that guesses


def test_early_stopping_does_not_look_at_opponents(tmp_path):
    model = narrows.estimator("factorvae")(
        2, hidden=(8,), max_epochs=2, device="cpu", precision="float32", random_state=0
    )
    model.set_params(checkpoint=tmp_path).fit(low_rank(200))
    for record in model.history_:
        assert record["valid_loss"] == pytest.approx(record["valid_nll"] + record["valid_kl"] + 6 * record["valid_tc"])
    # the opponent has moments of its own, and its weights are kept
    states = checkpoint.read(tmp_path / checkpoint.NAME)
    kept = [name for name in states["weights"]["tensors"] if name.startswith("objective.")]
    assert len(kept) == 8
    n_moments = [sum(name.endswith("exp_avg") for name in states["optimizers"][i]["tensors"]) for i in "01"]
    assert n_moments == [len([*model.model_.parameters()]), len(kept)]


# -------------------------------------------------------------------------------------------------- closed forms


def low_rank(n: int = 600, d: int = 6, rank: int = 2, noise: float = 0.3, seed: int = 0) -> np.ndarray:
    """Gaussian data near a subspace, its columns standardised so that the model's units are the data's."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d)) + noise * rng.normal(size=(n, d))
    return (X - X.mean(0)) / X.std(0)


def test_elbo_is_at_most_the_importance_weighted_bound():
    X = low_rank(200)
    fitted = VAE(2, hidden=(16,), max_epochs=30, random_state=0, precision="float64", device="cpu").fit(X)
    model, x = fitted.model_, torch.from_numpy(X)
    torch.manual_seed(0)
    with torch.no_grad():
        h = model.encoder(x)
        mean, log_std = model.bottleneck.split(h)
        posterior, prior = Independent(Normal(mean, log_std.exp()), 1), Independent(Normal(torch.zeros(2), 1.0), 1)

        def log_weights(k: int) -> torch.Tensor:
            z = posterior.sample((k,))
            p_x = torch.stack([model.likelihood.score(model.decoder(z_k), x) for z_k in z])
            return p_x + prior.log_prob(z) - posterior.log_prob(z)

        n = 40
        elbos = torch.stack([log_weights(50).mean() for _ in range(n)])
        bounds = torch.stack([(log_weights(50).logsumexp(0) - np.log(50)).mean() for _ in range(n)])
    slack = 3 * float((elbos.var() / n + bounds.var() / n).sqrt())
    assert float(elbos.mean()) <= float(bounds.mean()) + slack
    assert float(bounds.mean()) > float(elbos.mean())  # a Gaussian posterior of a curved model is never exact
    # the score is the ELBO: a few fixed draws of it, without bias worth the name
    assert fitted.score(X) == pytest.approx(float(elbos.mean()), abs=0.05)
    loss = WeightedObjective({"kl": 1.0}).eval()
    model.eval()
    losses = torch.stack([loss(model, Batch(x, x)).total for _ in range(200)]).detach()
    assert -float(losses.mean()) == pytest.approx(float(elbos.mean()), abs=5 * float(losses.std()) / 200**0.5 + 0.02)


# a linear model's optimum is known; these settings reach it
TO_THE_OPTIMUM = {
    "hidden": (),
    "max_epochs": 400,
    "learning_rate": 5e-3,
    "early_stopping": False,
    "random_state": 0,
    "precision": "float64",
    "device": "cpu",
    "batch_size": 100,
    "weight_decay": 0.0,
}


def test_a_linear_vae_reaches_probabilistic_pca():
    """Lucas et al., Don't blame the ELBO! (2019), https://arxiv.org/abs/1911.02469: its optimum is exactly pPCA."""
    X = low_rank()
    exact = PCA(2).fit(X)
    model = VAE(2, **TO_THE_OPTIMUM).fit(X)
    assert model.model_.likelihood.name == "gaussian"
    assert model.score(X) == pytest.approx(exact.score(X), abs=0.1)
    assert model.score(X) <= exact.score(X) + 0.02  # a lower bound of a likelihood that is at its maximum
    assert float(model.model_.likelihood.variance) == pytest.approx(exact.noise_variance_, rel=0.05)
    # sampled data have the data's covariance
    samples = model.sample(20_000, random_state=0, noise=True)
    np.testing.assert_allclose(np.cov(samples.T), exact.get_covariance(), atol=0.1)


def test_a_linear_autoencoder_spans_pcas_subspace():
    X = low_rank(rank=3)
    exact = PCA(3).fit(X)
    model = AE(3, **TO_THE_OPTIMUM).fit(X)
    error = np.mean((model.reconstruct(X) - X) ** 2)
    pca_error = np.mean((exact.inverse_transform(exact.transform(X)) - X) ** 2)
    assert error <= 1.001 * pca_error
    directions = model.model_.decoder.layers[-1].weight.detach().numpy()
    assert subspace_angles(directions, exact.components_.T).max() < 1e-2


def test_scores_have_no_random_numbers_in_them():
    X = low_rank(100)
    model = VAE(2, hidden=(8,), max_epochs=3, random_state=0, device="cpu").fit(X)
    np.testing.assert_array_equal(model.score_samples(X), model.score_samples(X))
    np.testing.assert_allclose(model.score_samples(X[::-1]), model.score_samples(X)[::-1], rtol=1e-5)


@pytest.mark.parametrize("n_components", [1, 2, 4, 5, 16, 64])
def test_the_draws_of_a_score_have_the_priors_moments(n_components):
    eps = draws(n_components, 8)
    assert eps.shape == (8, n_components)
    torch.testing.assert_close(eps.sum(0), torch.zeros(n_components).double())
    covariance = eps.T @ eps / 8
    torch.testing.assert_close(covariance.diagonal(), torch.ones(n_components).double())
    if n_components <= 4:
        torch.testing.assert_close(covariance, torch.eye(n_components).double())


def test_the_draws_of_a_score_are_kept_for_passes_with_gradients():
    draws.cache_clear()
    with torch.inference_mode():
        eps = draws(3, 8)
    assert not eps.is_inference()


def test_the_log_likelihood_of_a_plain_code_is_that_of_its_reconstruction():
    model, batch = model_with(Plain(2)), batch_of()
    expected = model.likelihood.score(model.decode(model.encode(batch.x)), batch.x)
    torch.testing.assert_close(log_likelihood(model, batch.x), expected)
    gaussian = GaussianLikelihood().double()
    gaussian.variance.fill_(0.5)
    model.likelihood = gaussian
    normal = torch.distributions.Normal(model.reconstruct(batch.x), 0.5**0.5)
    torch.testing.assert_close(log_likelihood(model, batch.x), normal.log_prob(batch.x).sum(1))
