"""Errors of cutting people out."""


class NoPerson(RuntimeError):
    """A film shows nobody."""
