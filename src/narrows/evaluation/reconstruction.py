"""Measures of reconstructions: squared error, peak signal-to-noise ratio and structural similarity.

    MSE   mean over entries of (x - x')^2; for tables mean over cells of the errors of `narrows.evaluation.cells`
    RMSE  root of the mean over the numbers of a table of ((x - x') / s)^2, s: standard deviation of the column
    PSNR  10 log10(1 / MSE)                                               dB, for entries in [0, 1]
    SSIM  mean over places of (2 m m' + c1)(2 s_xx' + c2) / ((m^2 + m'^2 + c1)(s_x^2 + s_x'^2 + c2)),
          m, s: mean and (co)variance in a window around the place, c1 = 0.01^2, c2 = 0.03^2

Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to structural similarity (2004),
https://doi.org/10.1109/TIP.2003.819861.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from narrows.data import Column
from narrows.evaluation.absent import Absent
from narrows.evaluation.cells import cell_errors, has_gaps
from narrows.evaluation.intervals import Estimate
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import Subject

_C1, _C2 = 0.01**2, 0.03**2
_WINDOW, _SIGMA = 11, 1.5  # of Wang et al.
_SMALL_WINDOW = 7  # uniform, for images that are too small for the other one
_MAX_NUMBERS_PER_PASS = 1 << 19
_N_COLUMNS = 16  # columns of a table that have a row of their own
_DESCRIPTIONS = {
    "rmse": "root mean squared error of numbers, in standard deviations of their column; 1 is that of its mean",
    "accuracy": "share of observed levels that are reconstructed",
}


@measure(better=-1)
def mse(subject: Subject) -> Estimate:
    """Mean squared error per entry, on the model's scale; for tables, the mean error of a cell."""
    if subject.comparison.schema.kind == "table":
        return subject.comparison.resamples.mean(
            subject.errors,
            "mean error of a cell: squared error of a number in units of its column's variance, 1 for a wrong level",
        )
    scale = "on the [0, 1] scale" if subject.comparison.is_bounded else "on the model's scale"
    return subject.comparison.resamples.mean(subject.errors, f"mean squared error per entry, {scale}")


@measure(better=-1)
def rmse(subject: Subject) -> dict[str, Estimate]:
    """Root of the mean squared error of the numbers of a table, of all of them and by column."""
    values = _by_column(subject, "rmse", [not column.has_levels for column in _columns(subject)])
    return {
        name: Estimate(math.sqrt(e.value), math.sqrt(max(e.low, 0.0)), math.sqrt(e.high), e.description)
        for name, e in values.items()
    }


@measure(better=1)
def accuracy(subject: Subject) -> dict[str, Estimate]:
    """Share of levels of a table that are reconstructed, of all columns with levels and by column."""
    errors = _by_column(subject, "accuracy", [column.has_levels for column in _columns(subject)])
    return {name: Estimate(1 - e.value, 1 - e.high, 1 - e.low, e.description) for name, e in errors.items()}


@measure(better=1)
def psnr(subject: Subject) -> Estimate:
    """Peak signal-to-noise ratio in dB, the mean over images."""
    _check_images(subject)
    db = 10 * np.log10(1 / subject.errors.clip(min=1e-12))
    return subject.comparison.resamples.mean(db, "peak signal-to-noise ratio in dB, mean over images")


