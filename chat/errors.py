"""Errors of language models. Each message is complete: it states the cause and the next step."""


class ChatError(RuntimeError):
    """A model did not answer, or not to the end."""


class ModelUnreachable(ChatError):
    """The server of the model cannot be connected to, or is no such server."""


class ModelKeyRefused(ChatError):
    """The server refuses the key, or requires one."""


class ModelTimeout(ChatError):
    """The model wrote nothing for too long, or did not come to an end."""


class ModelBusy(ChatError):
    """The model answers others; a later request may succeed."""

    retry_after_s = 2


class ModelRefused(ChatError):
    """The server refuses the request for another reason, such as an unknown model."""


class ContextTooLong(ModelRefused):
    """The messages have more tokens than the model can read."""


class ModelFailed(ChatError):
    """The server failed (a status of 500 or above)."""


class ReplyBroken(ChatError):
    """The reply broke off, or cannot be understood. What was received before it is valid."""


class EmptyReply(ChatError):
    """The model ended its reply without having written anything."""


class ModelAbsent(ChatError):
    """The files of the embedded model are not on this machine."""


class ChatDisabled(ChatError):
    """The settings switch chat off."""


class ReplyCancelled(ChatError):
    """The reply was cancelled."""
