"""The section about new rows of a table: are they of use, like real ones, and no copies of training rows?"""

from __future__ import annotations

from collections.abc import Mapping

from narrows.evaluation import Evaluation, Row
from narrows.plots.drawing import format_number
from narrows.report.display import percent
from narrows.report.page import Section, escape, table

MEMORY = 0.6  # share of new rows closer to a training row from which the model is said to remember
_HARDLY, _OFTEN, _MOSTLY = 0.6, 0.75, 0.9  # values of C2ST
_NAMES = {  # measures by their rows: a name for people, the row of real rows, and the best value
    "utility": ("use for prediction", "utility_real", "that of real rows"),
    "c2st_auc": ("told from real rows (C2ST)", None, "0.5"),
    "marginals": ("difference of single columns", "marginals_real", "that of real rows"),
    "pairs": ("difference of pairs of columns", "pairs_real", "that of real rows"),
    "closer": ("closer to a training row", None, "0.5"),
    "dcr_train": ("distance to the closest training row, median", "dcr_held_out", "that to held-out rows"),
    "dcr_train_5": ("the same, 5 % quantile", "dcr_held_out_5", "that to held-out rows"),
    "copies": ("copies of a training row", "copies_real", "that of real rows"),
}


def new_rows(evaluation: Evaluation) -> Section:
    """Make the section of the measures of new rows, with a verdict."""
    rows = evaluation.rows
    lines = []
    for name, (words, beside, best) in _NAMES.items():
        if name in rows:
            real = "" if beside not in rows else _number(name, rows[beside])
            lines.append((words, _number(name, rows[name]), real, best, rows[name].words))
    reasons = [reason for reason in evaluation.reasons() if any(name in reason for name in _NAMES)]
    notes = "".join(f'<p class="note">{escape(reason)}</p>' for reason in reasons)
    head = ("measure", "new rows", "real rows", "best", "description")
    return Section(
        "newrows",
        "New rows",
        verdict(rows),
        "narrows.evaluate(model, X)  # train=X_train finds copies of training rows",
        f'<div class="measures">{table(head, lines, "Measures of new rows")}</div>{notes}',
    )


def verdict(rows: Mapping[str, Row]) -> str:
    """Return the measures of new rows in words: can they be told from real ones, are they copies, are they of use?"""
    sentences = [_likeness(rows["c2st_auc"].value)] if "c2st_auc" in rows else []
    if "closer" in rows:
        sentences.append(_memory(rows))
    if "utility" in rows:
        kind = rows["utility"].words.split(" in ")[0]  # "AUC of 'income'"
        sentences.append(
            f"Trees fitted to them reach {format_number(rows['utility'].value)} ({kind}); fitted to as many real rows "
            f"they reach {format_number(rows['utility_real'].value)}."
        )
    if "closer" not in rows:
        sentences.append("Pass the training rows (`train`) to see whether they are copies, and of what use they are.")
    return " ".join(sentences)


def _likeness(auc: float) -> str:
    told = "can hardly be told"
    for limit, words in ((_HARDLY, "can often be told"), (_OFTEN, "can mostly be told"), (_MOSTLY, "are easily told")):
        told = words if auc >= limit else told
    return f"New rows {told} from real ones (C2ST {auc:.2f}, where 0.5 is chance and 1 is always)."


def _memory(rows: Mapping[str, Row]) -> str:
    share = rows["closer"].value
    nearer = f"{percent(share)} are nearer to a training row than to a held-out row"
    copies, natural = rows["copies"].value, rows["copies_real"].value
    equal = f"{percent(copies)} equal a training row, and {percent(natural)} of the held-out rows do"
    if share >= MEMORY:
        return f"Many are close to training rows: {nearer}, where 50% would show no memory; {equal}."
    if copies > natural + 0.01:
        return f"Some are copies: {equal}; {nearer}."
    return f"They are not copies: {nearer}; {equal}."


def _number(name: str, row: Row) -> str:
    return percent(row.value) if name == "copies" else format_number(row.value)
