"""Error of a voice's files."""


class BadVoiceFile(ValueError):
    """A file of a voice cannot be used; the message states the fault and the remedy."""
