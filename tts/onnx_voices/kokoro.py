"""Kokoro's voices: `kokoro:af_bella`, from one network with a style for each voice."""

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from isolation.process import RequestCancelled
from isolation.protocol import Message
from tts.espeak.results import EspeakError
from tts.family import best_voice
from tts.onnx_voices.collaborators import Phonemizer, Streams
from tts.onnx_voices.given_ipa import omitted_symbols, sentence_characters
from tts.onnx_voices.kokoro_files import KokoroFiles, find_kokoro
from tts.onnx_voices.kokoro_symbols import IDS, parts_of, spelt, symbols_of_ipa
from tts.onnx_voices.kokoro_times import phonemes_of
from tts.onnx_voices.measured import Measured, with_remark
from tts.onnx_voices.streamed_speech import speech_between_pauses
from tts.pauses import CLAUSE_PAUSE_S, SENTENCE_PAUSE_S
from tts.speech import Phoneme, Speech
from tts.text.pronunciation import omission
from tts.text.sentences import Sentence
from tts.voice import Gender, SentenceFailed, VoiceChoice, VoiceInfo, VoiceUnavailable
from tts.workers.stream import StreamLimits
from tts.workers.stream_client import StreamClient, worker_command

PREFIX = "kokoro"
SAMPLE_RATE_HZ = 24_000
LICENCE = "Kokoro-82M, Apache-2.0"
LISTED_WHILE_MISSING = "af_bella"
MISSING = (
    "its files are not installed. `python -m warm voices fetch kokoro` downloads them, or put the "
    "network (*.onnx) and the styles (*.bin) into the folder kokoro in voices_dir"
)
COMMAND = worker_command("tts.onnx_voices.kokoro_worker")
LIMITS = StreamLimits(step_s=200.0, answer_s=240.0)
"""A sentence is computed in one step."""
MAX_SYMBOLS = 2000
CHECK_SYMBOLS = "mˈɑn lˈos, tˈɛb dˈuk. sˈi mˈɑn"


@dataclass(frozen=True, slots=True)
class _Language:
    tags: tuple[str, ...]
    espeak_voice: str


LANGUAGES = {
    "a": _Language(("en-US", "en"), "en-us"),
    "b": _Language(("en-GB", "en"), "en-gb"),
    "e": _Language(("es-ES", "es"), "es"),
    "f": _Language(("fr-FR", "fr"), "fr-fr"),
    "h": _Language(("hi-IN", "hi"), "hi"),
    "i": _Language(("it-IT", "it"), "it"),
    "p": _Language(("pt-BR", "pt"), "pt-br"),
}
"""By the first letter of a voice's name."""
_UNSUPPORTED = {"j": ("ja-JP", "ja"), "z": ("zh-CN", "zh")}
_GENDERS: dict[str, Gender] = {"f": "female", "m": "male"}

log = logging.getLogger(__name__)


