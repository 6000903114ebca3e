"""What type checkers and editors make of the public names. Nothing runs it: mypy and Pyright read it.

A line with `type: ignore` must be an error; both checkers report one that is not.
"""

from typing import Any, assert_type

import narrows


def use(X: Any, recipe: str) -> None:
    """Fit models as a user would."""
    model = narrows.VAE(2, beta=4.0, posterior="laplace", hidden=(32,), random_state=0)
    assert_type(model.fit(X), narrows.VAE)
    assert_type(model.beta, float)
    model.sample(3, temperature=0.5)
    narrows.DAE(level=(0.1, 0.5)).fit(X).denoise(X)
    narrows.MapAE(max_epochs="auto").fit(X).trust(X)
    narrows.estimator("iwae")(2, n_draws=4).fit(X).transform(X)
    narrows.estimator(recipe)(2, rate=0.1).fit(X).transform(X)
    table = narrows.TableAE(64, mask_rate=(0, 1), n_bins=20, max_epochs=5)
    assert_type(table.fit(X), narrows.TableAE)
    table.impute(X, statistic="mean")
    table.sample(3, given={"city": "Delft"}, last=["price"], random_state=0)
    table.predict(X, "price", statistic="median")
    narrows.tasks.OutlierDetector(0.1, max_iter=300).fit(X).explain(X)
    narrows.tasks.PhotoDenoiser("recorrupt", level=0.1, max_time=60).fit(X).denoise(X)

    narrows.VAE(betta=4.0)  # type: ignore[call-arg]
    narrows.VAE(2, 4.0)  # type: ignore[call-arg]
    narrows.VAE(posterior="normal")  # type: ignore[arg-type]
    narrows.SAE(max_epochs="many")  # type: ignore[arg-type]
    narrows.estimator("iwae")(draws=4)  # type: ignore[call-arg]
    model.sample(samples=3)  # type: ignore[call-arg]
    narrows.TableAE(hidden=(32,))  # type: ignore[call-arg]
