"""Ctrl-C at a certain moment of a training."""

import signal

from narrows.training.loop import Trainer


def interrupt_at(monkeypatch, step: int, times: int = 1) -> None:
    """Ctrl-C while the training takes this step."""
    train_step = Trainer.train_step

    def interrupting(self, index):
        train_step(self, index)
        if self.clock.step == step:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "train_step", interrupting)
