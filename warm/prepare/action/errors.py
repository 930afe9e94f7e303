"""Errors of action clips; every message names the action and says how to correct it."""

from warm.avatars.recipe import PreparationError


class ActionError(PreparationError):
    """A film cannot be an action of the avatar; nothing of the avatar was changed."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(f"The action {name!r} {fault}")


class ActionLengthError(ActionError):
    """The film is too short or too long."""


class ActionFaceError(ActionError):
    """The film does not begin and end with the person's face."""


class ActionFramingError(ActionError):
    """The person has another size or place in the film than in the avatar."""


class BadActionName(PreparationError):
    """The name of an action cannot be part of an address."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"action is {name[:60]!r}; a name has 1 to 32 lower-case letters, digits, '-' and '_'. "
            "Write it as NAME=VIDEO, such as wave=wave.mp4."
        )


class TooManyActions(PreparationError):
    """The avatar already has the maximum number of actions."""

    def __init__(self, avatar_id: str, most: int) -> None:
        super().__init__(
            f"The avatar {avatar_id!r} would have more than {most} actions. Replace one by using "
            "its name."
        )
