"""Ctrl-C at a certain moment of a training."""

import signal

from narrows.training.loop import Trainer


def interrupt_at(monkeypatch, step: int, times: int = 1) -> None:
    """Ctrl-C while the training takes this step."""
    learn = Trainer.learn

    def interrupting(self, index):
        learn(self, index)
        if self.at.step == step:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "learn", interrupting)
