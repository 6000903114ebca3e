"""The scikit-learn surface: AE, VAE, DAE, SAE, and an estimator for any other recipe.

The parameters of a class come from its recipe's signature and from `signature.TRAINING`, so that the name, rule and
help of a parameter are in one place. Constructors only store; names of fitted attributes end with an underscore.
"""

from narrows.estimators.base import Estimator
from narrows.estimators.loading import load
from narrows.estimators.maps import MapAE
from narrows.estimators.models import AE, DAE, SAE, VAE, ActiveUnits, estimator

__all__ = ["AE", "DAE", "SAE", "VAE", "ActiveUnits", "Estimator", "MapAE", "estimator", "load"]
