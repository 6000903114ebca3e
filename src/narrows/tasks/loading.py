"""From a saved folder back to what was saved there, whatever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from narrows import storage
from narrows.estimators import load as load_estimator
from narrows.tasks.outliers import OutlierDetector
from narrows.tasks.outliers.detector import RECIPE as OUTLIERS
from narrows.tasks.photos import PhotoDenoiser
from narrows.tasks.photos.denoiser import NAME as PHOTOS


def load(
    folder: str | Path, *, encoder: nn.Module | None = None, decoder: nn.Module | None = None, device: str = "auto"
) -> Any:
    """What is saved in `folder`: a fitted estimator, an `OutlierDetector` or a `PhotoDenoiser`.

    Parameters
    ----------
    encoder, decoder : modules of your own that an estimator was fitted with; their weights come from the folder.
    device : where it will compute.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no whole model of a known format.
    """
    kind = storage.describe(Path(folder))["recipe"]
    if kind == OUTLIERS:
        return OutlierDetector.load(folder)
    if kind == PHOTOS:
        return PhotoDenoiser.load(folder, device=device)
    return load_estimator(folder, encoder=encoder, decoder=decoder, device=device)
