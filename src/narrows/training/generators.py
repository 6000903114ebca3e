"""The name under which `forked_rng` is known to modules that are being rewritten."""

from narrows.training.rng import forked_rng as own_generators

__all__ = ["own_generators"]
