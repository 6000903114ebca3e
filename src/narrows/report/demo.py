"""The demo: four autoencoders trained on small digits, and a page about them."""

from __future__ import annotations

import os
import platform
import shlex
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
from narrows.plots.drawing import format_number
from narrows.report import anatomy, atlas, baselines, demo_texts, page, records, sections
from narrows.report.baselines import Baseline, mse, neighbour_accuracy, psnr
from narrows.report.display import Display
from narrows.report.machine import from_home, limit_threads, processor
from narrows.report.page import Section, escape
from narrows.version import __version__

NOISE = 0.25  # standard deviation of the noise that the DAE removes on the page; pixels lie in [0, 1]
_HIDDEN = (256, 128)
_THREADS = 1  # a second thread hardly speeds up such small steps, and slows them down on shared cores


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
        return _add_noise(self.X_test, self.seed)


def run(out: Path, *, console: Console | None = None, seed: int = 0, budget: float = 1.0) -> Path:
    """Train AE, VAE, DAE and SAE on digits, save them in `out`/models, and write a page about them.

    Parameters
    ----------
    out : folder for the page and the models; it is created if necessary, and an older demo in it is replaced.
    console : console for progress messages; None for silence.
    seed : seed of all random numbers.
    budget : share of the usual number of epochs, in (0, 1]; for tests.

    Returns
    -------
    Path
        The page, `out`/index.html: one file that loads nothing else.

    Raises
    ------
    ValueError
        If `budget` is not in (0, 1].
    FileExistsError
        If `out` is a file.
    """
    if not 0 < budget <= 1:
        raise ValueError(
            f"The `budget` parameter of demo.run must be a float in the range (0, 1]. Got {budget!r} instead."
        )
    out = Path(out).expanduser()
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
        f"[bold]narrows demo[/]  trains four autoencoders on {len(state.X):,} handwritten digits of 8 x 8 pixels, and "
        f"measures them on {len(state.X_test)} others",
        highlight=False,
    )
    path = out / "index.html"
    with limit_threads(_THREADS):
        for name, model in _models(seed, budget).items():
            _train(state, name, model, console)
            model.save(out / "models" / name)
        _write(state, path, time.perf_counter() - started)
    console.print(
        f"  done in {time.perf_counter() - started:.0f} s; the models are in {out / 'models'}, the page is {path}",
        highlight=False,
        soft_wrap=True,
    )
    return path


def studio_command(out: Path) -> str:
    """Return the command that opens the studio on the VAE of the demo in `out`, with its pictures."""
    return f"narrows studio {shlex.quote(str(out / 'models' / 'vae'))} digits"


def _models(seed: int, budget: float) -> dict[str, Estimator]:
    """Return the four models, not fitted. Float32 and fixed epochs make a seed repeat the weights."""

    def common_parameters(epochs: int) -> dict[str, Any]:
        return {"max_epochs": max(1, round(budget * epochs)), "precision": "float32", "random_state": seed}

    return {
        "ae": AE(n_components=2, hidden=_HIDDEN, **common_parameters(150)),
        "vae": VAE(n_components=8, hidden=_HIDDEN, **common_parameters(150)),
        "dae": DAE(level=(0.1, 0.4), **common_parameters(50)),
        "sae": SAE(n_components=48, k=4, hidden=(128,), learning_rate=3e-3, **common_parameters(200)),
    }


def _train(state: Run, name: str, model: Estimator, console: Console) -> None:
    """Fit one model, measure it, and print the result."""
    title = type(model).__name__
    waiting = console.status(f"{title}: {demo_texts.PURPOSES[name]}") if console.is_terminal else nullcontext()
    began = time.perf_counter()
    with waiting:
        model.fit(state.X)
        state.seconds[name] = time.perf_counter() - began
        state.models[name] = model
        _MEASURES[name](state, model)
    value, measure, baseline = state.headlines[name]
    console.print(f"  [bold]{title:<4}[/]{demo_texts.PURPOSES[name]:<50} {state.seconds[name]:5.1f} s", highlight=False)
    console.print(f"      {value} {measure}; {baseline}", highlight=False, style="dim")


# The measures of each model, on the test pictures


