"""Errors of films that jobs make."""


class UnsupportedOption(ValueError):
    """An option of a film cannot be fulfilled."""

    def __init__(self, option: str, value: object, reason: str) -> None:
        """`reason` names the fault and the next step."""
        super().__init__(f"{option} = {value!r}: {reason}")
        self.option = option
        """Its name, with those of the objects around it: `options.logo`."""


class FilmIncomplete(RuntimeError):
    """A film ended before everything was spoken."""

    def __init__(self, setting: str | None) -> None:
        """`setting`: the one whose limit ended it; None: an interruption did."""
        cause = "it was interrupted" if setting is None else f"{setting} is the longest film"
        super().__init__(f"the film does not contain everything: {cause}; send less at once")
