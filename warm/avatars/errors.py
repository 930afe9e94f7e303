"""Errors of making an avatar that settings and engines raise too."""


class PreparationError(ValueError):
    """The avatar was not made, and nothing of it was left behind."""


class BadPreparationSettings(PreparationError):
    """A setting is outside its range."""
