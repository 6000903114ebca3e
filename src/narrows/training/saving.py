"""Saving and resuming of a training: the states of its components in one checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from narrows.data import BlockError
from narrows.params import counted
from narrows.training import checkpoint
from narrows.training.parallel import Clock, World, full_tensors
from narrows.training.plan import Plan
from narrows.training.settings import Settings


class Component(Protocol):
    """A part of a training whose state changes while it runs."""

    def state(self) -> dict[str, Any]:
        """Return the current state: tensors, dicts, and values that JSON can hold."""

    def restore(self, state: Any) -> None:
        """Restore the state that the same component of an earlier run returned."""


class Saver:
    """Writes the states of all components into one file, and restores them.

    Parameters
    ----------
    path : path of the checkpoint; None writes nothing.
    identity : identity of the training, from `identify`.
    components : components by name, with everything that the rest of a training depends on.
    add_note : function that records a message for the user.
    """

    def __init__(
        self,
        path: Path | None,
        identity: dict[str, Any],
        components: Mapping[str, Component],
        clock: Clock,
        world: World,
        add_note: Callable[[str], None],
    ) -> None:
        self.path, self.identity, self.components = path, identity, components
        self.clock, self.world, self.add_note = clock, world, add_note
        self.saved_at = clock.seconds

    def save(self, is_over: bool) -> None:
        """Write all states, and whether the training is over. A write error becomes a note; the training continues."""
        if self.path is None:
            return
        states = {name: component.state() for name, component in self.components.items()}
        tensors, states = checkpoint.pack({"training": {**self.identity, "over": is_over}, **states})
        tensors = full_tensors(tensors, keep=self.world.rank == 0)
        try:
            if self.world.rank == 0:
                checkpoint.write(self.path, tensors, states)
        except OSError as error:
            self.add_note(
                f"step {self.clock.step:,}: no checkpoint could be written ({error}). The previous one is kept."
            )
        self.saved_at = self.clock.seconds

    def resume(self) -> bool:
        """Restore all components from the file, if there is one.

        Returns
        -------
        True if the training resumes, False if it starts from the beginning.

        Raises
        ------
        ValueError
            If the file belongs to another training that is not over, its precision or compilation differs, or the rows
            cannot go to its position. The file is kept.
        """
        if self.path is None or not self.path.exists():
            return False
        states = checkpoint.read(self.path)
        before = states.pop("training")
        if before["fingerprint"] != self.identity["fingerprint"] and before["over"]:
            self.add_note(
                f"{self.path} is of another training, which is finished. This training starts from 0 and replaces it."
            )
            return False
        self._check(before)
        try:
            for name, state in states.items():
                self.components[name].restore(state)
        except BlockError as error:  # no failure of a training that runs: its end would save what is not restored yet
            raise ValueError(f"{error} The training cannot resume; its checkpoint in {self.path} is kept.") from error
        self.saved_at = self.clock.seconds
        n, n_before = self.world.size, before["processes"]
        if n != n_before:
            self.add_note(
                f"step {self.clock.step:,}: continuing with {counted(n, 'process', 'processes')} instead of {n_before}."
                " The weights will be the same up to rounding."
            )
        return True

    def _check(self, before: dict[str, Any]) -> None:
        if before["fingerprint"] != self.identity["fingerprint"]:
            raise ValueError(
                f"{self.path} is the checkpoint of another training: its data or its parameters differ from this "
                "one's. Pass another folder as `checkpoint`, or delete that file to start again."
            )
        # several processes never compile; another number of processes changes rounding anyway
        same_number = before["processes"] == self.world.size
        for name in ("precision", "compile") if same_number else ("precision",):
            current = self.identity[name]
            if before[name] != current:
                raise ValueError(
                    f"{self.path} was trained with {name}={before[name]!r}, and this run has {current!r}. Pass "
                    f"{name}={before[name]!r} to continue."
                )


def identify(fingerprint: str, settings: Settings, plan: Plan, world: World) -> dict[str, Any]:
    """Return the properties that a resumed training must share with its checkpoint, or takes from it."""
    return {
        "fingerprint": fingerprint,
        "seed": settings.seed,
        "precision": str(plan.place.precision).removeprefix("torch."),
        "compile": plan.use_compile,
        "threads": plan.n_threads,
        "n_valid": plan.n_valid,
        "processes": world.size,
    }


def settings_to_resume(path: Path | None, fingerprint: str) -> dict[str, Any]:
    """Return the identity in the checkpoint at `path`; an empty dict without one, or if the fingerprint differs."""
    if path is None or not path.exists():
        return {}
    before: dict[str, Any] = checkpoint.read_without_tensors(path)["training"]
    return before if before["fingerprint"] == fingerprint else {}