def _measure_code(state: Run, name: str, model: Estimator, n_components: int) -> tuple[float, float]:
    """Measure the error and the neighbours in the code, beside PCA with `n_components`; return both accuracies."""
    pca = Baseline.fit(state.X, n_components)
    reconstructions, pca_reconstructions = np.asarray(model.reconstruct(state.X_test)), pca.reconstruct(state.X_test)
    labels = state.y, state.y_test
    accuracies = [
        neighbour_accuracy(code(state.X), labels[0], code(state.X_test), labels[1])
        for code in (model.transform, pca.encode)
    ]
    state.measured[name] = {
        **evaluate(model, state.X_test, train=state.X, verbose=0).to_dict(),
        "reconstructions": reconstructions,
        "pca": pca,
        "pca_reconstructions": pca_reconstructions,
        "mse": mse(reconstructions, state.X_test),
        "pca_mse": mse(pca_reconstructions, state.X_test),
        "accuracy": accuracies[0],
        "pca_accuracy": accuracies[1],
    }
    return accuracies[0], accuracies[1]


def _measure_ae(state: Run, model: Estimator) -> None:
    accuracy, pca = _measure_code(state, "ae", model, 2)
    measure = "of digits get the right label from their neighbours on the map"
    state.headlines["ae"] = f"{accuracy:.0%}", measure, f"PCA's map: {pca:.0%}"


def _measure_vae(state: Run, model: VAE) -> None:
    _measure_code(state, "vae", model, 8)
    measured = state.measured["vae"]
    drawn = model.sample(len(state.X_test), random_state=state.seed)
    measured["novelty"] = baselines.novelty(drawn, state.X), baselines.novelty(state.X_test, state.X)
    state.headlines["vae"] = (
        f"{measured['mse']:.4f}",
        "squared error per pixel, decoded from 8 numbers",
        f"PCA with 8 numbers: {measured['pca_mse']:.4f}",
    )


def _measure_dae(state: Run, model: DAE) -> None:
    clean, noisy = state.X_test, state.noisy
    pca = baselines.best_cleaner(state.X, _add_noise(state.X, state.seed + 1))
    cleaned = {"dae": model.denoise(noisy), "median": baselines.median(noisy), "pca": pca.reconstruct(noisy)}
    measured = {name: (images, psnr(images, clean)) for name, images in {"noisy": noisy, **cleaned}.items()}
    state.measured["dae"] = {**measured, "n_pca": pca.n_components}
    state.headlines["dae"] = (
        f"{measured['dae'][1]:.1f} dB",
        f"peak signal-to-noise ratio; before cleaning: {measured['noisy'][1]:.1f} dB",
        f"PCA with the best number of components: {measured['pca'][1]:.1f} dB",
    )


def _measure_sae(state: Run, model: SAE) -> None:
    _measure_code(state, "sae", model, int(model.k))
    measured = state.measured["sae"]
    n = model.model_.bottleneck.n_components
    state.headlines["sae"] = (
        f"{measured['mse']:.4f}",
        f"squared error per pixel, {measured['l0']:.3g} of {n} units active",
        f"PCA with {measured['pca'].n_components} numbers: {measured['pca_mse']:.4f}",
    )


_MEASURES: Mapping[str, Any] = {"ae": _measure_ae, "vae": _measure_vae, "dae": _measure_dae, "sae": _measure_sae}


