"""Rubin's rules: one result from the results of the same analysis of several filled tables.

    Q = mean(Q_j)    W = mean(U_j)    B = sum((Q_j - Q)^2) / (m - 1)    T = W + (1 + 1/m) B

Q_j is the estimate from table j of m, and U_j its variance as if no cell had been missing. W is the variance within,
B the variance between the tables, and T the variance of Q. With l = (1 + 1/m) B / T, the interval is that of Student's
t with the degrees of freedom

    v = (m - 1) / l^2,      and if the complete table gives v_0:  1/v + 1/((1 - l) v_0 (v_0 + 1) / (v_0 + 3)) = 1 / df

Rubin, Multiple imputation for nonresponse in surveys (1987), https://doi.org/10.1002/9780470316696; Barnard and Rubin,
Small-sample degrees of freedom with multiple imputation (1999), https://doi.org/10.1093/biomet/86.4.948.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from narrows.params import Parameter, Real

_SHOWN = 20  # estimates that the text of `Pooled` lists


class Pooled(NamedTuple):
    """Result of an analysis of m filled tables; each field is a number, or an array (k,) for k estimates.

    Attributes
    ----------
    estimate : Q, the mean of the estimates.
    variance : T, its variance, in squared units of the estimate.
    within : W, the mean variance within the tables.
    between : B, the variance of the estimates between the tables.
    degrees_of_freedom : of Student's t for the interval; infinite if the tables give the same estimate.
    missing_information : in [0, 1], the share of the information about the estimate that the gaps have taken.
    low, high : ends of the interval.
    confidence : in (0, 1), of the interval.
    """

    estimate: Any
    variance: Any
    within: Any
    between: Any
    degrees_of_freedom: Any
    missing_information: Any
    low: Any
    high: Any
    confidence: float

    @property
    def standard_error(self) -> Any:
        """Square root of the variance T."""
        return np.sqrt(self.variance)

    def __repr__(self) -> str:
        """Return a line for each estimate."""
        arrays = [np.atleast_1d(value) for value in (self.estimate, self.standard_error, self.low, self.high)]
        arrays += [np.atleast_1d(value) for value in (self.degrees_of_freedom, self.missing_information)]
        lines = [
            f"{estimate:.6g} +- {error:.3g}, {100 * self.confidence:g} % interval {low:.6g} to {high:.6g} "
            f"({df:.4g} degrees of freedom, {missing:.1%} of the information missing)"
            for estimate, error, low, high, df, missing in zip(*arrays, strict=True)
        ]
        more = [f"and {len(lines) - _SHOWN:,} more"] if len(lines) > _SHOWN else []
        return "\n".join(lines[:_SHOWN] + more)


def pool_estimates(
    estimates: Any, variances: Any, *, complete_df: float | None = None, confidence: float = 0.95
) -> Pooled:
    """Pool the estimates of one analysis of m filled tables by Rubin's rules.

    Parameters
    ----------
    estimates : (m,) numbers, or (m, k) for k estimates of each table; m is at least 2.
    variances : of the same shape, the squared standard error of each estimate, at least 0.
    complete_df : degrees of freedom of the analysis if no cell were missing, such as n - 1 for the mean of n rows,
        above 0. They shorten those of the interval, which matters for few rows (Barnard and Rubin, 1999). None for
        many rows.
    confidence : in (0, 1), the share of such intervals that should hold the true value.

    Raises
    ------
    ValueError
        If the shapes differ, there are fewer than two tables, or a number is not finite or outside its range.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from narrows import TableAE
    >>> from narrows.tasks import pool_estimates
    >>> rng = np.random.default_rng(0)
    >>> age = rng.integers(18, 80, 300)
    >>> frame = pd.DataFrame({"age": age, "visits": rng.poisson(age / 20).astype(float)})
    >>> frame.loc[rng.random(300) < 0.3, "visits"] = np.nan
    >>> model = TableAE(16, max_epochs=5, random_state=0).fit(frame)
    >>> tables = model.impute(frame, n_draws=5, random_state=0)
    >>> means, variances = [t["visits"].mean() for t in tables], [t["visits"].var() / 300 for t in tables]
    >>> pooled = pool_estimates(means, variances, complete_df=299)
    >>> bool(pooled.low < frame["visits"].mean() < pooled.high)
    True
    """
    Parameter("confidence", 0.95, Real(0, 1, open_low=True, open_high=True), "").check("pool_estimates", confidence)
    if complete_df is not None:
        rule = Real(0, np.inf, open_low=True)
        Parameter("complete_df", None, rule, "").check("pool_estimates", complete_df)
    q, u = _as_numbers("estimates", estimates), _as_numbers("variances", variances)
    if q.shape != u.shape:
        raise ValueError(
            f"The `estimates` and `variances` parameters of pool_estimates must have one shape. Got {q.shape} and "
            f"{u.shape}."
        )
    if (u < 0).any():
        raise ValueError(
            f"The `variances` parameter of pool_estimates must be at least 0. Got {u.min():g}: pass squared standard "
            "errors."
        )
    m = len(q)
    estimate, within, between = q.mean(0), u.mean(0), q.var(0, ddof=1)
    added = (1 + 1 / m) * between
    variance = within + added
    share = np.divide(added, variance, out=np.zeros_like(variance), where=variance > 0)
    with np.errstate(divide="ignore"):
        df = (m - 1) / share**2
        if complete_df is not None and np.isfinite(complete_df):
            observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
            df = 1 / (1 / df + 1 / observed)
    quantile = np.where(df > 0, stats.t.ppf((1 + confidence) / 2, df), np.inf)  # W = 0 leaves none of `complete_df`
    half = np.multiply(quantile, np.sqrt(variance), out=np.zeros_like(variance), where=variance > 0)
    missing = share + (1 - share) * 2 / (df + 3)
    values = (estimate, variance, within, between, df, missing, estimate - half, estimate + half, confidence)
    return Pooled(*(value if np.ndim(value) else float(value) for value in values))


def _as_numbers(name: str, values: Any) -> np.ndarray:
    """Return the numbers of m >= 2 tables as (m,) or (m, k) floats."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim not in (1, 2) or len(array) < 2 or not np.isfinite(array).all():
        raise ValueError(
            f"The `{name}` parameter of pool_estimates must hold a finite number for each table, or k of them, from at "
            f"least 2 tables: (m,) or (m, k). Got {values!r}."
        )
    return array
