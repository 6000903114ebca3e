"""A training's checkpoint: written now and then, and gone on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from narrows.training import checkpoint
from narrows.training.parallel import Clock, World, full_tensors
from narrows.training.plan import Plan
from narrows.training.settings import Settings


class Component(Protocol):
    """A part of a training that changes while it runs."""

    def state(self) -> dict[str, Any]:
        """Return what it is at the moment: tensors, dicts, and what JSON knows."""

    def restore(self, state: Any) -> None:
        """Be what it was when it gave `state`."""


class Saver:
    """Writes the states of all components into one file, and restores them.

    Parameters
    ----------
    path : of the file; None writes nothing.
    identity : of the training, as `identify` gives it.
    components : by name, all that the rest of a training depends on.
    say : told what went wrong.
    """

    def __init__(
        self,
        path: Path | None,
        identity: dict[str, Any],
        components: Mapping[str, Component],
        clock: Clock,
        world: World,
        say: Callable[[str], None],
    ) -> None:
        self.path, self.identity, self.components = path, identity, components
        self.clock, self.world, self.say = clock, world, say
        self.saved_at = clock.seconds

    def save(self, over: bool) -> None:
        """Write all states, and whether the training is `over`. A disk that is full is no reason to stop learning."""
        if self.path is None:
            return
        states = {name: component.state() for name, component in self.components.items()}
        tensors, states = checkpoint.pack({"training": {**self.identity, "over": over}, **states})
        tensors = full_tensors(tensors, keep=self.world.rank == 0)
        try:
            if self.world.rank == 0:
                checkpoint.write(self.path, tensors, states)
        except OSError as error:
            self.say(f"step {self.clock.step:,}: no checkpoint could be written ({error}). The last good one stands.")
        self.saved_at = self.clock.seconds

    def resume(self) -> bool:
        """Go on from the file, if there is one; return whether the training goes on.

        Raises
        ------
        ValueError
            If the file is of another training that is not over, or of one with another precision.
        """
        if self.path is None or not self.path.exists():
            return False
        states = checkpoint.read(self.path)
        before = states.pop("training")
        if before["fingerprint"] != self.identity["fingerprint"] and before["over"]:
            self.say(f"{self.path} was of another training, which was over: this one starts anew and takes its place.")
            return False
        self._check(before)
        for name, state in states.items():
            self.components[name].restore(state)
        self.saved_at = self.clock.seconds
        n, n_before = self.world.size, before["processes"]
        if n != n_before:
            self.say(
                f"step {self.clock.step:,}: going on with {n} processes where there were {n_before}. The weights will "
                "be the same but for rounding."
            )
        return True

    def _check(self, before: dict[str, Any]) -> None:
        if before["fingerprint"] != self.identity["fingerprint"]:
            raise ValueError(
                f"{self.path} is the checkpoint of another training: its data or its parameters differ from this "
                "one's. Pass another folder as `checkpoint`, or delete that file to start anew."
            )
        # several processes never compile; with another number of them the weights differ by rounding anyway
        alike = before["processes"] == self.world.size
        for name in ("precision", "compile") if alike else ("precision",):
            mine = self.identity[name]
            if before[name] != mine:
                raise ValueError(
                    f"{self.path} was trained with {name}={before[name]!r}, and this run has {mine!r}. Pass "
                    f"{name}={before[name]!r} to go on."
                )


def identify(fingerprint: str, settings: Settings, plan: Plan, world: World) -> dict[str, Any]:
    """Return what must be the same for a training to go on to the same weights, and what it then takes over."""
    return {
        "fingerprint": fingerprint,
        "seed": settings.seed,
        "precision": str(plan.place.precision).removeprefix("torch."),
        "compile": plan.use_compile,
        "threads": plan.n_threads,
        "processes": world.size,
    }


def settings_to_resume(path: Path | None, fingerprint: str) -> dict[str, Any]:
    """Return the identity of the training that the file at `path` goes on with; nothing if it is of another one."""
    if path is None or not path.exists():
        return {}
    before: dict[str, Any] = checkpoint.read_without_tensors(path)["training"]
    return before if before["fingerprint"] == fingerprint else {}
