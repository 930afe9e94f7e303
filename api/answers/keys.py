"""Answers about keys."""

from api.answers import Answer


class CallerAnswer(Answer):
    """The key of a request, and what it permits."""

    required: bool
    """False if the server needs no keys; then every request may do everything."""
    name: str
    """Name of the key; empty if none is needed."""
    scopes: list[str]
