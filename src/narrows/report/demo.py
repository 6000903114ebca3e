"""The demo: four autoencoders trained on small digits, and a page about them."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from rich.console import Console

from narrows.data.named import load as load_dataset
from narrows.estimators import AE, DAE, SAE, VAE
from narrows.estimators.base import Estimator
from narrows.evaluation import evaluate
from narrows.plots.drawing import number
from narrows.report import atlas, baselines, charts, demo_words, page, records, sections
from narrows.report.baselines import Baseline, mse, neighbour_accuracy, psnr
from narrows.report.display import Display
from narrows.report.machine import processor, threads
from narrows.report.page import Section, text
from narrows.version import __version__

NOISE = 0.25  # standard deviation of the noise that the page shows being cleaned; pixels lie in [0, 1]
_HIDDEN = (256, 128)
_THREADS = 1  # steps as small as these gain little from a second thread, and lose much where cores are shared


@dataclass
class Run:
    """State of a run of the demo: the data, the models, the measures, and the headlines of the page."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    seed: int
    models: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)
    headlines: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    @property
    def noisy(self) -> np.ndarray:
        """The test pictures with noise, the same for every method."""
        return _spoiled(self.X_test, self.seed)


def run(out: Path, *, console: Console | None = None, seed: int = 0, budget: float = 1.0) -> Path:
    """Train AE, VAE, DAE and SAE on digits, save them in `out`/models, and write a page about them.

    Parameters
    ----------
    out : the folder, made if it is not there; an older demo in it is replaced.
    console : where to say what happens; None for silence.
    seed : of everything random.
    budget : share of the usual number of epochs; for tests.

    Returns
    -------
    The page, `out`/index.html. It is one file that fetches nothing.

    Raises
    ------
    FileExistsError
        If `out` is a file.
    """
    if not 0 < budget <= 1:
        raise ValueError(
            f"The `budget` parameter of demo.run must be a float in the range (0, 1]. Got {budget!r} instead."
        )
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"Cannot write the demo to {out}: it is a file. Name a folder.")
    out.mkdir(parents=True, exist_ok=True)
    console = console or Console(quiet=True)
    started = time.perf_counter()
    train, test = load_dataset("digits", "train"), load_dataset("digits", "test")
    assert train.y is not None
    assert test.y is not None
    state = Run(train.X, train.y, test.X, test.y, seed)
    console.print(
        f"[bold]narrows demo[/]  four autoencoders on {len(state.X):,} handwritten digits of 8 x 8 pixels; measured on "
        f"{len(state.X_test)} others",
        highlight=False,
    )
    path = out / "index.html"
    with threads(_THREADS):
        for name, model in _models(seed, budget).items():
            _train(state, name, model, console)
            model.save(out / "models" / name)
        _write(state, path, time.perf_counter() - started)
    console.print(
        f"  all in {time.perf_counter() - started:.0f} s; the models are in {out / 'models'}, the page is {path}",
        highlight=False,
    )
    return path


def _models(seed: int, budget: float) -> dict[str, Estimator]:
    """The four, unfitted. Single precision and epochs, not seconds, make a seed give the same weights again."""

    def shared(epochs: int) -> dict[str, Any]:
        return {"max_epochs": max(1, round(budget * epochs)), "precision": "float32", "random_state": seed}

    return {
        "ae": AE(n_components=2, hidden=_HIDDEN, **shared(150)),
        "vae": VAE(n_components=8, hidden=_HIDDEN, **shared(150)),
        "dae": DAE(level=(0.1, 0.4), **shared(50)),
        "sae": SAE(n_components=48, k=4, hidden=(128,), learning_rate=3e-3, **shared(200)),
    }


def _train(state: Run, name: str, model: Estimator, console: Console) -> None:
    """Fit one model, measure it, and say so in a line."""
    title = type(model).__name__
    waiting = console.status(f"{title}: {demo_words.PURPOSES[name]}") if console.is_terminal else nullcontext()
    began = time.perf_counter()
    with waiting:
        model.fit(state.X)
        state.seconds[name] = time.perf_counter() - began
        state.models[name] = model
        _MEASURES[name](state, model)
    number, words, beside = state.headlines[name]
    console.print(f"  [bold]{title:<4}[/]{demo_words.PURPOSES[name]:<50} {state.seconds[name]:5.1f} s", highlight=False)
    console.print(f"      {number} {words}; {beside}", highlight=False, style="dim")