def _add_noise(X: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(X.shape)
    return (X + NOISE * noise).astype(np.float32)


# The page


def _write(state: Run, path: Path, seconds: float) -> None:
    measured, X, y = state.measured, state.X_test, state.y_test
    by_class = {type(model).__name__: model for model in state.models.values()}
    displays = {name: Display(model, X, y, seed=state.seed) for name, model in state.models.items()}
    starts, names = _best_of_each_digit(state)
    beside = {
        "AE": ("2 numbers", measured["ae"]["reconstructions"]),
        "PCA": ("2 numbers", measured["ae"]["pca_reconstructions"]),
        "VAE": ("8 numbers", measured["vae"]["reconstructions"]),
        "PCA ": ("8 numbers", measured["vae"]["pca_reconstructions"]),
    }
    other = ("PCA", f"neighbours right: {measured['ae']['pca_accuracy']:.0%}", measured["ae"]["pca"].encode(X))
    folder = from_home(path.parent)
    vae = str(folder / "models" / "vae")
    commands = demo_texts.COMMANDS.format(model=shlex.quote(vae), dae=shlex.quote(str(folder / "models" / "dae")))
    start = f"X_test[{starts[0]}:{starts[0] + 1}]"
    parts = {
        "vae.reconstruct(X_test)": sections.reconstructions(displays["vae"], beside),
        "ae.transform(X_test)\nae.plot.map(X_test, y_test)": atlas.latent_map(
            displays["ae"], f"neighbours right: {measured['ae']['accuracy']:.0%}", other
        ),
        f"vae.traverse({start})\nvae.plot.dials({start})": sections.dials(displays["vae"], starts, names),
        f"vae.sample(30, random_state={state.seed})": sections.samples(
            displays["vae"], _describe_novelty(measured["vae"]["novelty"])
        ),
        f"{_NOISE_LINES.format(seed=state.seed, level=NOISE)}\ndae.denoise(X_noisy)": sections.cleaned_pictures(
            _cleaned(state)
        ),
        "sae.active_units(X_test)\nsae.plot.units(X_test)": sections.units(displays["sae"]),
        "vae.plot.curves()\nvae.history_": records.training(by_class),
        "narrows.evaluate(vae, X_test, train=X)": records.comparison(
            _rows(state), ("Model", "Measure", "narrows", "PCA", "components of PCA"), _facts(state, seconds)
        ),
        f"vae.report_\nvae = narrows.load({vae!r})  # as it was saved here": records.decisions(by_class, commands),
    }
    page.write(
        path,
        title="narrows: four autoencoders",
        head=_hero(state),
        sections=[_replace_texts(state, section, code) for code, section in parts.items()],
        foot=_foot(state, folder),
        scripts=[page.data_script(d.decoder_name, d.decoder) for d in displays.values() if d.decoder],
    )


def _replace_texts(state: Run, section: Section, code: str) -> Section:
    """Replace a section's texts by those of the demo, and show the Python that makes a model at its first section."""
    title, intro, model = demo_texts.SECTIONS[section.name]
    call = f"{records.constructor_call(state.models[model], model)}\n" if model else ""
    return replace(section, title=title, intro=intro, code=call + code)


def _hero(state: Run) -> str:
    cards = ""
    for name, model in state.models.items():
        value, measure, baseline = map(escape, state.headlines[name])
        cards += (
            f'<li><p class="kind">{escape(type(model).__name__)}'
            f"<small>{escape(demo_texts.FULL_NAMES[name])}</small></p>"
            f"<p>{escape(demo_texts.PURPOSES[name])}</p>"
            f'<p class="measured"><b>{value}</b> {measure}<small>{baseline}</small></p></li>'
        )
    return (
        f'<p class="mark">narrows</p><h1>Everything goes through a&nbsp;narrow&nbsp;place.</h1>'
        '<p class="lede">An autoencoder learns to copy its input through a place that is too narrow for it. To do so, '
        "it must find out what the data are made of. Four autoencoders were trained on this machine, on "
        f"{len(state.X):,} handwritten digits, in {sum(state.seconds.values()):.0f} seconds. This is what they learned."
        f'</p>{_anatomy(state)}<ul class="cards">{cards}</ul>{page.code_block(_FIRST_LINES)}'
    )


_FIRST_LINES = """\
import numpy as np
import narrows
from narrows import AE, DAE, SAE, VAE

X, y = narrows.load_dataset("digits", "train")[:2]  # n x 8 x 8 pixels in [0, 1], and n labels
X_test, y_test = narrows.load_dataset("digits", "test")[:2]"""
_NOISE_LINES = """\
noise = np.random.default_rng({seed}).standard_normal(X_test.shape)
X_noisy = X_test + {level} * noise"""


def _anatomy(state: Run) -> str:
    """Return the drawing of the five parts, for the first handwritten 3."""
    x, models = state.X_test[int(np.argmax(state.y_test == 3))], state.models
    dials = {name: anatomy.turn_component(models[name], x) for name in ("ae", "vae")}
    dials |= {
        "dae": anatomy.turn_noise(models["dae"], x, NOISE, state.seed),
        "sae": anatomy.turn_unit(models["sae"], x),
    }
    return anatomy.draw(x, models, dials)


def _best_of_each_digit(state: Run) -> tuple[list[int], list[int]]:
    """Return indices of test pictures, for each digit the one that the VAE reconstructs best, and the digits."""
    error = np.square(state.measured["vae"]["reconstructions"] - state.X_test).mean((1, 2))
    digits = [3, 0, 1, 2, 4, 5, 6, 7, 8, 9]
    places = [np.flatnonzero(state.y_test == digit) for digit in digits]
    return [int(place[np.argmin(error[place])]) for place in places], digits


def _describe_novelty(distances: tuple[float, float]) -> str:
    drawn, real = distances
    return (
        f"The median distance of a new picture from the nearest training picture is {drawn:.3f} (root mean square "
        f"per pixel). For a real test picture it is {real:.3f}, and for a copy it would be 0."
    )


def _cleaned(state: Run) -> dict[str, tuple[str, np.ndarray]]:
    measured = state.measured["dae"]
    names = {"noisy": "Noisy", "median": "Median filter", "pca": "PCA", "dae": "DAE"}
    notes = {"pca": f", {measured['n_pca']} numbers"}
    rows = {
        title: (f"{measured[name][1]:.1f} dB{notes.get(name, '')}", measured[name][0].clip(0, 1))
        for name, title in names.items()
    }
    return {**rows, "Clean": ("", state.X_test)}


def _rows(state: Run) -> list[tuple[object, ...]]:
    """Return rows of a table: model, measure, value, value of PCA, number of PCA's components."""
    measured, dae = state.measured, state.measured["dae"]
    rows: list[tuple[object, ...]] = []
    for name in ("ae", "vae", "sae"):
        f, n = measured[name], measured[name]["pca"].n_components
        rows.append((name.upper(), "squared error per pixel", f"{f['mse']:.4f}", f"{f['pca_mse']:.4f}", n))
        accuracy = f"right label from the {baselines.N_NEIGHBOURS} nearest neighbours"
        rows.append((name.upper(), accuracy, f"{f['accuracy']:.1%}", f"{f['pca_accuracy']:.1%}", n))
    vae, sae = measured["vae"], measured["sae"]
    n_vae, n_sae = (state.models[name].model_.bottleneck.n_components for name in ("vae", "sae"))
    rows[4:4] = [
        ("VAE", "components in use", f"{vae['active_components']:.0f} of {n_vae}", "", ""),
        ("VAE", "information in a code (KL)", f"{vae['kl']:.1f} nats", "", ""),
        ("VAE", "evidence lower bound per picture", f"{format_number(vae['elbo'])} nats", "", ""),
        (
            "DAE",
            f"PSNR, from {dae['noisy'][1]:.1f} dB",
            f"{dae['dae'][1]:.1f} dB",
            f"{dae['pca'][1]:.1f} dB",
            dae["n_pca"],
        ),
    ]
    rows += [
        ("SAE", "active units per picture", f"{sae['l0']:.1f} of {n_sae}", "", ""),
        ("SAE", "dead units (active for no picture)", f"{sae['dead_fraction']:.1%}", "", ""),
    ]
    for name, model in state.models.items():
        rows.append((name.upper(), "training", f"{state.seconds[name]:.1f} s, {model.n_iter_} epochs", "", ""))
    return rows


def _facts(state: Run, seconds: float) -> dict[str, str]:
    return {
        "Data": f"digits, {len(state.X):,} to train, {len(state.X_test)} to test",
        "Seed": str(state.seed),
        "PCA": "its pictures are clipped to 0 and 1, which favours PCA",
        "Sparse code": "also tells which units are active; the few numbers of PCA do not",
        "Noise": f"Gaussian, standard deviation {NOISE:g}; training pictures choose the number of components of PCA",
        "Time": f"{seconds:.0f} s in total, {sum(state.seconds.values()):.0f} s of it for training",
        "Machine": f"{processor()}, {os.cpu_count()} cores; threads used: {torch.get_num_threads()}",
        "Versions": f"narrows {__version__}, torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"Python {platform.python_version()}",
    }


def _foot(state: Run, folder: Path) -> str:
    return (
        f"<p>Made by <code>narrows demo</code>, version {escape(__version__)}, seed {state.seed}. One file, which "
        "loads nothing else. Digits: E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0.</p>"
        f'<div class="onward"><h2>{escape(demo_texts.ONWARD[0])}</h2><p>{escape(demo_texts.ONWARD[1])}</p>'
        f"{page.code_block(studio_command(folder), 'shell')}</div>"
    )
