"""AE, VAE, DAE and SAE on Fashion-MNIST (60,000 train, 10,000 test), on their defaults except for what is named here.

    python benchmarks/fashion_mnist.py [ae vae-60s vae-mlp vae dae sae]

The time of a fit is that of the whole call of `fit`. PCA and scikit-image's denoisers run in the same
process on the same test images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from common import SEED, arguments, keep, show, timed
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, denoise_wavelet

import narrows

N_DENOISED = 500
SIGMA = 0.3


def measured(model: Any, X: np.ndarray, T: np.ndarray) -> dict[str, float]:
    """Fit a model; return seconds, epochs and the measures on the test images."""
    _, seconds = timed(lambda: model.fit(X))
    return {"seconds": seconds, "epochs": model.n_iter_, **narrows.evaluate(model, T, train=X).to_dict()}


def ae(X: np.ndarray, T: np.ndarray) -> dict[str, float]:
    """AE, 16 components: test MSE per pixel."""
    return measured(narrows.AE(16, random_state=SEED), X, T)


def vae_60s(X: np.ndarray, T: np.ndarray) -> dict[str, float]:
    """VAE, 16 components, Bernoulli, a minute in all: negative ELBO on test."""
    return measured(narrows.VAE(16, likelihood="bernoulli", max_time=54, random_state=SEED), X, T)


def vae_mlp(X: np.ndarray, T: np.ndarray) -> dict[str, float]:
    """VAE, 16 components, Bernoulli: negative ELBO on test."""
    return measured(narrows.VAE(16, likelihood="bernoulli", max_time=480, random_state=SEED), X, T)


def vae(X: np.ndarray, T: np.ndarray) -> dict[str, float]:
    """VAE, 16 components, Bernoulli, convolutions, eight minutes in all: negative ELBO on test."""
    limits = {"max_epochs": 60, "max_time": 455}
    return measured(narrows.VAE(16, likelihood="bernoulli", network="conv", random_state=SEED, **limits), X, T)


def sae(X: np.ndarray, T: np.ndarray) -> dict[str, float]:
    """SAE, 1,024 units, top 16: test MSE per pixel and dead units."""
    return measured(narrows.SAE(1024, k=16, random_state=SEED), X, T)


def dae(X: np.ndarray, T: np.ndarray) -> dict[str, float]:
    """DAE against scikit-image's denoisers: PSNR on noisy test images, noise of 0.3 of the range, not clipped."""
    model = narrows.DAE(level=SIGMA, random_state=SEED)
    _, seconds = timed(lambda: model.fit(X / np.float32(255)))
    clean = T / np.float32(255)
    noisy = clean + np.random.default_rng(SEED).normal(0, SIGMA, clean.shape).astype(np.float32)
    results = {"seconds": seconds, "epochs": model.n_iter_, "psnr": psnr(model.denoise(noisy), clean)}
    clean, noisy = clean[:N_DENOISED], noisy[:N_DENOISED]
    results["n_compared"] = N_DENOISED
    results["psnr_compared"] = psnr(model.denoise(noisy), clean)
    results["psnr_noisy"] = psnr(noisy, clean)
    rivals: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
        "tv": lambda image, strength: denoise_tv_chambolle(image, weight=strength),
        "wavelet": lambda image, strength: denoise_wavelet(image, sigma=strength, rescale_sigma=True),
        "nl_means": lambda image, strength: denoise_nl_means(
            image, h=strength, sigma=SIGMA, patch_size=5, patch_distance=6, fast_mode=True
        ),
    }
    for name, clean_by in rivals.items():
        # each rival has the strength that suits it best on these same images
        tried = [
            psnr(np.stack([clean_by(image, SIGMA * share) for image in noisy]).clip(0, 1), clean)
            for share in (0.4, 0.6, 0.8, 1.0, 1.3)
        ]
        results[f"psnr_{name}"] = max(tried)
    results["gain"] = results["psnr_compared"] - max(results[f"psnr_{name}"] for name in rivals)
    return results


def psnr(images: np.ndarray, clean: np.ndarray) -> float:
    """Return the mean over images of the peak signal-to-noise ratio in dB, for a range of 1."""
    error = np.square(images - clean).reshape(len(clean), -1).mean(1)
    return float((10 * np.log10(1 / error)).mean())


JOBS = {"ae": ae, "vae-60s": vae_60s, "vae-mlp": vae_mlp, "vae": vae, "dae": dae, "sae": sae}


def main() -> None:
    """Run the named jobs, or all."""
    names = arguments(__doc__, JOBS).parse_args().jobs or list(JOBS)
    X, T = (narrows.load_dataset("fashion-mnist", split).X for split in ("train", "test"))
    setting = {"seed": SEED, "n_train": len(X), "n_test": len(T)}
    results: dict[str, dict[str, float]] = {}
    for name in names:
        results[name] = JOBS[name](X, T)
        print(f"\n{name}: {JOBS[name].__doc__}")
        show(results[name])
        keep(f"fashion_mnist_{name}", {**setting, name: results[name]})


if __name__ == "__main__":
    main()
