"""Checkpoints in the first layout, written until commit acfb3a0, are translated so that old runs can be resumed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from narrows.model import rename_old_state


def translate(state: dict[str, Any], names: Iterable[str], prefix: str) -> dict[str, Any]:
    """Return the states in the layout of `narrows.training.checkpoint.pack`.

    Parameters
    ----------
    state : the JSON of the file.
    names : names of the tensors in the file.
    prefix : prefix of a reference to a tensor.
    """
    references = {name: prefix + name for name in names}

    def select(group: str) -> dict[str, str]:
        return {name.removeprefix(group): ref for name, ref in references.items() if name.startswith(group)}

    def select_weights(group: str) -> dict[str, str]:
        model = rename_old_state(select(group + "model."))
        objective = select(group + "objective.")
        return {f"model.{name}": ref for name, ref in model.items()} | {
            f"objective.{name}": ref for name, ref in objective.items()
        }

    position = state["position"]
    identity = ("fingerprint", "seed", "precision", "compile", "threads", "processes", "over")
    stopping = {"best_loss": position["best_loss"], "n_without_improvement": position["waited"]}
    return {
        "training": {name: state[name] for name in identity},
        "weights": {"tensors": select_weights(""), "reviving": state["reviving"]},
        "objective": state["objective"],
        "optimizers": {"0": {"tensors": select("optimizer."), "norm": prefix + "limiter.mean"}},
        "sums": {"sums": select("sum."), "n_steps": state["summed"]},
        "early_stopping": {**stopping, "best": select_weights("best.")},
        "recovery": {"n_set_back": position["rescues"], "has_restarted": position["restarted"]},
        "schedule": state["schedule"],
        "clock": {"step": position["step"], "seconds": state["seconds"]},
        "generators": select("generator."),
        "tracking": {"name": state["run"]},
        "result": {"history": state["history"], "notes": state["notes"]},
    }
