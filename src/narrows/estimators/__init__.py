"""Estimators with the scikit-learn interface: AE, VAE, DAE, SAE, MapAE, TableAE, and one for each recipe.

The parameters of a class come from its recipe's signature and from `signature.TRAINING`, so that the name, rule and
help of a parameter are in one place. Constructors only store their arguments. Names of fitted attributes end with an
underscore.
"""

from typing import TYPE_CHECKING

from narrows.estimators.base import Estimator
from narrows.estimators.decoding import CodeEstimator
from narrows.estimators.loading import load
from narrows.estimators.maps import MapAE
from narrows.estimators.models import AE, DAE, SAE, VAE, Crosscoder
from narrows.estimators.selection import ConcreteAE
from narrows.estimators.sparse_units import ActiveUnits, UnitEstimator
from narrows.estimators.tables import TableAE

if TYPE_CHECKING:
    from narrows.estimators.constructors import estimator  # it knows the class for each name
else:
    from narrows.estimators.models import estimator

__all__ = [
    "AE",
    "DAE",
    "SAE",
    "VAE",
    "ActiveUnits",
    "CodeEstimator",
    "ConcreteAE",
    "Crosscoder",
    "Estimator",
    "MapAE",
    "TableAE",
    "UnitEstimator",
    "estimator",
    "load",
]
