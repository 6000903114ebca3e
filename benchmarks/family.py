"""The family: models beside pythae's, each on its own measure, and all models of narrows beside each other.

    python benchmarks/family.py pythae [--models vae iwae ...] [--epochs 20] [--seeds 1]
    python benchmarks/family.py table [--models ae vae ...] [--seconds 20] [--seeds 3]

pythae: 10,000 images of MNIST, each pixel drawn once as 0 or 1. Both sides have the same MLP 784-512-256-16, epochs and
batches of 128, and the better of two learning rates by one half of the test images; the other half is measured, by the
same functions on both sides. vae, iwae and vamp: negative log-likelihood by importance sampling. betatcvae: the loss of
its paper on test images. vqvae: squared error of a pixel, where each component is one of 512 numbers, as in pythae.
wae, aae and raegp: Frechet distance of new images from test images, drawn from the prior, and for raegp from a mixture
of 10 Gaussians of the codes. A line also gives the squared error. Seconds are CPU seconds of the training alone, in
turn, after a short training of each side.
table: all recipes that take images, with 16 components (vqvae2: 20) and the same seconds on 10,000 images of
Fashion-MNIST: error, bound, distance of samples, neighbours, components in use. The means over seeds, with 95 %
intervals by Student's t.
"""

from __future__ import annotations

import functools
import math
import statistics
import tempfile
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from common import arguments, cpu_timed, keep, timed
from peers import mlp, quiet
from scipy import stats
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

import narrows
from narrows import recipes
from narrows.data import named
from narrows.evaluation.features import Space
from narrows.evaluation.samples import frechet_distance

N_COMPONENTS, HIDDEN, BATCH = 16, (512, 256), 128
RATES = (1e-3, 3e-4)
N_IMAGES, N_TEST = 10_000, 2_000
_DRAWS, _PASS = 100, 250
_LOG_2PI = math.log(2 * math.pi)
_BETA = 6.0  # of betatcvae on both sides
_SIZES = {"vqvae2": 20}  # grids of 4 x 4 and 2 x 2 places: none have 16


class Side(NamedTuple):
    """A trained model of either side.

    Attributes
    ----------
    seconds : CPU seconds of the training.
    encode : images (n x 1 x h x w) -> mean and log standard deviation of the codes (n x L each); (codes, None) of plain
        ones.
    decode : codes (n x L) -> the mean of each pixel (n x 784).
    log_prior : codes (n x L) -> n log densities in nats; None without a prior.
    """

    seconds: float
    encode: Callable[[Tensor], tuple[Tensor, Tensor | None]]
    decode: Callable[[Tensor], Tensor]
    log_prior: Callable[[Tensor], Tensor] | None = None


# ---------------------------------------------------------------------------------------------------- measures


