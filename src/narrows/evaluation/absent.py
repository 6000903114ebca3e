"""The error for a result that a model or its data do not have."""


class Absent(Exception):
    """A result that this model or these data do not have; the message is the reason."""
