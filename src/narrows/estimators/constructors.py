"""Bases of the estimators' classes, from which type checkers and editors know the constructors.

At run time each of them is `Estimator`, which makes the constructor from the recipe. Type checkers and editors read
`constructors.pyi` instead, which `scripts/stubs` writes from the same recipes.
"""

from narrows.estimators.base import Estimator

AE = DAE = SAE = VAE = MapAE = Estimator
