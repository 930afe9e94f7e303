"""The voice `heart`: natural English, in pieces, from a process of its own."""

import importlib.util
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isolation.protocol import Message
from tts.family import best_voice
from tts.heart.given_ipa import unknown_ipa
from tts.pending import PendingPieces
from tts.speech import Phoneme, Samples, Speech
from tts.text.pronunciation import omission, parts_of
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice, VoiceInfo, VoiceUnavailable
from tts.workers.stream import StreamLimits
from tts.workers.stream_client import StreamClient, worker_command

COMMAND = worker_command("tts.heart.worker")
LIMITS = StreamLimits(answer_s=20.0)
"""A sentence may wait for 20 s, for example while the process starts, which takes 1.5 s."""
SAMPLE_RATE_HZ = 24_000
LATER_SENTENCE_AHEAD_S = 1.0
"""Minimum sound that a listener still has to hear while a later sentence of a text is synthesized:
that of the sentence before it. So the first sentences of other texts are synthesized before it."""

INFO = VoiceInfo(
    id="heart",
    name="Heart, natural American English, female",
    languages=("en-US", "en"),
    gender="female",
    licence="Apache-2.0; the package hibari-tts, loaded at run time",
    sample_rate_hz=SAMPLE_RATE_HZ,
    streams=True,
    loads=True,
)
ALIASES = frozenset(["heart", "hibari:heart"])
PACKAGES = ("hibari", "onnxruntime", "scipy")
REMEDY = "Install them with `pip install hibari-tts==0.2.1 onnxruntime scipy`."


class HeartVoices:
    """Implements `tts.family.VoiceFamily` with one voice.

    Its process (`tts.heart.worker`) speaks for all sessions, and is started by `prepare` or the
    first sentence.
    """

    prefix = "heart"

    def __init__(self, streams: StreamClient | None = None) -> None:
        """Return at once; the process is started later."""
        self._streams = streams or StreamClient(COMMAND, LIMITS, name="process of the voice heart")
        self._missing = _missing_packages()

    def close(self) -> None:
        """Stop the process; sentences in progress and later ones fail."""
        self._streams.close()

    def infos(self) -> Sequence[VoiceInfo]:
        """Return the one voice."""
        return [replace(INFO, problem=self._problem())]

    def find(self, name: str) -> VoiceInfo | None:
        """Return the voice if that is its id or its alias, in any case."""
        return self.infos()[0] if name.lower() in ALIASES else None

    def best_for(self, language: str) -> VoiceInfo | None:
        """Return the voice for English, if it can speak."""
        return best_voice(self.infos(), language)

    def prepare(self, voice: str) -> None:  # noqa: ARG002 - there is one
        """Start the process in the background."""
        if self._missing is None:
            self._streams.start()

    def synthesize(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        """Return a sentence whose sound arrives in pieces; None if it has no sound."""
        if self._missing is not None:
            raise VoiceUnavailable(f"the voice {INFO.id} cannot speak: {self._missing}")
        messages = self._streams.stream(
            _request(sentence, choice.speed),
            is_cancelled,
            ahead_s=max(choice.ahead_s, LATER_SENTENCE_AHEAD_S if sentence.start else 0.0),
            patience_s=choice.patience_s,
        )
        speech = _speech(sentence.text, messages)
        omitted = "".join(unknown_ipa(each.ipa) for each in sentence.pronunciations)
        if speech is not None and omitted:
            return replace(speech, remarks=(omission(omitted, choice.voice),))
        return speech

    def _problem(self) -> str | None:
        return self._missing or self._streams.problem


def _missing_packages() -> str | None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    return f"the packages {', '.join(missing)} are not installed. {REMEDY}"


def _request(sentence: Sentence, speed: float) -> dict[str, Any]:
    request: dict[str, Any] = {
        "text": sentence.text,
        "before": sentence.before,
        "after": sentence.after,
        "is_end": sentence.is_end,
        "speed": speed,
    }
    if sentence.pronunciations:
        request["parts"] = list(parts_of(sentence.text, sentence.pronunciations))
    return request


def _speech(text: str, messages: Generator[Message, None, None]) -> Speech | None:
    """Return the speech of the first message and those that are still to come."""
    header, payload = next(messages, ({}, b""))
    if not header:
        return None
    first = np.frombuffer(payload, np.float32)
    phonemes = tuple(Phoneme(*phoneme) for phoneme in header["phonemes"])
    left = int(header["samples"]) - len(first)
    pending = PendingPieces(_pieces(messages), left) if left else None
    if not left:
        messages.close()
    return Speech(text, first, SAMPLE_RATE_HZ, phonemes, pending)


def _pieces(messages: Iterator[Message]) -> Iterator[Samples]:
    for _, payload in messages:
        yield np.frombuffer(payload, np.float32)
