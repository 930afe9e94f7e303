"""Voices of Coqui models: `coqui:NAME` and `coqui:NAME/SPEAKER`."""

import json
import logging
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from isolation.process import RequestCancelled
from isolation.protocol import Message
from tts.coqui.model_config import hub_language, read_summary
from tts.coqui.models import CoquiModel
from tts.coqui.package import licence_of, missing_package, requires_terms
from tts.coqui.symbol_times import phonemes_of
from tts.languages import bcp47
from tts.sentence_audio import sentence_audio
from tts.speech import Speech
from tts.text.pronunciation import unread
from tts.text.sentences import Sentence
from tts.voice import (
    BadSpeechRequest,
    PhonemeTimes,
    SentenceFailed,
    VoiceChoice,
    VoiceInfo,
    VoiceUnavailable,
)
from tts.workers.stream import StreamLimits
from tts.workers.stream_client import StreamClient, worker_command

PREFIX = "coqui"
WORKER = "tts.coqui.worker"
LIMITS = StreamLimits(start_s=300.0, step_s=120.0, answer_s=330.0, max_streams=64)
"""A large model takes minutes to load from a slow disk, and a long sentence may take one."""
MAX_LISTED_SPEAKERS = 500
MAX_SPEAKER_CHARS = 200
LIVE_PACE = 1.3
"""Seconds of sound per second that a model must reach to be live."""
SLOW_KINDS = frozenset(["xtts", "bark", "tortoise"])
"""Architectures that are slower than speech without a GPU."""
LANGUAGE = "en"
"""Language of models that name none, as in coqui-tts itself."""

log = logging.getLogger(__name__)


