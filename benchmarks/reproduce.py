"""Published log-likelihoods of MNIST: models of narrows with the networks of pythae's reproductions.

    python benchmarks/reproduce.py [vae iwae ...] [--epochs 400] [--images 60000] [--draws 5000] [--device cuda]

Each job trains one model and prints the negative log-likelihood of the test images in nats, beside what pythae obtained
and what the paper of the model reports. Both figures, the networks, the codes and the numbers of draws are those of
https://github.com/clementchadebec/benchmark_VAE/tree/main/examples/scripts/reproducibility:

    vae                   MLP 784-400-40, ReLU: fixed pixels, 200 draws
    iwae                  MLP 784-200-200-50, tanh, 50 draws in the bound: fixed pixels, 5,000 draws
    vamp                  MLP 784-300-300-40, gated, 500 modes: fixed pixels, 5,000 draws
    miwae, piwae, ciwae   MLP 784-200-200-50, tanh, 64 draws in the bound: pixels drawn again, 5,000 draws

Fixed (static) pixels are drawn once as 0 or 1, with the grey value as the probability; drawn again (dynamic) means that
an epoch sees other draws. The two are different data: compare no number of one with a number of the other.

What differs from pythae: the fixed pixels are our own draws, not those of Larochelle and Murray; pixels that are drawn
again are drawn 10 times, and the training repeats these; optimizer, learning rate and schedule are narrows', batches
have 100 images, and epochs are fewer than its 2,000 to 3,280. The share of the ELBO in ciwae is 0.05, as in its table
(0.5 in its configuration). `--images` shortens both parts of the data, and `--draws` the estimate, which is too high
with fewer draws.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from common import SEED, arguments, chosen_device, keep, timed
from torch import nn

import narrows
from narrows.data import named
from narrows.evaluation.likelihood import importance
from narrows.model import inference_mode

N_COPIES = 10  # draws of the pixels of each image, where they are drawn again
BATCH = 100
_SHAPE = (1, 28, 28)


def layers(widths: Sequence[int], make_activation: Callable[[], nn.Module]) -> nn.Sequential:
    """Return linear layers between `widths`, with an activation after all but the last."""
    n_inputs, *hidden, n_outputs = widths
    parts: list[nn.Module] = []
    for width in hidden:
        activation = make_activation()
        n_gates = 2 if isinstance(activation, nn.GLU) else 1  # a gated layer is a * sigmoid(b)
        parts += [nn.Linear(n_inputs, n_gates * width), activation]
        n_inputs = width
    return nn.Sequential(*parts, nn.Linear(n_inputs, n_outputs))


class Job(NamedTuple):
    """A model, its network, and its published negative log-likelihoods in nats.

    Attributes
    ----------
    is_drawn_again : True for pixels that are drawn again, False for fixed ones.
    n_draws : draws of the estimate.
    pythae, paper : what pythae obtained, and what the paper reports.
    """

    n_components: int
    hidden: tuple[int, ...]
    activation: Callable[[], nn.Module]
    parameters: dict[str, Any]
    is_drawn_again: bool
    n_draws: int
    pythae: float
    paper: float

    def network(self) -> tuple[nn.Module, nn.Module]:
        """Return encoder and decoder."""
        encoder = nn.Sequential(nn.Flatten(), layers((784, *self.hidden, 2 * self.n_components), self.activation))
        decoder = layers((self.n_components, *reversed(self.hidden), 784), self.activation)
        return encoder, nn.Sequential(decoder, nn.Unflatten(1, _SHAPE))


_weighted = functools.partial(Job, 50, (200, 200), nn.Tanh)
JOBS = {
    "vae": Job(40, (400,), nn.ReLU, {}, False, 200, 89.78, 89.9),
    "iwae": _weighted({"n_draws": 50}, False, 5000, 86.82, 87.1),
    "vamp": Job(40, (300, 300), nn.GLU, {"n_modes": 500}, False, 5000, 85.79, 85.57),
    "miwae": _weighted({"n_draws": 64, "n_groups": 8}, True, 5000, 85.09, 84.97),
    "piwae": _weighted({"n_draws": 64, "n_groups": 8}, True, 5000, 84.58, 84.46),
    "ciwae": _weighted({"n_draws": 64, "elbo_share": 0.05}, True, 5000, 84.74, 84.57),
}


def binary(part: Literal["train", "test"], n: int, n_copies: int = 1) -> np.ndarray:
    """Return `n_copies` draws of the pixels of the first n images as 0 or 1, 8 bits: n n_copies x 28 x 28."""
    rng, images = np.random.default_rng(SEED), named.load("mnist", part).X[:n]
    return np.concatenate([(rng.random(images.shape) * 255 < images).astype(np.uint8) for _ in range(n_copies)])


def reproduce(name: str, epochs: int, n_images: int, n_draws: int | None, device: str) -> dict[str, Any]:
    """Train a model and return the negative log-likelihood of the test images, published ones, and seconds."""
    job = JOBS[name]
    n_copies = min(N_COPIES, epochs) if job.is_drawn_again else 1
    X, T = binary("train", n_images, n_copies), binary("test", n_images)
    torch.manual_seed(SEED)
    model = narrows.estimator(name)(
        job.n_components,
        network=job.network(),
        likelihood="bernoulli",
        batch_size=BATCH,
        max_epochs=epochs // n_copies,
        early_stopping=not job.is_drawn_again,  # draws of one image would be on both sides
        validation_fraction=1 / 6,  # 10,000 of 60,000
        random_state=SEED,
        device=device,
        verbose=0,
        **job.parameters,
    )
    _, seconds = timed(lambda: model.fit(X))
    nats: list[float] = []
    draws = n_draws or job.n_draws
    for rows in np.array_split(T, max(1, len(T) // 1000)):
        x = model.prepare(rows)
        with inference_mode(model.model_):
            log_p, _ = importance(model.model_, model.apply(model.model_.encoder, x), x, draws, SEED)
        nats += (-log_p).tolist()
    own = {"nll": statistics.mean(nats), "standard_error": statistics.stdev(nats) / len(nats) ** 0.5}
    pixels = "drawn again" if job.is_drawn_again else "fixed"
    sizes = {
        "epochs": epochs // n_copies * n_copies,
        "n": len(X) // n_copies,
        "n_test": len(T),
        "draws": draws,
        "pixels": pixels,
    }
    return {**own, "pythae": job.pythae, "paper": job.paper, **sizes, "seconds": seconds}


def main() -> None:
    """Run the named jobs, or all."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--epochs", type=int, default=400, help="passes over the images")
    parser.add_argument("--images", type=int, default=60_000, help="images of the training part, and most of the test")
    parser.add_argument("--draws", type=int, help="draws of the estimate (default: as published)")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = str(chosen_device(options.device))
    print(f"MNIST, {options.epochs} epochs, seed {SEED}, {device}; negative log-likelihood in nats")
    results: dict[str, Any] = {"epochs": options.epochs, "seed": SEED, "device": device, "jobs": {}}
    for name in options.jobs or JOBS:
        found = results["jobs"][name] = reproduce(name, options.epochs, options.images, options.draws, device)
        print(
            f"{name:6} {found['nll']:7.2f} ± {found['standard_error']:.2f}   pythae {found['pythae']:.2f}   "
            f"paper {found['paper']:.2f}   (pixels {found['pixels']}, n = {found['n']:,}, {found['n_test']:,} test "
            f"images, {found['draws']:,} draws, {found['seconds']:.0f} s)",
            flush=True,
        )
    keep("reproduce", results)


if __name__ == "__main__":
    main()
