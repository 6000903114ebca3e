"""Makes the folders beside this file: models as narrows saved them at commit acfb3a0, and what they gave there.

    git worktree add /tmp/old acfb3a0 && PYTHONPATH=/tmp/old/src python tests/saved/make.py

`iwae` is from commit 7bc261d, where it was a recipe of its own and no preset: a model with 5 draws, made in the same
way.
They stay as they are: narrows reads what it once wrote. A new layout gets folders of its own, beside these.
"""

import signal
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import save_file
from sklearn.datasets import load_digits, load_iris

import narrows
from narrows.tasks import Index, OutlierDetector, PhotoDenoiser
from narrows.training.loop import Trainer

HERE = Path(__file__).parent
N = 12  # examples whose outputs are kept
SMALL = {"hidden": (6,), "max_epochs": 4, "batch_size": 32, "random_state": 0, "contamination": 0.1}
SMALL |= {"device": "cpu", "precision": "float32", "compile": False}
INTERRUPTED = {**SMALL, "n_components": 2, "max_epochs": 8}


def data() -> dict[str, np.ndarray]:
    """Small real data; the checkpoint's training needs all of it, the models' outputs the first rows."""
    iris, digits, rng = load_iris(), load_digits(), np.random.default_rng(0)
    order = rng.permutation(len(iris.data))
    return {
        "vectors": iris.data[order],
        "labels": iris.target[order],
        "images": (digits.images[:150] * 15).astype(np.uint8),
        "counts": rng.poisson(0.4, size=(150, 6)).astype(np.int64),
    }


def models(rows: dict[str, np.ndarray]) -> dict[str, tuple[narrows.AE, np.ndarray | pd.DataFrame]]:
    """A fitted model of each kind, and the examples that it was fitted on."""
    X, images = rows["vectors"], rows["images"]
    words = np.array(load_iris().target_names.tolist(), object)[rows["labels"]]
    some = words.copy()
    some[::2] = None
    frame = pd.DataFrame(X, columns=["sepal length", "sepal width", "petal length", "petal width"])
    return {
        "ae": (narrows.AE(2, **SMALL).fit(X), X),
        "ae-frame": (narrows.AE(2, **SMALL).fit(frame), frame),
        "ae-conv": (narrows.AE(2, **{**SMALL, "network": "conv", "max_epochs": 1}).fit(images), images),
        "vae": (narrows.VAE(2, **SMALL).fit(X).fit_sampler(X, "mixture"), X),
        "vae-images": (narrows.VAE(3, **SMALL, likelihood="continuous_bernoulli").fit(images), images),
        "vae-counts": (narrows.VAE(2, **SMALL).fit(rows["counts"]), rows["counts"]),
        "vae-conditional": (narrows.VAE(2, **SMALL, conditional=True).fit(X, words), X),
        "vae-semi-supervised": (narrows.VAE(2, **SMALL, conditional=True).fit(X, some), X),
        "dae": (narrows.DAE(**SMALL, network="mlp").fit(images), images),
        "dae-code": (narrows.DAE(2, **SMALL, noise="masking", level=(0.1, 0.4)).fit(X), X),
        "sae-topk": (narrows.SAE(12, **SMALL, k=3).fit(X), X),
        "sae-l1": (narrows.SAE(12, **SMALL, sparsity="l1").fit(X), X),
        "sae-kl": (narrows.SAE(12, **SMALL, sparsity="kl").fit(X), X),
        "mapae": (narrows.MapAE(2, **SMALL).fit(X), X),
    }


def outputs(model: narrows.AE, X: np.ndarray | pd.DataFrame) -> dict[str, np.ndarray]:
    """What a model gives for X."""
    results = {
        "reconstruct": model.reconstruct(X),
        "score_samples": model.score_samples(X),
        "predict": model.predict(X),
    }
    if model.n_components is not None:
        results["transform"] = model.transform(X)
        if not isinstance(model, narrows.SAE):
            results["sample"] = model.sample(5, random_state=0, noise=False)
            results["noisy sample"] = model.sample(5, random_state=0, noise=True)
    if getattr(model, "conditional", False):
        results["sample of a label"] = model.sample(5, y="setosa", random_state=0)
        results["infer_labels"] = np.searchsorted(model.classes_, model.infer_labels(X))
    return {name: np.ascontiguousarray(value) for name, value in results.items()}


def interrupted(X: np.ndarray, folder: Path) -> None:
    """Leave the checkpoint of a training that was stopped at its 20th step, and the codes of one that was not."""
    whole = narrows.VAE(**INTERRUPTED).fit(X)
    step = Trainer.learn

    def stopping(self: Trainer, index: torch.Tensor) -> None:
        step(self, index)
        if self.at.step == 20:
            signal.raise_signal(signal.SIGINT)

    Trainer.learn = stopping  # type: ignore[method-assign]
    try:
        narrows.VAE(**INTERRUPTED, checkpoint=folder).fit(X)
    except KeyboardInterrupt:
        save_file({"transform": whole.transform(X[:N])}, folder / "expected.safetensors")
        (folder / "log.jsonl").unlink()  # it says when and where, which is of no use here
    finally:
        Trainer.learn = step  # type: ignore[method-assign]


def main() -> None:
    """Make all folders."""
    torch.set_num_threads(1)
    rows = data()
    save_file({name: np.ascontiguousarray(value) for name, value in rows.items()}, HERE / "data.safetensors")
    for name, (model, X) in models(rows).items():
        model.save(HERE / name)
        save_file(outputs(model, X[:N]), HERE / name / "expected.safetensors")
        if name == "vae":
            index = Index(model).add(X)
            index.save(HERE / "index")
            rows_found, distances, _ = index.search(X[:N], k=3)
            save_file({"rows": rows_found, "distances": distances}, HERE / "index" / "expected.safetensors")
    X, images = rows["vectors"], rows["images"]
    detector = OutlierDetector(n_members=2, max_iter=20, random_state=0).fit(X)
    detector.save(HERE / "outliers")
    results = {"score_samples": detector.score_samples(X[:N]), "explain": detector.explain(X[:N])}
    save_file(results, HERE / "outliers" / "expected.safetensors")
    photos = PhotoDenoiser(
        widths=(4,), blocks=1, patch_size=8, batch_size=16, max_epochs=1, device="cpu", random_state=0
    )
    photos.fit(images[:20])
    photos.save(HERE / "photos")
    save_file({"denoise": photos.denoise(images[0])}, HERE / "photos" / "expected.safetensors")
    interrupted(X, HERE / "checkpoint-acfb3a0")


if __name__ == "__main__":
    main()
