"""Sound of a sentence that is still to come."""

from collections.abc import Iterator

from tts.speech import Samples


class PendingPieces:
    """Implements `tts.speech.PendingAudio` with an iterator that makes the pieces."""

    def __init__(self, pieces: Iterator[Samples], samples: int) -> None:
        """`samples` is the number of samples of all pieces together."""
        self._pieces, self._samples = pieces, samples

    @property
    def samples(self) -> int:
        """Number of samples of all pieces together."""
        return self._samples

    def __iter__(self) -> Iterator[Samples]:
        """Yield the pieces, waiting for each."""
        return self._pieces