def log_normal(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return log N(z; mean, std^2) of each component."""
    return -0.5 * ((z - mean) * (-log_std).exp()).square() - log_std - 0.5 * _LOG_2PI


def log_bernoulli(x: Tensor, p: Tensor) -> Tensor:
    """Return log p(x | z) of each image in nats."""
    return -F.binary_cross_entropy(p.clamp(1e-6, 1 - 1e-6), x.flatten(1), reduction="none").sum(1)


def nll(side: Side, x: Tensor, train: Tensor) -> float:
    """Return the negative log-likelihood in nats per image, by importance sampling with 100 draws."""
    assert side.log_prior is not None
    generator, total = torch.Generator().manual_seed(0), 0.0
    for part in x.split(_PASS):
        mean, log_std = side.encode(part)
        assert log_std is not None
        log_w = []
        for _ in range(_DRAWS):
            z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
            log_q = log_normal(z, mean, log_std).sum(1)
            log_w.append(log_bernoulli(part, side.decode(z)) + side.log_prior(z) - log_q)
        total -= float((torch.stack(log_w).logsumexp(0) - math.log(_DRAWS)).sum())
    return total / len(x)


def tc_loss(side: Side, x: Tensor, train: Tensor) -> float:
    """Return nll + mutual information + 6 total correlation + KL of each component, with q(z) of the test images."""
    generator = torch.Generator().manual_seed(0)
    mean, log_std = side.encode(x)
    assert log_std is not None
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
    log_q = log_normal(z[:, None], mean, log_std)  # n x n x L
    log_q_x = log_normal(z, mean, log_std).sum(1)
    log_q_z = log_q.sum(2).logsumexp(1) - math.log(len(x))
    log_q_each = (log_q.logsumexp(1) - math.log(len(x))).sum(1)
    log_p = log_normal(z, torch.zeros(1), torch.zeros(1)).sum(1)
    nats = -log_bernoulli(x, side.decode(z)) + (log_q_x - log_q_z) + _BETA * (log_q_z - log_q_each) + log_q_each - log_p
    return float(nats.mean())


def error(side: Side, x: Tensor, train: Tensor) -> float:
    """Return the mean squared error of a pixel at the codes of x."""
    return float((side.decode(side.encode(x)[0]) - x.flatten(1)).square().mean())


def frechet(side: Side, x: Tensor, new: Tensor) -> float:
    """Return the Frechet distance of images decoded from the codes `new` from x, in features of a fixed network."""
    space = Space(x)
    return frechet_distance(space.real, space.features(side.decode(new).view_as(x)))


def frechet_of_prior(side: Side, x: Tensor, train: Tensor) -> float:
    """Return the Frechet distance of images decoded from N(0, I)."""
    return frechet(side, x, torch.randn(len(x), N_COMPONENTS, generator=torch.Generator().manual_seed(0)))


def frechet_of_mixture(side: Side, x: Tensor, train: Tensor) -> float:
    """Return the Frechet distance of images decoded from a mixture of 10 Gaussians of the training images' codes."""
    mixture = GaussianMixture(10, random_state=0).fit(side.encode(train)[0].double().numpy())
    return frechet(side, x, torch.from_numpy(mixture.sample(len(x))[0]).float())


class Model(NamedTuple):
    """A model of both libraries: names, parameters and its own measure, of which less is better."""

    ours: str
    parameters: dict[str, Any]
    theirs: str
    config: dict[str, Any]
    measure: Callable[[Side, Tensor, Tensor], float]
    is_binary: bool = True  # a Bernoulli likelihood; otherwise the squared error
    is_adversarial: bool = False


MODELS = {
    "vae": Model("vae", {}, "VAE", {}, nll),
    "iwae": Model("iwae", {"n_draws": 10}, "IWAE", {"number_samples": 10}, nll),
    "vamp": Model("vamp", {"n_modes": 50}, "VAMP", {"number_components": 50}, nll),
    "betatcvae": Model("betatcvae", {"beta": _BETA}, "BetaTCVAE", {"beta": _BETA}, tc_loss),
    "wae": Model("wae", {}, "WAE_MMD", {}, frechet_of_prior, is_binary=False),
    "aae": Model("aae", {}, "Adversarial_AE", {"deterministic_posterior": True}, frechet_of_prior, False, True),
    "raegp": Model("raegp", {}, "RAE_GP", {}, frechet_of_mixture, is_binary=False),
    "vqvae": Model("vqvae", {"group_size": 1, "n_codes": 512}, "VQVAE", {"use_ema": True}, error, is_binary=False),
}

# ---------------------------------------------------------------------------------------------------- both sides


def ours(model: Model, X: np.ndarray, epochs: int, rate: float, seed: int) -> Side:
    """Train the model of narrows on its defaults, but for the network, the batch, the epochs and the rate."""
    cls = narrows.estimator(model.ours)
    likelihood = "bernoulli" if model.is_binary else "gaussian"
    settings = {"network": "mlp", "hidden": HIDDEN, "likelihood": likelihood, "start": "random"}
    settings |= {"batch_size": BATCH, "max_epochs": epochs, "early_stopping": False, "learning_rate": rate}
    settings |= {"random_state": seed, "device": "cpu", "verbose": 0, **model.parameters}
    made = cls(N_COMPONENTS, **{name: value for name, value in settings.items() if name in cls.parameters()})
    _, seconds = cpu_timed(lambda: made.fit(X))
    parts = made.model_.eval()
    code = parts.stochastic

    def encode(x: Tensor) -> tuple[Tensor, Tensor | None]:
        h = parts.encoder(x)
        if code is not None and hasattr(code, "split"):
            mean, log_std = code.split(h)
            return mean, log_std
        return parts.bottleneck.encode(h), None

    def decode(z: Tensor) -> Tensor:
        return parts.likelihood.mean(parts.decoder(z)).flatten(1)

    return Side(seconds, encode, decode, None if code is None else code.log_prior)


def theirs(model: Model, X: np.ndarray, epochs: int, rate: float, seed: int) -> Side:
    """Train the model of pythae by its trainer on its defaults, but for the network, the batch, epochs and rate."""
    import pythae.models
    from pythae.data.datasets import BaseDataset
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import AdversarialTrainer, AdversarialTrainerConfig, BaseTrainer, BaseTrainerConfig

    config_class = getattr(pythae.models, f"{model.theirs}_Config", None) or getattr(
        pythae.models, f"{model.theirs}Config"
    )
    loss = {"reconstruction_loss": "bce"} if model.is_binary else {}
    config = config_class(input_dim=(1, 28, 28), latent_dim=N_COMPONENTS, **loss, **model.config)
    is_drawn = model.is_binary

    class Encoder(BaseEncoder):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Tensor) -> Any:
            mean, log_variance = self.module(x).chunk(2, 1)
            is_asked = is_drawn or model.is_adversarial  # which reads it, also where the posterior is a point
            return ModelOutput(embedding=mean, **({"log_covariance": log_variance} if is_asked else {}))

    class Decoder(BaseDecoder):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.module(z).sigmoid())

    torch.manual_seed(seed)
    encoder, decoder = mlp()
    made = getattr(pythae.models, model.theirs)(config, encoder=Encoder(encoder), decoder=Decoder(decoder))
    rates = (
        {"autoencoder_learning_rate": rate, "discriminator_learning_rate": rate}
        if model.is_adversarial
        else {"learning_rate": rate}
    )
    trainer_class, settings_class = (
        (AdversarialTrainer, AdversarialTrainerConfig) if model.is_adversarial else (BaseTrainer, BaseTrainerConfig)
    )
    x = torch.from_numpy(X).float().unsqueeze(1)
    with tempfile.TemporaryDirectory() as folder, quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = settings_class(
            output_dir=folder,
            num_epochs=epochs,
            per_device_train_batch_size=BATCH,
            seed=seed,
            no_cuda=True,
            keep_best_on_train=not model.is_adversarial,
            **rates,
        )
        trainer = trainer_class(made, BaseDataset(x, torch.ones(len(x))), training_config=settings)
        _, seconds = cpu_timed(trainer.train)
    best = trainer._best_model.eval()

    def encode(x: Tensor) -> tuple[Tensor, Tensor | None]:
        code = best.encoder(x)
        if is_drawn:
            return code.embedding, code.log_covariance / 2
        if not hasattr(best, "quantizer"):
            return code.embedding, None
        found = best.quantizer(code.embedding.reshape(len(x), 1, 1, -1).permute(0, 2, 3, 1), uses_ddp=False)
        return found.quantized_vector.reshape(len(x), -1), None

    def log_prior(z: Tensor) -> Tensor:
        if hasattr(best, "_log_p_z"):  # without the constant
            return best._log_p_z(z) - 0.5 * N_COMPONENTS * _LOG_2PI
        return log_normal(z, torch.zeros(1), torch.zeros(1)).sum(1)

    return Side(seconds, encode, lambda z: best.decoder(z).reconstruction.flatten(1), log_prior)


