"""Cleaning photos: PSNR in dB on Set12 (grey), Gaussian noise of sigma 15, 25 and 50 of 255, beside BM3D.

    python benchmarks/photos.py [bm3d clean noisy] [--models FOLDER] [--minutes 55] [--evaluate]

- `bm3d`: the `bm3d` package on the same noisy photos; it knows sigma.
- `clean`: one PhotoDenoiser for all three levels, trained on clean photos of Train400; it does not know sigma.
- `noisy`: one trained only on Train400 with noise of sigma 25, one fixed draw for each photo; it never sees a clean
  photo, and knows the level in training, as BM3D does.

Noise is not clipped, results are clipped to [0, 1]; the PSNR is the mean over the twelve photos. "ensemble" averages
over eight flips and turns. An interrupted training continues from its checkpoint in the folder of models (with
--evaluate it is also measured after Ctrl-C); `cpu_seconds` is the sum over its runs. bm3d's numbers are kept photo by
photo and not computed again. Needs NARROWS_DATA with denoising_train400.npz and denoising_set12.npz.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, SEED, arguments, keep, show

from narrows.tasks import PhotoDenoiser

SIGMAS = (15, 25, 50)
SIGMA_ALONE = 25
EPOCHS = 200
PUBLISHED = {
    "BM3D": dict(zip(SIGMAS, (32.37, 29.97, 26.72), strict=True)),
    "DnCNN, one network for each sigma": dict(zip(SIGMAS, (32.86, 30.44, 27.18), strict=True)),
}


def data(name: str) -> Path:
    """Return the path of a file in NARROWS_DATA."""
    return Path(os.environ["NARROWS_DATA"]) / f"denoising_{name}.npz"


def noisy(image: np.ndarray, sigma: float, number: int) -> np.ndarray:
    """Return photo number `number` on the [0, 1] scale with its own noise."""
    generator = np.random.default_rng([SEED, number])
    return (image / 255 + sigma / 255 * generator.standard_normal(image.shape)).astype(np.float32)


def psnr(result: np.ndarray, image: np.ndarray) -> float:
    """Return the PSNR of a result on the [0, 1] scale, in dB."""
    return float(-10 * np.log10(np.square(result.clip(0, 1) - image / 255).mean()))


def on_set12(clean: Callable[[np.ndarray, int], np.ndarray], sigma: int) -> list[float]:
    """Return the PSNR of each photo, in dB."""
    with np.load(data("set12")) as photos:
        names = sorted(photos.files)
        return [psnr(clean(noisy(photos[n], sigma, i), sigma), photos[n]) for i, n in enumerate(names)]


def bm3d(_: Any) -> None:
    """Clean the photos by BM3D, and write the results photo by photo."""
    import bm3d as peer

    path = RESULTS / "photos_bm3d.json"
    each = json.loads(path.read_text())["each"] if path.exists() else {}
    with np.load(data("set12")) as photos:
        for sigma in SIGMAS:
            values = each.setdefault(str(sigma), {})
            for i, name in enumerate(sorted(photos.files)):
                if name not in values:
                    result = peer.bm3d(noisy(photos[name], sigma, i), sigma / 255)
                    values[name] = psnr(result, photos[name])
                    keep("photos_bm3d", {"mean": means(each), "each": each}, "bm3d")
    show({"bm3d": means(each)})


def means(each: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the mean over the photos, where all are cleaned."""
    return {sigma: float(np.mean(list(values.values()))) for sigma, values in each.items() if len(values) == 12}


def load_or_train(name: str, method: str, photos: list[np.ndarray], options: Any, **parameters: Any) -> PhotoDenoiser:
    """Return the model in the folder `name`; train it first if it is not finished."""
    folder, limit = Path(options.models) / name, 60 * options.minutes
    if (folder / "recipe.json").exists():
        return PhotoDenoiser.load(folder)
    clock = folder / "cpu_seconds.json"
    before = json.loads(clock.read_text()) if clock.exists() else 0.0
    model = PhotoDenoiser(
        method, max_epochs=EPOCHS, max_time=limit, random_state=SEED, checkpoint=folder, verbose=2, **parameters
    )
    start = time.process_time()
    try:
        model.fit(photos)
    except KeyboardInterrupt:
        if not options.evaluate:
            raise
        return model
    finally:
        folder.mkdir(parents=True, exist_ok=True)
        clock.write_text(json.dumps(before + time.process_time() - start))
    model.save(folder)
    return model


def measure(model: PhotoDenoiser, name: str, sigmas: tuple[int, ...], options: Any) -> None:
    """Print and write the model's PSNR, beside BM3D and published numbers."""
    values: dict[str, dict[int, float]] = {"narrows": {}, "narrows, ensemble": {}}
    for sigma in sigmas:
        for key, ensemble in (("narrows", False), ("narrows, ensemble", True)):
            values[key][sigma] = float(np.mean(on_set12(lambda y, _, e=ensemble: model.denoise(y, ensemble=e), sigma)))
    path = RESULTS / "photos_bm3d.json"
    peer = json.loads(path.read_text())["mean"] if path.exists() else {}
    clock = Path(options.models) / name / "cpu_seconds.json"
    results = {
        **values,
        "bm3d package, told sigma": {s: peer[str(s)] for s in sigmas if str(s) in peer},
        "published": {who: {s: published[s] for s in sigmas} for who, published in PUBLISHED.items()},
        "cpu_seconds": json.loads(clock.read_text()) if clock.exists() else None,
        "epochs": model.n_iter_,
        "steps": model.history_[-1]["step"] if model.history_ else 0,
        "parameters": sum(p.numel() for p in model.model_.parameters()),
        "seed": SEED,
        "n": 12,
    }
    show(results)
    keep(f"photos_{name}", results, "bm3d")


def clean(options: Any) -> None:
    """Train a blind model on clean photos, and measure it."""
    with np.load(data("train400")) as file:
        photos = list(file["images"])
    measure(load_or_train("clean", "clean", photos, options), "clean", SIGMAS, options)


def alone(options: Any) -> None:
    """Train a model that never sees a clean photo, and measure it."""
    with np.load(data("train400")) as file:
        photos = [noisy(image, SIGMA_ALONE, 1000 + i) for i, image in enumerate(file["images"])]
    model = load_or_train("noisy", "recorrupt", photos, options, level=SIGMA_ALONE / 255)
    measure(model, "noisy", (SIGMA_ALONE,), options)


JOBS: dict[str, Callable[[Any], None]] = {"bm3d": bm3d, "clean": clean, "noisy": alone}


def main() -> None:
    """Run the named jobs, or all."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--models", default="photo-models", help="where models and checkpoints lie")
    parser.add_argument("--minutes", type=float, default=55, help="of training, at most, in all its runs")
    parser.add_argument("--evaluate", action="store_true", help="measure a training that is interrupted, too")
    options = parser.parse_args()
    for name in options.jobs or JOBS:
        JOBS[name](options)


if __name__ == "__main__":
    main()
