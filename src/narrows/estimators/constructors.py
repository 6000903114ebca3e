"""Base classes that show the constructors of the estimators to type checkers and editors.

At run time each base is `Estimator`, which makes the constructor from the recipe. Type checkers and editors read
`constructors.pyi` instead, which `scripts/stubs` writes from the same recipes.
"""

from narrows.estimators.base import Estimator

AE = DAE = SAE = VAE = MapAE = Estimator
