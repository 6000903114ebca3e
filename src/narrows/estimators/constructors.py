"""Base classes that show the constructors of the estimators to type checkers and editors.

At run time each base is `CodeEstimator` or `Estimator`, which makes the constructor from the recipe. Type checkers and
editors read `constructors.pyi` instead, which `scripts/stubs` writes from the same recipes.
"""

from narrows.estimators.base import Estimator
from narrows.estimators.decoding import CodeEstimator

AE = DAE = SAE = Crosscoder = VAE = MapAE = ConcreteAE = CodeEstimator
TableAE = Estimator
