"""Errors of language models. Each message is complete: it states the cause and the next step."""


class ChatError(RuntimeError):
    """A model did not answer, or did not complete its answer."""


class ModelUnreachable(ChatError):
    """The model's server cannot be reached, or is not a chat server."""


class ModelKeyRefused(ChatError):
    """The server refuses the key, or requires one."""


class ModelTimeout(ChatError):
    """The model wrote nothing for too long, or did not end its reply in time."""


class ModelBusy(ChatError):
    """The model is busy with other requests; a later request may succeed."""

    retry_after_s = 2


class ModelRefused(ChatError):
    """The server refuses the request for another reason, such as an unknown model."""


class ContextTooLong(ModelRefused):
    """The messages have more tokens than the model can read."""


class ModelFailed(ChatError):
    """The server failed (a status of 500 or above)."""


class ReplyBroken(ChatError):
    """The reply broke off or cannot be parsed. The text received before that is valid."""


class EmptyReply(ChatError):
    """The model ended its reply without writing anything."""


class ModelAbsent(ChatError):
    """The files of the embedded model are not on this machine."""


class ChatDisabled(ChatError):
    """The settings switch chat off."""


class ReplyCancelled(ChatError):
    """The reply was cancelled."""
