"""Presets: models of the literature that are another recipe with other values."""

from __future__ import annotations

from narrows.recipes.models import vae
from narrows.recipes.registry import preset


@preset(vae, purpose="disentangle", defaults={"beta": 4.0})
def betavae() -> None:
    """A VAE whose KL counts more: fewer components are used, and each of them is more independent of the others.

    Higgins et al., beta-VAE: Learning basic visual concepts with a constrained variational framework (2017),
    https://openreview.net/forum?id=Sy2fzU9gl.
    """