# What is measured of each, on the test pictures


def _measure_code(state: Run, name: str, model: Estimator, n_components: int) -> tuple[float, float]:
    """Error and neighbours in the code, beside PCA with `n_components`; returns both accuracies."""
    pca = Baseline.fit(state.X, n_components)
    rebuilt, by_pca = np.asarray(model.reconstruct(state.X_test)), pca.reconstruct(state.X_test)
    labels = state.y, state.y_test
    accuracies = [
        neighbour_accuracy(code(state.X), labels[0], code(state.X_test), labels[1])
        for code in (model.transform, pca.encode)
    ]
    state.measured[name] = {
        **evaluate(model, state.X_test, train=state.X, verbose=0).to_dict(),
        "rebuilt": rebuilt,
        "pca": pca,
        "pca_rebuilt": by_pca,
        "mse": mse(rebuilt, state.X_test),
        "pca_mse": mse(by_pca, state.X_test),
        "accuracy": accuracies[0],
        "pca_accuracy": accuracies[1],
    }
    return accuracies[0], accuracies[1]


def _measure_ae(state: Run, model: Estimator) -> None:
    own, pca = _measure_code(state, "ae", model, 2)
    state.headlines["ae"] = f"{own:.0%}", "of digits known by their neighbours on the map", f"PCA's map: {pca:.0%}"


def _measure_vae(state: Run, model: VAE) -> None:
    _measure_code(state, "vae", model, 8)
    measured = state.measured["vae"]
    drawn = model.sample(len(state.X_test), random_state=state.seed)
    measured["novelty"] = baselines.novelty(drawn, state.X), baselines.novelty(state.X_test, state.X)
    state.headlines["vae"] = (
        f"{measured['mse']:.4f}",
        "squared error a pixel, drawn from 8 numbers",
        f"PCA with 8: {measured['pca_mse']:.4f}",
    )


def _measure_dae(state: Run, model: DAE) -> None:
    clean, noisy = state.X_test, state.noisy
    pca = baselines.best_cleaner(state.X, _spoiled(state.X, state.seed + 1))
    cleaned = {"dae": model.denoise(noisy), "median": baselines.median(noisy), "pca": pca.reconstruct(noisy)}
    measured = {name: (images, psnr(images, clean)) for name, images in {"noisy": noisy, **cleaned}.items()}
    state.measured["dae"] = {**measured, "n_pca": pca.n_components}
    state.headlines["dae"] = (
        f"{measured['dae'][1]:.1f} dB",
        f"peak signal to noise, noisy {measured['noisy'][1]:.1f} dB",
        f"PCA at its best: {measured['pca'][1]:.1f} dB",
    )


def _measure_sae(state: Run, model: SAE) -> None:
    _measure_code(state, "sae", model, int(model.k))
    measured = state.measured["sae"]
    n = model.model_.bottleneck.n_components
    state.headlines["sae"] = (
        f"{measured['mse']:.4f}",
        f"squared error a pixel, {measured['l0']:.3g} of {n} units speaking",
        f"PCA with {measured['pca'].n_components}: {measured['pca_mse']:.4f}",
    )


_MEASURES: Mapping[str, Any] = {"ae": _measure_ae, "vae": _measure_vae, "dae": _measure_dae, "sae": _measure_sae}