class KokoroVoices:
    """Implements `tts.family.VoiceFamily`.

    The network is slow: a voice counts as live only after it has been measured to be fast enough
    on this machine. espeak-ng and the network run in processes of their own.
    """

    prefix = PREFIX

    def __init__(
        self, voices_dir: Path, phonemizer: Phonemizer, streams: Streams | None = None
    ) -> None:
        """`streams` replaces the process of the network. `close` leaves the phonemizer open."""
        self._voices_dir, self._phonemizer = voices_dir, phonemizer
        self._streams = streams or StreamClient(COMMAND, LIMITS, name="process of Kokoro")
        self._lock = threading.Lock()
        """Guards `_measured`."""
        self._measured: dict[str, Measured] = {}
        """By the state of the network's file."""

    def close(self) -> None:
        """Stop the process; sentences in progress and later ones fail."""
        self._streams.close()

    def infos(self) -> Sequence[VoiceInfo]:
        """Return the voices of the supported languages; one to install if there are no files."""
        files = find_kokoro(self._voices_dir)
        if files.model is None:
            return [_info(LISTED_WHILE_MISSING, MISSING, is_live=False)]
        return [self._info(name, files) for name in files.styles if name[0] in LANGUAGES]

    def find(self, name: str) -> VoiceInfo | None:
        """Return the voice with this id, in any case; also one whose file or rules are missing."""
        prefix, _, style = name.lower().partition(":")
        if prefix != PREFIX:
            return None
        files = find_kokoro(self._voices_dir)
        if style in files.styles:
            return self._info(style, files)
        is_missing = files.model is None and style == LISTED_WHILE_MISSING
        return _info(style, MISSING, is_live=False) if is_missing else None

    def best_for(self, language: str) -> VoiceInfo | None:
        """Return the best voice, if the network was measured to be live."""
        return best_voice(self.infos(), language)

    def prepare(self, voice: str) -> None:
        """Load and measure the network in the background."""
        self._streams.start()
        threading.Thread(target=self._prepare, args=(voice,), daemon=True).start()

    def synthesize(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        """Return a sentence; None if the voice has no sound for it."""
        files, style = self._style(choice.voice)
        symbols = self._symbols(sentence, choice.voice, is_cancelled)
        if not any(each.isalpha() for each in symbols):
            return None
        measured = self._measure(choice.voice, files, style, is_cancelled)
        parts = parts_of(symbols)
        request = _request(files, style, parts) | {"speed": choice.speed}
        stream = self._streams.stream(request, is_cancelled, patience_s=choice.patience_s)
        with closing(stream) as messages:
            samples, phonemes = _joined(parts, messages, choice.speed)
        pause_s = SENTENCE_PAUSE_S if sentence.is_end else CLAUSE_PAUSE_S
        speech = speech_between_pauses(
            sentence.text,
            _nothing(),
            samples,
            phonemes,
            sample_rate_hz=SAMPLE_RATE_HZ,
            pause_s=pause_s / choice.speed,
        )
        whole = None if speech is None else speech.completed()
        omitted = _omitted(sentence, LANGUAGES[style[0]].espeak_voice)
        if whole is not None and omitted:
            whole = replace(whole, remarks=(*whole.remarks, omission(omitted, choice.voice)))
        return with_remark(whole, choice.voice, measured)

    def _info(self, name: str, files: KokoroFiles) -> VoiceInfo:
        with self._lock:
            found = self._measured.get(files.key)
        problem = files.problem or files.problems.get(name) or (found and found.problem)
        if name[0] not in LANGUAGES:
            problem = "its language needs pronunciation rules that are not included"
        return _info(name, problem or None, is_live=found is not None and found.is_live)

    def _style(self, voice: str) -> tuple[KokoroFiles, str]:
        """Return the present files and the name of a style; raises VoiceUnavailable."""
        files, style = find_kokoro(self._voices_dir), voice.partition(":")[2]
        problem = MISSING if files.model is None else files.problem or files.problems.get(style)
        if problem is None and style not in files.styles:
            problem = "its style file was removed"
        if problem is not None:
            raise VoiceUnavailable(f"the voice {voice} cannot speak: {problem}")
        return files, style

    def _symbols(self, sentence: Sentence, voice: str, is_cancelled: Callable[[], bool]) -> str:
        espeak_voice = LANGUAGES[voice.partition(":")[2][0]].espeak_voice
        try:
            characters = sentence_characters(
                sentence, self._phonemizer, voice=espeak_voice, is_cancelled=is_cancelled
            )
        except EspeakError as error:
            raise VoiceUnavailable(f"the voice {voice} cannot speak: {error}") from error
        symbols = symbols_of_ipa(characters, espeak_voice)
        if len(symbols) > MAX_SYMBOLS:
            raise SentenceFailed(f"has more than {MAX_SYMBOLS} phonemes")
        return symbols

    def _measure(
        self, voice: str, files: KokoroFiles, style: str, is_cancelled: Callable[[], bool]
    ) -> Measured:
        """Load the network, unless it has been loaded before; raises VoiceUnavailable."""
        with self._lock:
            measured = self._measured.get(files.key)
        if measured is None:
            request = _request(files, style, [CHECK_SYMBOLS]) | {"describe": True}
            with closing(self._streams.stream(request, is_cancelled)) as messages:
                measured = Measured.parse(next(messages)[0])
            with self._lock:
                self._measured[files.key] = measured
        if measured.problem is not None:
            raise VoiceUnavailable(f"the voice {voice} cannot speak: {measured.problem}")
        return measured

    def _prepare(self, voice: str) -> None:
        try:
            files, style = self._style(voice)
            self._measure(voice, files, style, lambda: False)
        except (VoiceUnavailable, SentenceFailed, RequestCancelled) as error:
            log.warning("%s", error, extra={"voice": voice})


def _omitted(sentence: Sentence, espeak_voice: str) -> str:
    """Return the given phonemes that the network does not know."""
    given = [replace(each, ipa=spelt(each.ipa, espeak_voice)) for each in sentence.pronunciations]
    return omitted_symbols(given, IDS)


def _info(name: str, problem: str | None, *, is_live: bool) -> VoiceInfo:
    language = LANGUAGES.get(name[0])
    return VoiceInfo(
        id=f"{PREFIX}:{name}",
        name=name[3:].replace("_", " ").title(),
        languages=_UNSUPPORTED.get(name[0], ("und",)) if language is None else language.tags,
        gender=_GENDERS[name[1]],
        licence=LICENCE,
        sample_rate_hz=SAMPLE_RATE_HZ,
        is_live=is_live,
        loads=True,
        problem=problem,
    )


def _request(files: KokoroFiles, style: str, parts: Sequence[str]) -> dict[str, Any]:
    return {
        "key": files.key,
        "model": str(files.model),
        "style": str(files.styles[style]),
        "parts": [[IDS[symbol] for symbol in part] for part in parts],
    }


def _joined(
    parts: Sequence[str], messages: Iterator[Message], speed: float
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], list[Phoneme]]:
    """Return the samples and phonemes of all parts, one after the other."""
    samples, phonemes, start_s = list[Any](), list[Phoneme](), 0.0
    for part, (header, payload) in zip(parts, messages, strict=True):
        sound = np.frombuffer(payload, np.float32)
        found = phonemes_of(
            part, header["durations"], sound, sample_rate_hz=SAMPLE_RATE_HZ, speed=speed
        )
        phonemes += [
            replace(each, start_s=each.start_s + start_s, end_s=each.end_s + start_s)
            for each in found
        ]
        samples.append(sound)
        start_s += len(sound) / SAMPLE_RATE_HZ
    return np.concatenate(samples), phonemes


def _nothing() -> Generator[Message, None, None]:
    yield from ()
