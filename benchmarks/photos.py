"""Cleaning photos: PSNR in dB on Set12 (grey), Gaussian noise of sigma 15, 25 and 50 of 255, beside BM3D.

    python benchmarks/photos.py [bm3d clean noisy] [--models FOLDER] [--minutes 55] [--evaluate]

- `bm3d`: the `bm3d` package on the same noisy photos; it is told sigma.
- `clean`: one PhotoDenoiser for all three, which is not told sigma, trained on Train400, clean.
- `noisy`: one that sees Train400 with noise of sigma 25 only, one draw for each photo and for good, and never a clean
  photo; it is told that level in training, as BM3D is.

Noise is not clipped, results are clipped to [0, 1]; the PSNR is the mean over the twelve photos. "ensemble" averages
over eight flips and turns. A training that was interrupted goes on from its checkpoint in the folder of models (with
--evaluate it is measured after Ctrl-C, too); `cpu_seconds` are those of all its runs. bm3d's numbers are kept, photo by
photo, and not computed again. Needs NARROWS_DATA with denoising_train400.npz and denoising_set12.npz.
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
    """A file of NARROWS_DATA."""
    return Path(os.environ["NARROWS_DATA"]) / f"denoising_{name}.npz"


def noisy(image: np.ndarray, sigma: float, number: int) -> np.ndarray:
    """Photo number `number` on the [0, 1] scale, with its own noise."""
    generator = np.random.default_rng([SEED, number])
    return (image / 255 + sigma / 255 * generator.standard_normal(image.shape)).astype(np.float32)


def psnr(estimate: np.ndarray, image: np.ndarray) -> float:
    """Of a result on the [0, 1] scale, dB."""
    return float(-10 * np.log10(np.square(estimate.clip(0, 1) - image / 255).mean()))


def on_set12(clean: Callable[[np.ndarray, int], np.ndarray], sigma: int) -> list[float]:
    """The PSNR of each photo."""
    with np.load(data("set12")) as photos:
        names = sorted(photos.files)
        return [psnr(clean(noisy(photos[n], sigma, i), sigma), photos[n]) for i, n in enumerate(names)]


def bm3d(_: Any) -> None:
    """BM3D on the same photos, kept photo by photo."""
    import bm3d as peer

    path = RESULTS / "photos_bm3d.json"
    each = json.loads(path.read_text())["each"] if path.exists() else {}
    with np.load(data("set12")) as photos:
        for sigma in SIGMAS:
            by_photo = each.setdefault(str(sigma), {})
            for i, name in enumerate(sorted(photos.files)):
                if name not in by_photo:
                    result = peer.bm3d(noisy(photos[name], sigma, i), sigma / 255)
                    by_photo[name] = psnr(result, photos[name])
                    keep("photos_bm3d", {"mean": means(each), "each": each}, "bm3d")
    show({"bm3d": means(each)})


def means(each: dict[str, dict[str, float]]) -> dict[str, float]:
    """The mean over the photos, where all have been cleaned."""
    return {sigma: float(np.mean(list(by_photo.values()))) for sigma, by_photo in each.items() if len(by_photo) == 12}


def trained(name: str, method: str, photos: list[np.ndarray], options: Any, **parameters: Any) -> PhotoDenoiser:
    """The model in the folder `name`, trained to its end unless it is whole already."""
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


def measured(model: PhotoDenoiser, name: str, sigmas: tuple[int, ...], options: Any) -> None:
    """Print and keep what the model reaches, beside BM3D and what was published."""
    psnrs: dict[str, dict[int, float]] = {"narrows": {}, "narrows, ensemble": {}}
    for sigma in sigmas:
        for key, ensemble in (("narrows", False), ("narrows, ensemble", True)):
            psnrs[key][sigma] = float(np.mean(on_set12(lambda y, _, e=ensemble: model.denoise(y, ensemble=e), sigma)))
    path = RESULTS / "photos_bm3d.json"
    peer = json.loads(path.read_text())["mean"] if path.exists() else {}
    clock = Path(options.models) / name / "cpu_seconds.json"
    results = {
        **psnrs,
        "bm3d package, told sigma": {s: peer[str(s)] for s in sigmas if str(s) in peer},
        "published": {who: {s: values[s] for s in sigmas} for who, values in PUBLISHED.items()},
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
    """A single blind model, trained on clean photos."""
    with np.load(data("train400")) as file:
        photos = list(file["images"])
    measured(trained("clean", "clean", photos, options), "clean", SIGMAS, options)


def alone(options: Any) -> None:
    """A model that never sees a clean photo."""
    with np.load(data("train400")) as file:
        photos = [noisy(image, SIGMA_ALONE, 1000 + i) for i, image in enumerate(file["images"])]
    model = trained("noisy", "recorrupt", photos, options, level=SIGMA_ALONE / 255)
    measured(model, "noisy", (SIGMA_ALONE,), options)


JOBS: dict[str, Callable[[Any], None]] = {"bm3d": bm3d, "clean": clean, "noisy": alone}


def main() -> None:
    """Run the jobs that were asked for."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--models", default="photo-models", help="where models and checkpoints lie")
    parser.add_argument("--minutes", type=float, default=55, help="of training, at most, in all its runs")
    parser.add_argument("--evaluate", action="store_true", help="measure a training that is interrupted, too")
    options = parser.parse_args()
    for name in options.jobs or JOBS:
        JOBS[name](options)


if __name__ == "__main__":
    main()
