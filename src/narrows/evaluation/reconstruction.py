"""Measures of reconstructions: squared error, peak signal-to-noise ratio and structural similarity.

    MSE   mean over entries of (x - x')^2
    PSNR  10 log10(1 / MSE)                                               dB, for entries in [0, 1]
    SSIM  mean over places of (2 m m' + c1)(2 s_xx' + c2) / ((m^2 + m'^2 + c1)(s_x^2 + s_x'^2 + c2)),
          m, s: mean and (co)variance in a window around the place, c1 = 0.01^2, c2 = 0.03^2

Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to structural similarity (2004),
https://doi.org/10.1109/TIP.2003.819861.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from narrows.evaluation.absent import Absent
from narrows.evaluation.intervals import Estimate
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import Subject

_C1, _C2 = 0.01**2, 0.03**2
_WINDOW, _SIGMA = 11, 1.5  # of Wang et al.
_SMALL_WINDOW = 7  # uniform, for images that are too small for the other one
_MAX_NUMBERS_PER_PASS = 1 << 19


@measure(better=-1)
def mse(subject: Subject) -> Estimate:
    """Mean squared error per entry, on the model's scale."""
    scale = "on the [0, 1] scale" if subject.comparison.is_bounded else "on the model's scale"
    return subject.comparison.resamples.mean(subject.errors, f"mean squared error per entry, {scale}")


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


def _check_images(subject: Subject) -> None:
    if subject.comparison.schema.kind != "image" or not subject.comparison.is_bounded:
        raise Absent("it is only for images in [0, 1]")
