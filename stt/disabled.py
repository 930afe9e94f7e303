"""The recogniser if the settings switch recognition off."""

from collections.abc import Callable

from stt.errors import TranscriptionDisabled
from stt.recogniser import RecogniserState, Utterance


class NoRecogniser:
    """Refuses every recording."""

    def listen(
        self,
        language: str | None = None,  # noqa: ARG002
        is_cancelled: Callable[[], bool] = lambda: False,  # noqa: ARG002
    ) -> Utterance:
        """Raise TranscriptionDisabled."""
        raise TranscriptionDisabled(self.state().detail)

    def state(self) -> RecogniserState:
        """Return the state of no recogniser."""
        detail = (
            "The recognition of speech is switched off. Set transcriber to moonshine to switch it "
            "on."
        )
        return RecogniserState(name="none", kind="none", phase="off", detail=detail)

    def prepare(self) -> None:
        """Do nothing: there is no recogniser."""

    def close(self) -> None:
        """Do nothing: there is no recogniser."""
