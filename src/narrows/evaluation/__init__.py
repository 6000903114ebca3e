"""Evaluation: measures of a fitted model by name."""
