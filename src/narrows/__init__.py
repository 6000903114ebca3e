"""narrows: plain, variational, denoising, sparse, map-making and masked autoencoders with one small interface.

    x  -> corrupt -> encode -> bottleneck -> decode -> likelihood
    loss(x) = - log p(target | z) + sum_k  w_k * cost_k(z)        nats per example, averaged over the batch

The public names are imported when first used, so ``import narrows`` is quick and has no side effects.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from narrows import extensions
from narrows.version import __version__

_HOME = {
    "AE": "narrows.estimators",
    "VAE": "narrows.estimators",
    "DAE": "narrows.estimators",
    "SAE": "narrows.estimators",
    "MapAE": "narrows.estimators",
    "TableAE": "narrows.estimators",
    "estimator": "narrows.estimators",
    "load": "narrows.tasks.loading",
    "load_dictionary": "narrows.dictionaries",
    "save_dictionary": "narrows.dictionaries",
    "evaluate": "narrows.evaluation",
    "evaluate_rows": "narrows.evaluation",
    "recovered_loss": "narrows.evaluation",
    "compare": "narrows.tasks.comparison",
    "sweep": "narrows.tasks.sweep",
    "load_dataset": "narrows.data.named",
    "hook": "narrows.data.hooks",
    "write_map": "narrows.report",
    "write_report": "narrows.report",
    "write_units": "narrows.report",
    "tasks": "narrows.tasks",
}

__all__ = [*_HOME, "__version__"]

if TYPE_CHECKING:
    from narrows import tasks
    from narrows.data.hooks import hook
    from narrows.data.named import load as load_dataset
    from narrows.dictionaries import load_dictionary, save_dictionary
    from narrows.estimators import AE, DAE, SAE, VAE, MapAE, TableAE, estimator
    from narrows.evaluation import evaluate, evaluate_rows, recovered_loss
    from narrows.report import write_map, write_report, write_units
    from narrows.tasks.comparison import compare
    from narrows.tasks.loading import load
    from narrows.tasks.sweep import sweep


def _studio() -> Any:
    from narrows.studio.notebook import Studio

    return Studio


def _strange_entries() -> Any:
    from narrows.tasks.outliers.reasons import strange_entries

    return strange_entries


extensions.provide("studio", _studio)
extensions.provide("strange_entries", _strange_entries)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'narrows' has no attribute {name!r}")
    import random

    # scikit-learn imports rich, and this import draws from Python's global random generator
    state = random.getstate()
    module = import_module(_HOME[name])
    random.setstate(state)
    value = module if name == "tasks" else getattr(module, "load" if name == "load_dataset" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
