"""Loop over the sentences of a text, the same for all voices."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from tts.pending import PendingPieces
from tts.speech import PendingAudio, Samples, Speech
from tts.text.sentences import Sentence
from tts.voice import BadSpeechRequest, SentenceFailed, UnspeakableSentence

Synthesize = Callable[[Sentence, Callable[[], bool]], Speech | None]
"""Returns a sentence, or None if it has no sound; the second argument reports a cancellation."""

REMEDY = "Rephrase that sentence, leave it out, or choose another voice."


class SpokenText:
    """The sentences of one text, synthesized on demand.

    Iterated by one thread; any thread may call `cancel`.
    """

    def __init__(
        self, text: str, sentences: Iterable[Sentence], synthesize: Synthesize, *, voice: str
    ) -> None:
        self._cancelled = threading.Event()
        self._speeches = iter(_Sentences(text, sentences, synthesize, voice, self._cancelled))

    def __iter__(self) -> Iterator[Speech]:
        """Return itself."""
        return self

    def __next__(self) -> Speech:
        """Synthesize the next sentence; raises RequestCancelled soon after `cancel`.

        Raises UnspeakableSentence at a sentence that the voice cannot speak, BadSpeechRequest if
        the whole text has no sound, and VoiceUnavailable.
        """
        return next(self._speeches)

    def cancel(self) -> None:
        """Stop the synthesis of the current sentence."""
        self._cancelled.set()


class _Sentences:
    """Synthesizes one sentence after the other.

    `SpokenText` refers to this and not the other way round, so that a text that nobody needs any
    more is freed at once, with the synthesis of its sound.
    """

    def __init__(
        self,
        text: str,
        sentences: Iterable[Sentence],
        synthesize: Synthesize,
        voice: str,
        cancelled: threading.Event,
    ) -> None:
        self._text, self._sentences, self._synthesize = text, sentences, synthesize
        self._voice, self._cancelled = voice, cancelled

    def __iter__(self) -> Iterator[Speech]:
        has_spoken = False
        omitted: tuple[str, ...] = ()
        for number, sentence in enumerate(self._sentences, 1):
            speech = self._sentence(number, sentence)
            if speech is not None:
                has_spoken = True
                yield replace(speech, remarks=(*omitted, *speech.remarks)) if omitted else speech
                omitted = ()
            else:
                omitted += (_omission(sentence),)
        if not has_spoken:
            raise BadSpeechRequest(
                "text",
                f"the voice {self._voice} has no sounds for the text {self._text[:40]!r}. "
                "Choose a voice of the text's own language from GET /voices.",
            )

    def _sentence(self, number: int, sentence: Sentence) -> Speech | None:
        with self._failures_placed(number, sentence):
            speech = self._synthesize(sentence, self._cancelled.is_set)
        if speech is None or speech.pending is None:
            return speech
        pieces = self._pieces(number, sentence, speech.pending)
        return replace(speech, pending=PendingPieces(pieces, speech.pending.samples))

    def _pieces(self, number: int, sentence: Sentence, pending: PendingAudio) -> Iterator[Samples]:
        with self._failures_placed(number, sentence):
            yield from pending

    @contextmanager
    def _failures_placed(self, number: int, sentence: Sentence) -> Iterator[None]:
        """Raise UnspeakableSentence, with the place in the text, for SentenceFailed."""
        try:
            yield
        except SentenceFailed as error:
            raise UnspeakableSentence(
                voice=self._voice,
                number=number,
                start=sentence.start,
                sentence=sentence.text,
                reason=str(error),
                remedy=REMEDY,
            ) from error


def _omission(sentence: Sentence) -> str:
    shown = sentence.text if sentence.shown is None else sentence.shown
    return f"no voice has sounds for {shown[:40]!r}, so it was left out"
