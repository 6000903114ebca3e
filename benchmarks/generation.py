"""New examples on the digits of scikit-learn: samplers of codes, and samples by label.

    python benchmarks/generation.py [samplers conditional]

`samplers`: AE(8) on 1,437 digits. Measured are the log-density, in nats, of the codes of the 360 others, and the
energy distance 2 E|a - b| - E|a - a'| - E|b - b'| between 2,000 samples and those 360 images as vectors of 64 pixels
(Szekely and Rizzo, 2013, https://doi.org/10.1016/j.jspi.2013.03.018). The training images give its lower limit.

`conditional`: 1,000 samples of given labels by VAE(8, conditional=True), with codes from the region of the label (the
default) or from the prior, and by AE(8) with a mixture for each label; both with `SIZES`. The five nearest neighbours
among all real digits decide whether a sample has its label; by chance one in ten has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from common import SEED, arguments, keep, show
from sklearn.neighbors import KNeighborsClassifier

import narrows

N_SAMPLES = 2_000
SIZES: dict[str, Any] = {"hidden": (256, 128), "max_epochs": 60, "random_state": SEED}


def energy(A: np.ndarray, B: np.ndarray) -> float:
    """Return the energy distance of two sets of images."""
    a, b = (torch.from_numpy(np.ascontiguousarray(images.reshape(len(images), -1))).double() for images in (A, B))
    within = sum(float(torch.cdist(x, x).sum()) / (len(x) * (len(x) - 1)) for x in (a, b))
    return 2 * float(torch.cdist(a, b).mean()) - within


def samplers(X: np.ndarray, y: np.ndarray, T: np.ndarray, t: np.ndarray) -> dict[str, Any]:
    """Fit of each sampler to the codes of held-out digits, and the distance of its samples from them."""
    model = narrows.AE(8, random_state=SEED).fit(X)
    model.fit_sampler(X, "mixture").fit_sampler(X, "flow")
    codes = torch.from_numpy(model.transform(T)).double()
    results: dict[str, Any] = {"energy_of_training_images": energy(X, T)}
    for name in ("gaussian", "mixture", "flow"):
        drawn = model.sample(N_SAMPLES, sampler=name, random_state=SEED)
        results[name] = {"nats": float(model.sampler(name).log_prob(codes).mean()), "energy": energy(drawn, T)}
    results["gaussians_in_the_mixture"] = len(model.samplers_["mixture"].tensors["weights"])
    return results


def conditional(X: np.ndarray, y: np.ndarray, T: np.ndarray, t: np.ndarray) -> dict[str, Any]:
    """Share of samples that have the label they were drawn for."""
    model = narrows.VAE(8, conditional=True, **SIZES).fit(X, y)
    judge = KNeighborsClassifier(5).fit(np.concatenate([X, T]).reshape(-1, 64), np.concatenate([y, t]))
    labels = np.repeat(model.classes_, 100)
    plain = narrows.AE(8, **SIZES).fit(X).fit_sampler(X, "mixture", y)
    results: dict[str, Any] = {"inferred_labels_of_test": float((model.infer_labels(T) == t).mean())}
    sides = {"VAE": (model, "auto"), "VAE, from the prior": (model, "prior"), "AE, mixtures": (plain, "auto")}
    for name, (one, sampler) in sides.items():
        drawn = one.sample(len(labels), y=labels, sampler=sampler, random_state=SEED)
        right = float((judge.predict(drawn.reshape(-1, 64)) == labels).mean())
        results[name] = {"asked_label": right, "energy": energy(drawn, T)}
    return results


JOBS = {"samplers": samplers, "conditional": conditional}


def main() -> None:
    """Run the named jobs, or all."""
    names = arguments(__doc__, JOBS).parse_args().jobs or list(JOBS)
    train, test = (narrows.load_dataset("digits", split) for split in ("train", "test"))
    for name in names:
        results = JOBS[name](train.X, np.asarray(train.y), test.X, np.asarray(test.y))
        print(f"\n{name}: {JOBS[name].__doc__}")
        show(results)
        keep(
            f"generation_{name}", {"seed": SEED, "n_train": len(train.X), "n_test": len(test.X), name: results}, "zuko"
        )


if __name__ == "__main__":
    main()
