"""Errors of the recognition of speech. Each message states the cause and the next step."""


class SpeechError(RuntimeError):
    """A recording was not recognised."""


class RecogniserAbsent(SpeechError):
    """The files or packages of the recogniser are not on this machine."""


class RecogniserFetching(SpeechError):
    """The files of the recogniser are being fetched; a later request succeeds."""

    retry_after_s = 3


class TranscriptionDisabled(SpeechError):
    """The settings switch the recognition of speech off."""


class LanguageNotSupported(SpeechError):
    """The recogniser does not know the language."""


class RecordingRefused(SpeechError):
    """The recogniser failed with this recording more than once, or a server refused it."""


class RecogniserBusy(SpeechError):
    """The recogniser works for others; a later request may succeed."""

    retry_after_s = 2


class RecogniserFailed(SpeechError):
    """The recogniser cannot be started, or failed for a reason outside of the recording."""


class RecognitionTimeout(SpeechError):
    """The recogniser took too long."""


class RecogniserUnreachable(SpeechError):
    """The server that recognises speech cannot be connected to, or is no such server."""


class RecogniserKeyRefused(SpeechError):
    """The server refuses the key, or requires one."""
