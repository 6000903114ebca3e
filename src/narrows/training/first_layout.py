"""Checkpoints as narrows wrote them up to acfb3a0, before each component had a state: read so that old runs go on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from narrows.model import rename_old_state


def translate(state: dict[str, Any], names: Iterable[str], refer: str) -> dict[str, Any]:
    """Return what `narrows.training.checkpoint.pack` would have given.

    Parameters
    ----------
    state : the JSON of the file.
    names : of the file's tensors.
    refer : what stands before a tensor's name in its place.
    """
    references = {name: refer + name for name in names}

    def under(prefix: str) -> dict[str, str]:
        return {name.removeprefix(prefix): ref for name, ref in references.items() if name.startswith(prefix)}

    def weights(prefix: str) -> dict[str, str]:
        model = rename_old_state(under(prefix + "model."))
        objective = under(prefix + "objective.")
        return {f"model.{name}": ref for name, ref in model.items()} | {
            f"objective.{name}": ref for name, ref in objective.items()
        }

    position = state["position"]
    identity = ("fingerprint", "seed", "precision", "compile", "threads", "processes", "over")
    stopping = {"best_loss": position["best_loss"], "n_without_improvement": position["waited"]}
    return {
        "training": {name: state[name] for name in identity},
        "weights": {"tensors": weights(""), "reviving": state["reviving"]},
        "objective": state["objective"],
        "optimizers": {"0": {"tensors": under("optimizer."), "norm": refer + "limiter.mean"}},
        "sums": {"sums": under("sum."), "n_steps": state["summed"]},
        "early_stopping": {**stopping, "best": weights("best.")},
        "recovery": {"n_set_back": position["rescues"], "has_restarted": position["restarted"]},
        "schedule": state["schedule"],
        "clock": {"step": position["step"], "seconds": state["seconds"]},
        "generators": under("generator."),
        "tracking": {"name": state["run"]},
        "result": {"history": state["history"], "notes": state["notes"]},
    }