def _spoiled(X: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(X.shape)
    return (X + NOISE * noise).astype(np.float32)


# The page


def _write(state: Run, path: Path, seconds: float) -> None:
    measured, X, y = state.measured, state.X_test, state.y_test
    named = {type(model).__name__: model for model in state.models.values()}
    on = {name: Display(model, X, y, seed=state.seed) for name, model in state.models.items()}
    starts, names = _one_of_each(state)
    beside = {
        "AE": ("2 numbers", measured["ae"]["rebuilt"]),
        "PCA": ("2 numbers", measured["ae"]["pca_rebuilt"]),
        "VAE": ("8 numbers", measured["vae"]["rebuilt"]),
        "PCA ": ("8 numbers", measured["vae"]["pca_rebuilt"]),
    }
    other = ("PCA", f"{measured['ae']['pca_accuracy']:.0%} by neighbours", measured["ae"]["pca"].encode(X))
    parts = {
        "vae.reconstruct(X_test)": sections.reconstructions(on["vae"], beside),
        "ae.transform(X_test), ae.plot.map(X_test, y_test)": atlas.latent_map(
            on["ae"], f"{measured['ae']['accuracy']:.0%} by neighbours", other
        ),
        "vae.traverse(X_test[i:i + 1]), vae.plot.dials(X_test[i])": sections.dials(on["vae"], starts, names),
        f"vae.sample(30, random_state={state.seed})": sections.samples(on["vae"], _novel(measured["vae"]["novelty"])),
        "dae.denoise(X_noisy)": sections.cleaned_pictures(_cleaned(state)),
        "sae.active_units(X_test), sae.plot.units(X_test)": sections.units(on["sae"]),
        "vae.plot.curves(), vae.history_": records.training(named),
        "narrows.evaluate(vae, X_test, train=X)": records.comparison(
            _rows(state), ("Model", "What", "narrows", "PCA", "of size"), _facts(state, seconds)
        ),
        f'vae.report_\nnarrows.load("{path.parent / "models" / "vae"}")': records.decisions(
            named, demo_words.COMMANDS.format(models=path.parent / "models")
        ),
    }
    page.write(
        path,
        title="narrows: four autoencoders",
        head=_hero(state),
        sections=[_reworded(state, section, code) for code, section in parts.items()],
        foot=_foot(state),
        scripts=[page.data(one.decoder_name, one.decoder) for one in on.values() if one.decoder],
    )


def _reworded(state: Run, section: Section, code: str) -> Section:
    """Return a section with the demo's own text, and the Python that makes the model where it is first shown."""
    title, intro, model = demo_words.SECTIONS[section.name]
    made = f"{records.constructed(state.models[model], model)}\n" if model else ""
    return replace(section, title=title, intro=intro, code=made + code)


def _hero(state: Run) -> str:
    shown = state.X_test[int(np.argmax(state.y_test == 3))]
    rebuilt = state.models["vae"].reconstruct(shown[None])[0]
    steps = "".join(f"<li><b>{text(name)}</b><span>{text(words)}</span></li>" for name, words in demo_words.PARTS)
    cards = ""
    for name, model in state.models.items():
        number, words, beside = map(text, state.headlines[name])
        cards += (
            f'<li><p class="kind">{text(type(model).__name__)}<small>{text(demo_words.FULL_NAMES[name])}</small></p>'
            f"<p>{text(demo_words.PURPOSES[name])}</p>"
            f'<p class="measured"><b>{number}</b> {words}<small>{beside}</small></p></li>'
        )
    return (
        f'<p class="mark">narrows</p><h1>Everything goes through a&nbsp;narrow&nbsp;place.</h1>'
        '<p class="lede">An autoencoder learns to copy its input through a place too narrow for it. To get through, it '
        "has to find out what the data are made of. Four of them were trained on this machine, on "
        f"{len(state.X):,} handwritten digits, in {sum(state.seconds.values()):.0f} seconds. This is what they learned."
        f'</p><div class="strait">{page.picture(shown, "A handwritten 3")}{charts.channel()}'
        f"{page.picture(rebuilt, 'The same 3, drawn again from 8 numbers')}</div>"
        f'<ol class="sentence">{steps}</ol><ul class="cards">{cards}</ul>'
        f"{page.listing('from narrows import AE, VAE, DAE, SAE, load_dataset' + chr(10) + _DATA_LINES)}"
    )


_DATA_LINES = 'X, X_test = (load_dataset("digits", split).X for split in ("train", "test"))  # n x 8 x 8, in [0, 1]'


def _one_of_each(state: Run) -> tuple[list[int], list[int]]:
    """One test picture of each digit, the one that the VAE reconstructs best, a 3 first; and the digits."""
    error = np.square(state.measured["vae"]["rebuilt"] - state.X_test).mean((1, 2))
    digits = [3, 0, 1, 2, 4, 5, 6, 7, 8, 9]
    places = [np.flatnonzero(state.y_test == digit) for digit in digits]
    return [int(place[np.argmin(error[place])]) for place in places], digits


def _novel(distances: tuple[float, float]) -> str:
    drawn, real = distances
    return (
        f"Are they copies? A drawn picture lies {drawn:.3f} from the nearest training picture (root mean square "
        f"a pixel, the median), a real unseen one {real:.3f}. A copy would lie at 0."
    )


def _cleaned(state: Run) -> dict[str, tuple[str, np.ndarray]]:
    measured = state.measured["dae"]
    names = {"noisy": "Noisy", "median": "Median filter", "pca": "PCA", "dae": "DAE"}
    notes = {"pca": f", {measured['n_pca']} numbers"}
    rows = {
        words: (f"{measured[name][1]:.1f} dB{notes.get(name, '')}", measured[name][0].clip(0, 1))
        for name, words in names.items()
    }
    return {**rows, "Clean": ("", state.X_test)}


def _rows(state: Run) -> list[tuple[object, ...]]:
    """Model, what, its value, PCA's, and how many numbers PCA had."""
    measured, dae = state.measured, state.measured["dae"]
    rows: list[tuple[object, ...]] = []
    for name in ("ae", "vae", "sae"):
        f, n = measured[name], measured[name]["pca"].n_components
        rows.append((name.upper(), "squared error a pixel", f"{f['mse']:.4f}", f"{f['pca_mse']:.4f}", n))
        words = f"{baselines.N_NEIGHBOURS} nearest neighbours name the digit"
        rows.append((name.upper(), words, f"{f['accuracy']:.1%}", f"{f['pca_accuracy']:.1%}", n))
    vae, sae = measured["vae"], measured["sae"]
    n_vae, n_sae = (state.models[name].model_.bottleneck.n_components for name in ("vae", "sae"))
    rows[4:4] = [
        ("VAE", "components in use", f"{vae['active_components']:.0f} of {n_vae}", "", ""),
        ("VAE", "carried by a code (KL)", f"{vae['kl']:.1f} nats", "", ""),
        ("VAE", "evidence lower bound, a picture", f"{number(vae['elbo'])} nats", "", ""),
        (
            "DAE",
            f"PSNR, from {dae['noisy'][1]:.1f} dB",
            f"{dae['dae'][1]:.1f} dB",
            f"{dae['pca'][1]:.1f} dB",
            dae["n_pca"],
        ),
    ]
    rows += [
        ("SAE", "units active for a picture", f"{sae['l0']:.1f} of {n_sae}", "", ""),
        ("SAE", "units active for none", f"{sae['dead_fraction']:.1%}", "", ""),
    ]
    for name, model in state.models.items():
        rows.append((name.upper(), "trained", f"{state.seconds[name]:.1f} s, {model.n_iter_} epochs", "", ""))
    return rows


def _facts(state: Run, seconds: float) -> dict[str, str]:
    return {
        "Data": f"digits, {len(state.X):,} to train, {len(state.X_test)} to test",
        "Seed": str(state.seed),
        "PCA": "its pictures are cut off at 0 and 1, which favours it",
        "Sparse code": "says which units speak as well, which PCA's few numbers do not",
        "Noise": f"Gaussian, standard deviation {NOISE:g}; PCA's number of components chosen on training pictures",
        "Time": f"{seconds:.0f} s for all, {sum(state.seconds.values()):.0f} s of it training",
        "Machine": f"{processor()}, {os.cpu_count()} cores, of which {torch.get_num_threads()} was used",
        "Versions": f"narrows {__version__}, torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"Python {platform.python_version()}",
    }


def _foot(state: Run) -> str:
    return (
        f"<p>Made by <code>narrows demo</code>, version {text(__version__)}, seed {state.seed}. One file; it fetches "
        "nothing. Digits: E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0.</p>"
    )
