"""The error that prevents the start of a container."""


class ContainerError(RuntimeError):
    """The user must change something; the message has one line per fault, with the next step."""
