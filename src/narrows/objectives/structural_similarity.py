"""The structural similarity of images at several scales, as people see it.

    ssim(x, y) = l cs,   l = (2 m_x m_y + c1) / (m_x^2 + m_y^2 + c1),   cs = (2 s_xy + c2) / (s_x^2 + s_y^2 + c2)
    ms_ssim = mean over channels of  relu(ssim_M)^w_M  prod_{j < M} relu(cs_j)^w_j

m, s^2 and s_xy are means, variances and the covariance in a Gaussian window around each pixel, and l cs and cs are
averaged over the image. Scale j + 1 is scale j at half the size. Wang, Simoncelli and Bovik, Multiscale structural
similarity for image quality assessment (2003), https://doi.org/10.1109/ACSSC.2003.1292216.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue
from narrows.types import Batch, Output

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of Wang et al., for five scales
_C1, _C2 = 0.01**2, 0.03**2
_WINDOW, _SIGMA = 11, 1.5
_LEAST = 1e-6  # a mean of cs below it counts as this, so that a root has a gradient


class StructuralSimilarity(Cost):
    """The cost 1 - ms_ssim of the decoded mean and the image, for values in [0, 1].

    Images that are too small for five scales have fewer, and a smaller window. Snell et al., Learning to generate
    images with perceptual similarity metrics (2017), https://arxiv.org/abs/1511.06409.
    """

    name = "dissimilarity"

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return the cost of each example (B)."""
        image = batch.target.to(torch.promote_types(batch.target.dtype, torch.float32))
        mean = model.likelihood.mean(output.params.to(image.dtype))
        if batch.observed is not None:
            image = torch.where(batch.observed > 0, image, mean.detach())
        with torch.autocast(image.device.type, enabled=False):
            return CostValue(1 - ms_ssim(mean, image))


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """Return the similarity in [0, 1] of images in [0, 1]: B numbers from B x channels x height x width each.

    >>> import torch
    >>> x = torch.rand(2, 1, 28, 28)
    >>> ms_ssim(x, x).tolist()
    [1.0, 1.0]
    """
    side = min(x.shape[2:])
    size = min(_WINDOW, side - 1 + side % 2)  # odd
    n_scales = next((n for n in range(len(_WEIGHTS), 1, -1) if side >> (n - 1) >= size), 1)
    weights = [w / sum(_WEIGHTS[:n_scales]) for w in _WEIGHTS[:n_scales]]
    result = torch.ones_like(x[:, :, 0, 0])
    for scale, weight in enumerate(weights):
        if scale:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        ssim, contrast = _similarity(x, y, size)
        result = result * (ssim if scale == n_scales - 1 else contrast).clamp(min=_LEAST) ** weight
    return result.mean(1)


def _similarity(x: Tensor, y: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the means of l cs and of cs over the image, for each channel: B x channels each."""
    # a variance is that of values less a constant: near 0, so that the difference of two means loses few digits
    center = y.detach().mean((2, 3), keepdim=True)
    x, y = x - center, y - center
    m_x, m_y = _blur(x, size), _blur(y, size)
    v_x, v_y = _blur(x * x, size) - m_x * m_x, _blur(y * y, size) - m_y * m_y
    covariance = _blur(x * y, size) - m_x * m_y
    m_x, m_y = m_x + center, m_y + center
    contrast = (2 * covariance + _C2) / (v_x + v_y + _C2)
    luminance = (2 * m_x * m_y + _C1) / (m_x * m_x + m_y * m_y + _C1)
    return (luminance * contrast).mean((2, 3)), contrast.mean((2, 3))


def _blur(x: Tensor, size: int) -> Tensor:
    """Return the means in a Gaussian window of `size` x `size` pixels, where it lies inside of the image."""
    at = torch.arange(size, dtype=x.dtype, device=x.device) - size // 2
    window = (-at.square() / (2 * _SIGMA**2)).exp()
    n, channels, height, width = x.shape
    # one group for each channel of each image: faster on a CPU, and on a GPU not in TF32, which has three digits
    groups = n * channels
    window = (window / window.sum()).expand(groups, 1, 1, -1)
    rows = F.conv2d(x.reshape(1, groups, height, width), window, groups=groups)
    return F.conv2d(rows, window.transpose(2, 3), groups=groups).reshape(n, channels, height - size + 1, -1)