class Aligner(Protocol):
    """Finds the phonemes of a sentence in its sound."""

    def __call__(
        self, speech: Speech, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech:
        """Return the speech with its phonemes, if they can be found."""
        ...


@dataclass(frozen=True, slots=True)
class Described:
    """Properties of a loaded model."""

    speakers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    rate_hz: int | None = None
    pace: float | None = None
    """Seconds of sound per second of time."""
    knows_symbols: bool = False
    """True if it reports the times of its phonemes."""


class CoquiVoices:
    """Implements `tts.family.VoiceFamily` with the models of the settings.

    Each model has a process of its own, started when a voice of it is used. Names of models and
    paths come from the settings only, never from a request.
    """

    prefix = PREFIX

    def __init__(
        self,
        models: Sequence[CoquiModel],
        align: Aligner | None = None,
        *,
        limits: StreamLimits = LIMITS,
    ) -> None:
        """Return at once; nothing is loaded."""
        self._models = {model.name: _LoadedModel(model, limits) for model in models}
        self._align = align

    def infos(self) -> Sequence[VoiceInfo]:
        """Return the voices, also those that cannot speak; a loaded model has one per speaker."""
        return [info for model in self._models.values() for info in self._infos_of(model)]

    def find(self, name: str) -> VoiceInfo | None:
        """Return the voice of a model, or of a speaker whom the model has or may have."""
        found = self._split(name)
        return None if found is None else self._info(*found)

    def best_for(self, language: str) -> VoiceInfo | None:  # noqa: ARG002 - the interface's
        """Return None: these voices speak only if they are named, as clones of persons should."""
        return None

    def prepare(self, voice: str) -> None:
        """Load a model in the background."""
        found = self._split(voice)
        if found is not None:
            found[0].prepare()

    def synthesize(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        """Return one sentence; None if it has no sound."""
        found = self._split(choice.voice)
        if found is None:
            raise VoiceUnavailable(f"the voice {choice.voice} is not in the settings any more")
        model, speaker = found
        request = {
            "text": sentence.text,
            "speaker": speaker,
            "language": choice.language,
            "speed": choice.speed,
        }
        header, payload = model.ask(request, is_cancelled)
        if "unknown" in header:
            raise _unknown(header["unknown"], choice, model.described)
        raw = np.frombuffer(payload, np.float32)
        rate_hz = int(header["rate_hz"])
        audio = sentence_audio(raw, rate_hz, is_end=sentence.is_end, speed=choice.speed)
        if audio is None:
            return None
        own = phonemes_of(header["symbols"], len(raw) / rate_hz) if header["symbols"] else None
        phonemes = None if own is None else audio.placed(own)
        remarks = (unread(choice.voice),) if sentence.pronunciations else ()
        speech = Speech(sentence.text, audio.samples, rate_hz, phonemes, remarks=remarks)
        if phonemes is None and self._align is not None:
            return self._align(speech, choice, is_cancelled)
        return speech

    def close(self) -> None:
        """Stop the processes."""
        for model in self._models.values():
            model.close()

    def _split(self, name: str) -> "tuple[_LoadedModel, str | None] | None":
        """Return the model of a voice, and its speaker if the name has one."""
        prefix, colon, rest = name.partition(":")
        model_name, slash, speaker = rest.partition("/")
        model = self._models.get(model_name)
        if prefix.lower() != PREFIX or not colon or model is None:
            return None
        if not slash:
            return model, None
        return (model, speaker) if model.may_have(speaker) else None

    def _infos_of(self, model: "_LoadedModel") -> Iterator[VoiceInfo]:
        yield self._info(model, None)
        speakers = () if model.model.has_fixed_speaker else model.described.speakers
        for speaker in speakers[:MAX_LISTED_SPEAKERS] if len(speakers) > 1 else ():
            yield self._info(model, speaker)

    def _info(self, loaded: "_LoadedModel", speaker: str | None) -> VoiceInfo:
        model, described = loaded.model, loaded.described
        times: PhonemeTimes = "heard" if self._align is None else "aligned"
        return VoiceInfo(
            id=f"{PREFIX}:{model.name}" + ("" if speaker is None else f"/{speaker}"),
            name=model.name if speaker is None else f"{model.name}, {speaker}",
            languages=loaded.languages,
            gender=model.gender if speaker is None else "unknown",
            licence=loaded.licence,
            sample_rate_hz=described.rate_hz or loaded.summary.sample_rate_hz,
            phoneme_times="own" if described.knows_symbols else times,
            is_live=loaded.is_live,
            loads=True,
            problem=loaded.problem,
        )


class _LoadedModel:
    """A model of the settings, and its process. Thread-safe."""

    def __init__(self, model: CoquiModel, limits: StreamLimits) -> None:
        self.model = model
        self.summary = read_summary(model.config_file)
        self.described = Described()
        self._is_describing = threading.Lock()
        command = (*worker_command(WORKER), json.dumps(model.to_json()))
        self._client = StreamClient(command, limits, name=f"process of coqui:{model.name}")

    @property
    def problem(self) -> str | None:
        """The reason why it cannot speak, and the remedy; None if it can."""
        if (problem := missing_package()) is not None:
            return problem
        if (missing := self.model.missing_file()) is not None:
            return f"the file {missing} does not exist; correct coqui_voices in the settings"
        if requires_terms(self.model.model) and not self.model.accepts_terms:
            return (
                f"the terms of {self.model.model} must be accepted: {self.licence}; read "
                "https://tts-hub.github.io/cpml and state `accepts_terms: true` in coqui_voices"
            )
        return self._client.problem

    @property
    def licence(self) -> str:
        """Licence of the model, and whose voice it clones."""
        stated = self.model.licence or licence_of(self.model.model, self.summary.kind)
        clone = "; a clone, with consent" if self.model.speaker_wav else ""
        return f"{stated or 'not stated; see the model'}{clone}"

    @property
    def languages(self) -> tuple[str, ...]:
        """BCP 47 tags: those of the settings, of the loaded model, of its files, of its name."""
        several = self.described.languages or self.summary.languages
        if self.model.language is not None:
            first = bcp47(self.model.language)
            return (first, *(each for each in several if each != first and len(several) > 1))
        return several or hub_language(self.model.model) or (LANGUAGE,)

    @property
    def is_live(self) -> bool:
        """False if it is slower than speech, by measurement, or by its architecture."""
        if self.described.pace is not None:
            return self.described.pace >= LIVE_PACE
        is_slow = self.summary.kind in SLOW_KINDS
        return not is_slow or self.model.device == "cuda"

    def may_have(self, speaker: str) -> bool:
        """Return True unless the model is known not to have a speaker."""
        known = self.described.speakers
        is_name = 0 < len(speaker) <= MAX_SPEAKER_CHARS and speaker.isprintable()
        return is_name and not self.model.has_fixed_speaker and (not known or speaker in known)

    def prepare(self) -> None:
        """Start the process and learn what the model has, in the background."""
        if self.problem is None and not self._is_describing.locked():
            self._client.start()
            threading.Thread(target=self._prepare, name="coqui-voices", daemon=True).start()

    def ask(self, request: Mapping[str, Any], is_cancelled: Callable[[], bool]) -> Message:
        """Return the answer of the process; raises the errors of `VoiceFamily.synthesize`."""
        problem = self.problem
        if problem is not None and self._client.problem is None:
            raise VoiceUnavailable(f"the voice coqui:{self.model.name} cannot speak: {problem}")
        self._describe(is_cancelled)
        return self._first(request, is_cancelled)

    def close(self) -> None:
        """Stop the process."""
        self._client.close()

    def _prepare(self) -> None:
        try:
            self._describe(lambda: False)
        except (VoiceUnavailable, SentenceFailed, RequestCancelled) as error:
            log.warning("%s", error, extra={"voice": f"{PREFIX}:{self.model.name}"})

    def _describe(self, is_cancelled: Callable[[], bool]) -> None:
        """Load the model and learn what it has, once."""
        if self.described.rate_hz is not None:
            return
        header, _ = self._first({"describe": True}, is_cancelled)
        self.described = Described(
            speakers=tuple(header["speakers"]),
            languages=tuple(header["languages"]),
            rate_hz=int(header["rate_hz"]),
            pace=float(header["pace"]),
            knows_symbols=bool(header["knows_symbols"]),
        )
        log.info("voice loaded", extra={"voice": f"{PREFIX}:{self.model.name}"})

    def _first(self, request: Mapping[str, Any], is_cancelled: Callable[[], bool]) -> Message:
        messages: Generator[Message, None, None] = self._client.stream(request, is_cancelled)
        with closing(messages):
            return next(messages)


def _unknown(field: str, choice: VoiceChoice, described: Described) -> BadSpeechRequest:
    """Return the error for a speaker or language that a model does not have."""
    known = described.speakers if field == "voice" else described.languages
    received = choice.voice if field == "voice" else choice.language
    shown = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
    return BadSpeechRequest(
        field,
        f"the model of {choice.voice} has no such {'speaker' if field == 'voice' else 'language'}, "
        f"received {received!r}; it has {shown or 'one only'}. Choose one from GET /voices.",
    )
