"""Loading of saved models of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from narrows import storage
from narrows.estimators import Estimator
from narrows.estimators import load as load_estimator
from narrows.tasks.imputation import ENTRY, TableImputer
from narrows.tasks.outliers import OutlierDetector
from narrows.tasks.outliers.saving import RECIPE as OUTLIERS
from narrows.tasks.photos import PhotoDenoiser
from narrows.tasks.photos.denoiser import NAME as PHOTOS

KINDS: dict[str, type[OutlierDetector | PhotoDenoiser]] = {OUTLIERS: OutlierDetector, PHOTOS: PhotoDenoiser}
"""Classes that read folders, by the value of "recipe" in recipe.json. Any other value is a recipe of an estimator."""


def saved_class(folder: str | Path) -> type[Estimator | OutlierDetector | PhotoDenoiser | TableImputer]:
    """Return the class of the model in `folder`; for a model of any recipe it is `Estimator`.

    The folder of a `TableImputer` is that of its estimator, too.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no model of a known format.
    """
    about = storage.describe(Path(folder))
    return TableImputer if ENTRY in about else KINDS.get(about["recipe"], Estimator)


def load(
    folder: str | Path, *, encoder: nn.Module | None = None, decoder: nn.Module | None = None, device: str = "auto"
) -> Any:
    """Load what is saved in `folder`: a fitted estimator, an `OutlierDetector`, a `PhotoDenoiser` or a `TableImputer`.

    Parameters
    ----------
    encoder, decoder : modules of your own that an estimator was fitted with; their weights come from the folder.
    device : the device on which it will compute.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no complete model of a known format.
    """
    kind = saved_class(folder)
    if issubclass(kind, OutlierDetector):
        return kind.load(folder)
    if issubclass(kind, (PhotoDenoiser, TableImputer)):
        return kind.load(folder, device=device)
    return load_estimator(folder, encoder=encoder, decoder=decoder, device=device)
