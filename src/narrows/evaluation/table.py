"""The table of an evaluation: measures with intervals, beside PCA and another model."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from narrows.params import did_you_mean

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Row:
    """A row of the table: one measure.

    Attributes
    ----------
    value : value of the model; NaN if only the other model has the measure.
    low, high : ends of its 95 % interval; NaN if there is none.
    pca, other : values of PCA and of the other model; None if they have none.
    better : 1 if more is better, -1 if less is better, 0 if neither is.
    words : description of the measure, and of the examples and the method.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    pca: float | None = None
    other: float | None = None
    better: int = 0
    words: str = ""


@dataclass
class Evaluation:
    """Measures by name.

    `print` shows it as a table. `values` maps names to numbers, `evaluation["mse"]` is one of them, and
    `evaluation["pca_mse"]` is that of PCA.

    Attributes
    ----------
    rows : measures by name, in order.
    missing : reasons by name, for the measures that do not apply to this model or these data.
    model, other : names of the model and of the other one.
    """

    model: str = "model"
    other: str | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, float]:
        """Values of the model by the name of the measure, without those that only the other model has."""
        return {name: row.value for name, row in self.rows.items() if row.other is None or not math.isnan(row.value)}

    @property
    def explained(self) -> dict[str, str]:
        """Descriptions of the measures by name."""
        return {name: row.words for name, row in self.rows.items()}

    def interval(self, name: str) -> tuple[float, float]:
        """Return the ends of the 95 % interval of the measure `name`; NaN if it has none."""
        return self._row(name).low, self._row(name).high

    def to_dict(self) -> dict[str, float]:
        """Return all numbers by name, those of PCA as `pca_...` and those of the other model as `other_...`."""
        numbers = self.values
        for name, row in self.rows.items():
            numbers |= {f"{of}_{name}": v for of, v in (("pca", row.pca), ("other", row.other)) if v is not None}
        return numbers

    def to_json(self) -> str:
        """Return everything as one JSON document; numbers that are not finite are null."""
        rows = [{"measure": name, **_finite(asdict(row))} for name, row in self.rows.items()]
        return json.dumps({"model": self.model, "other": self.other, "rows": rows, "missing": self.missing}, indent=1)

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas data frame, a row for each measure.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("Evaluation.to_frame needs pandas: pip install 'narrows[tables]'.") from error
        records = [
            {
                "measure": name,
                "value": row.value,
                "low": row.low,
                "high": row.high,
                "pca": math.nan if row.pca is None else row.pca,
                "other": math.nan if row.other is None else row.other,
                "explanation": row.words,
            }
            for name, row in self.rows.items()
        ]
        return pd.DataFrame.from_records(records).set_index("measure")

    def cells(self) -> list[tuple[str, ...]]:
        """Return the table as text: a heading, then a row for each measure. Empty columns are left out."""
        pca = any(row.pca is not None for row in self.rows.values())
        heading = ["measure", self.model, "95 % interval"]
        table = [(*heading, *(["PCA"] * pca), *([self.other] if self.other else []), "description")]
        for name, row in self.rows.items():
            between = "" if math.isnan(row.low) else f"{row.low:.4g} to {row.high:.4g}"
            cells = [name, _number(row.value), between]
            cells += [_number(row.pca)] * pca + ([_number(row.other)] if self.other else [])
            table.append((*cells, row.words))
        return table

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __getitem__(self, name: str) -> float:
        numbers = self.to_dict()
        if name not in numbers:
            why = f" ({self.missing[name]})" if name in self.missing else ""
            raise KeyError(f"this evaluation has no measure {name!r}{why}. {did_you_mean(name, numbers)}")
        return numbers[name]

    def _repr_html_(self) -> str:
        """Return the table as HTML, for a notebook."""
        head, *rows = ([html.escape(cell) for cell in row] for row in self.cells())
        number, words = '<td style="white-space: nowrap">', '<td style="text-align: left">'
        heads = "".join(f"<th>{cell}</th>" for cell in head)
        body = "".join(
            f"<tr><th>{name}</th>{''.join(f'{number}{cell}</td>' for cell in numbers)}{words}{description}</td></tr>"
            for name, *numbers, description in rows
        )
        below = "".join(f"<p>{html.escape(reason)}</p>" for reason in self.reasons())
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{below}"

    def __repr__(self) -> str:
        cells = self.cells()
        widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]) - 1)]
        lines = []
        for name, *rest, description in cells:
            aligned = "  ".join(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
            lines.append(f"{name.ljust(widths[0])}  {aligned}  {description}".rstrip())
        return "\n".join([*lines, *self.reasons()])

    def reasons(self) -> list[str]:
        """Return a line for each reason why measures are missing."""
        reasons = dict.fromkeys(self.missing.values())
        return [
            f"Not measured: {', '.join(name for name, reason in self.missing.items() if reason == why)}: {why}."
            for why in reasons
        ]

    def _row(self, name: str) -> Row:
        if name not in self.rows:
            raise KeyError(f"this evaluation has no measure {name!r}. {did_you_mean(name, self.rows)}")
        return self.rows[name]


def _number(value: float | None) -> str:
    """Format with five digits, more than an interval leaves certain."""
    return "" if value is None or math.isnan(value) else f"{value:.5g}"


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