@measure(better=1)
def ssim(subject: Subject) -> Estimate:
    """Structural similarity, the mean over images and channels."""
    _check_images(subject)
    x, reconstructions = subject.comparison.rows, subject.reconstructions
    if has_gaps(x):
        raise Absent("some pixels are missing, and so are the windows around them")
    step = max(1, _MAX_NUMBERS_PER_PASS // x[0].numel())
    parts = zip(x.split(step), reconstructions.split(step), strict=True)
    values = torch.cat([similarity(a, b) for a, b in parts])
    size = f"Gaussian {_WINDOW} x {_WINDOW}" if min(x.shape[-2:]) >= _WINDOW else f"{_SMALL_WINDOW} x {_SMALL_WINDOW}"
    return subject.comparison.resamples.mean(
        values.numpy(), f"structural similarity, {size} window; 1 is the same image"
    )


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Return the SSIM of images (n x channels x height x width, in [0, 1]): (n,).

    The window is a Gaussian of 11 x 11. If a side is shorter, it is uniform, of 7 x 7, with the sample covariance, as
    in scikit-image. Windows that extend beyond the edge are left out.
    """
    a, b = a.double(), b.double()
    if min(a.shape[-2:]) >= _WINDOW:
        axis = torch.arange(_WINDOW, dtype=torch.float64) - _WINDOW // 2
        line = torch.exp(-0.5 * (axis / _SIGMA) ** 2)
        line, unbiased = line / line.sum(), 1.0
    else:
        line = torch.full((_SMALL_WINDOW,), 1 / _SMALL_WINDOW, dtype=torch.float64)
        unbiased = _SMALL_WINDOW**2 / (_SMALL_WINDOW**2 - 1)
    # a window is the product of a row and a column
    ma, mb, aa, bb, ab = (_window_sums(_window_sums(t, line, -1), line, -2) for t in (a, b, a * a, b * b, a * b))
    va, vb, cov = (unbiased * v for v in (aa - ma * ma, bb - mb * mb, ab - ma * mb))
    s = (2 * ma * mb + _C1) * (2 * cov + _C2) / ((ma**2 + mb**2 + _C1) * (va + vb + _C2))
    return s.flatten(1).mean(1)


def _window_sums(x: Tensor, line: Tensor, axis: int) -> Tensor:
    """Return weighted sums over all windows of `x` along `axis`, as long as the weights `line`."""
    length = x.shape[axis] - len(line) + 1
    total = float(line[0]) * x.narrow(axis, 0, length)
    for start, weight in enumerate(line[1:].tolist(), start=1):
        total.add_(x.narrow(axis, start, length), alpha=weight)
    return total


def _columns(subject: Subject) -> tuple[Column, ...]:
    schema = subject.comparison.schema
    if schema.kind != "table":
        raise Absent("it is only for tables with columns of several kinds")
    return schema.used_columns


def _by_column(subject: Subject, name: str, is_measured: list[bool]) -> dict[str, Estimate]:
    """Return the mean error of the cells of all measured columns as `name`, and of each of the first as `name_COLUMN`.

    Missing cells are left out.
    """
    columns, resamples = _columns(subject), subject.comparison.resamples
    errors = cell_errors(subject.reconstructions, subject.comparison.rows, subject.comparison.schema).double().numpy()
    of_measured = errors[:, is_measured]
    is_observed = ~np.isnan(of_measured)
    if not is_observed.any():
        raise Absent("no such column has a value here")
    has_cells = is_observed.any(1)
    of_example = np.nansum(of_measured[has_cells], 1) / is_observed[has_cells].sum(1)
    estimates = {name: resamples.mean(of_example, _DESCRIPTIONS[name])}
    for j in np.flatnonzero(is_measured)[:_N_COLUMNS]:
        cells = errors[~np.isnan(errors[:, j]), j]
        if len(cells):
            estimates[f"{name}_{columns[j].name}"] = resamples.mean(cells, _describe(columns[j]))
    return estimates


def _describe(column: Column) -> str:
    if column.has_levels:
        return f"the same for the {column.n_levels} levels of {column.name}"
    scale = {"count": " of log(1 + x)", "heavy_tailed": " after asinh"}.get(column.kind, "")
    return f"the same for {column.name}{scale}"


def _check_images(subject: Subject) -> None:
    if subject.comparison.schema.kind != "image" or not subject.comparison.is_bounded:
        raise Absent("it is only for images in [0, 1]")