@functools.cache  # of all models
def binary_mnist() -> tuple[np.ndarray, np.ndarray]:
    """Return 10,000 and 2,000 images of MNIST, whose pixels are drawn once: 0 or 1 (n x 28 x 28, 8 bits)."""
    rng = np.random.default_rng(0)
    train, test = (named.load("mnist", part).X[:n] for part, n in (("train", N_IMAGES), ("test", N_TEST)))
    return tuple((rng.random(x.shape) * 255 < x).astype(np.uint8) for x in (train, test))  # type: ignore[return-value]


def beside_pythae(name: str, epochs: int, seeds: int) -> dict[str, Any]:
    """Train a model on both sides in turn, print a line, and return the results."""
    X, T = binary_mnist()
    train, test = (torch.from_numpy(x).float().unsqueeze(1) for x in (X, T))
    chosen_by, measured = test[: N_TEST // 2], test[N_TEST // 2 :]
    model = MODELS[name]
    rows: dict[str, list[dict[str, float]]] = {"pythae": [], "narrows": []}
    for make in (theirs, ours):  # what is imported and prepared once is not counted
        make(model, X[:BATCH], 1, RATES[0], 0)
    for seed in range(seeds):
        tried: dict[str, list[tuple[float, Side, float]]] = {"pythae": [], "narrows": []}
        for rate in RATES:
            for side_name, make in (("pythae", theirs), ("narrows", ours)):
                side = make(model, X, epochs, rate, seed)
                with torch.no_grad():
                    tried[side_name].append((model.measure(side, chosen_by, train), side, rate))
        for side_name, all_tried in tried.items():
            _, side, rate = min(all_tried, key=lambda one: one[0])
            with torch.no_grad():
                row = {"own": model.measure(side, measured, train), "error": error(side, measured, train)}
            seconds = statistics.median(one[1].seconds for one in all_tried)
            rows[side_name].append({**row, "seconds": seconds, "rate": rate})
    means = {side: {k: statistics.mean(r[k] for r in own) for k in own[0]} for side, own in rows.items()}
    speed = means["pythae"]["seconds"] / means["narrows"]["seconds"]
    print(f"{name:10} {model.measure.__name__:18}", end="")
    for side_name, mean in means.items():
        print(f"  {side_name} {mean['own']:9.4g} (error {mean['error']:.4f}, {mean['seconds']:5.1f} s)", end="")
    print(f"  {speed:.2f} times as fast", flush=True)
    return {"measure": model.measure.__name__, **rows}


# ---------------------------------------------------------------------------------------------------- all models

COLUMNS = {
    "mse": "error of a pixel",
    "elbo": "bound, nats",
    "frechet": "distance of samples",
    "knn_accuracy": "10-NN accuracy",
    "active_components": "components in use",
}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the half-width of its 95 % interval by Student's t."""
    if len(values) < 2:
        return float(np.mean(values)), math.nan
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.mean(values), float(half)


def beside_each_other(models: Sequence[str], seconds: float, seeds: int) -> dict[str, Any]:
    """Fit each recipe for so many seconds with each seed, print the table in Markdown, and return the results."""
    train, test = (named.load("fashion-mnist", part) for part in ("train", "test"))
    X, T, y = train.X[:N_IMAGES], test.X[:N_TEST], test.y[:N_TEST]
    results: dict[str, Any] = {"n": N_IMAGES, "seconds": seconds, "seeds": seeds, "models": {}}
    print(f"| model | {' | '.join(COLUMNS.values())} | seconds |")
    print(f"|---{'|---' * (len(COLUMNS) + 1)}|")
    for name in models:
        rows: list[dict[str, float]] = []
        missing: dict[str, str] = {}
        for seed in range(seeds):
            cls = narrows.estimator(name)
            made = cls(_SIZES.get(name, N_COMPONENTS), max_time=seconds, random_state=seed, verbose=0)
            try:
                _, spent = timed(lambda made=made: made.fit(X))
            except (ValueError, ImportError) as problem:
                missing["fit"] = str(problem)
                break
            found = narrows.evaluate(
                *(made, T, y), train=X[:N_TEST], measures=list(COLUMNS), skip_missing=True, verbose=0
            )
            missing |= found.missing
            rows.append({"seconds": spent} | {column: found.values[column] for column in COLUMNS if column in found})
        results["models"][name] = {"rows": rows, "missing": missing}
        if not rows:
            print(f"| `{name}` | {missing['fit']} |")
            continue
        cells = []
        for column in (*COLUMNS, "seconds"):
            values = [row[column] for row in rows if column in row]
            mean, half = interval(values) if values else (math.nan, math.nan)
            digits = 4 if column == "mse" else 3 if column == "knn_accuracy" else 1
            plus = "" if math.isnan(half) or column == "seconds" else f" ± {half:.{digits}f}"
            cells.append(f"{mean:.{digits}f}{plus}" if values else "–")
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)
    return results


def main() -> None:
    """Run the jobs that the command line names."""
    parser = arguments(__doc__, ("pythae", "table"))
    parser.add_argument("--models", nargs="*", help="names of models (default: all)")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seeds", type=int)
    options = parser.parse_args()
    jobs = options.jobs or ["pythae", "table"]
    if "pythae" in jobs:
        epochs, seeds = options.epochs, options.seeds or 1
        print(f"{N_IMAGES:,} binary images of MNIST, {epochs} epochs, batches of {BATCH}, {seeds} seeds, rates {RATES}")
        for name in options.models or MODELS:
            results = beside_pythae(name, epochs, seeds)
            keep(f"family_pythae_{name}", {"n": N_IMAGES, "epochs": epochs, "rates": RATES, **results}, "pythae")
    if "table" in jobs:
        names = options.models or [name for name, r in recipes.RECIPES.items() if not r.is_tabular and not r.is_layered]
        keep("family_table", beside_each_other(names, options.seconds, options.seeds or 3))


if __name__ == "__main__":
    main()
