"""Why a container cannot start."""


class ContainerError(RuntimeError):
    """The user must change something; the message has one line per fault and names the step."""
