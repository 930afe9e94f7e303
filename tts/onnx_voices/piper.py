"""Piper's voices: `piper:NAME` for the files NAME.onnx and NAME.onnx.json in a folder."""

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from isolation.process import RequestCancelled
from isolation.protocol import Message
from tts.alignment.aligner import Aligner
from tts.espeak.results import EspeakError
from tts.onnx_voices.collaborators import Phonemizer, Streams
from tts.onnx_voices.given_ipa import omitted_symbols, sentence_characters
from tts.onnx_voices.measured import Measured, with_remark
from tts.onnx_voices.piper_catalogue import PiperCatalogue, PiperSpeaker
from tts.onnx_voices.piper_config import PiperConfig
from tts.onnx_voices.piper_files import PiperFile
from tts.onnx_voices.piper_infos import PREFIX
from tts.onnx_voices.piper_symbols import (
    PiperSymbols,
    text_characters,
    to_symbols,
)
from tts.onnx_voices.piper_times import phonemes_of
from tts.onnx_voices.streamed_speech import speech_between_pauses
from tts.pauses import CLAUSE_PAUSE_S, SENTENCE_PAUSE_S
from tts.speech import Speech
from tts.text.pronunciation import omission, unread
from tts.text.sentences import Sentence
from tts.voice import PhonemeTimes, SentenceFailed, VoiceChoice, VoiceInfo, VoiceUnavailable
from tts.workers.stream import StreamLimits
from tts.workers.stream_client import StreamClient, worker_command

MAX_IDS = 4000
"""Numbers of a sentence; the longest, of letters that espeak spells, have 2600."""
CHECK_CHARACTERS = "mˈɑn lˈos, tˈeb dˈuk. sˈi mˈɑn lˈos"
"""Babble that checks a voice and its level; symbols that the voice lacks are left out."""
MIN_CHECK_LETTERS, CHECK_LETTERS = 8, 20

COMMAND = worker_command("tts.onnx_voices.worker")
LIMITS = StreamLimits(step_s=60.0, answer_s=90.0)
"""A step may load a voice from a slow disk."""

log = logging.getLogger(__name__)


class PiperVoices:
    """Implements `tts.family.VoiceFamily` for a folder, and for the package joe.

    `piper:NAME/SPEAKER` selects a speaker of a voice that has several. espeak-ng and the networks
    run in processes of their own; that of the networks is started when it is needed.
    """

    prefix = PREFIX

    def __init__(
        self,
        folder: Path,
        phonemizer: Phonemizer,
        streams: Streams | None = None,
        align: Aligner | None = None,
    ) -> None:
        """`streams` replaces the process of the networks. `close` leaves the phonemizer open.

        `align` adds phonemes to the sentences of voices that read letters.
        """
        letters: PhonemeTimes = "heard" if align is None else "aligned"
        self._catalogue = PiperCatalogue(folder, letters=letters)
        self._align = align
        self._phonemizer = phonemizer
        self._streams = streams or StreamClient(COMMAND, LIMITS, name="process of Piper")

    def close(self) -> None:
        """Stop the process; sentences in progress and later ones fail."""
        self._streams.close()

    def infos(self) -> Sequence[VoiceInfo]:
        """Return all voices, also those whose files have a fault."""
        return self._catalogue.infos()

    def find(self, name: str) -> VoiceInfo | None:
        """Return the voice, or the speaker of a voice, with this id in any case; `joe` too."""
        return self._catalogue.find_info(name)

    def best_for(self, language: str) -> VoiceInfo | None:
        """Return the best voice of the folder; the package joe is never chosen automatically."""
        return self._catalogue.best_for(language)

    def prepare(self, voice: str) -> None:
        """Load a voice in the background."""
        found = self._catalogue.find(voice)
        if found is not None and found.file.config is not None:
            self._streams.start()
            arguments = (found, found.file.config)
            threading.Thread(target=self._prepare, args=arguments, daemon=True).start()

    def synthesize(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        """Return a sentence whose sound arrives in pieces; None if the voice knows no letter."""
        found = self._catalogue.find(choice.voice)
        if found is None:
            raise VoiceUnavailable(f"the voice {choice.voice} is gone: its files were removed")
        config = found.file.config
        if config is None or found.file.problem is not None:
            raise _unavailable(found, found.file.problem)
        measured = self._measure(found, config, is_cancelled)
        symbols = self._symbols(sentence, found, config, is_cancelled)
        if not symbols.has_sound:
            return None
        request = _voice_request(found.file, config) | {
            "ids": symbols.ids,
            "speed": choice.speed,
            "speaker": found.number,
            "seed": int.from_bytes(blake2b(sentence.text.encode(), digest_size=4).digest(), "big"),
        }
        messages = self._streams.stream(request, is_cancelled, patience_s=choice.patience_s)
        speech = _speech(sentence, choice.speed, symbols, config, messages)
        speech = _with_phoneme_remark(speech, sentence, config, choice.voice)
        if speech is not None and speech.phonemes is None and self._align is not None:
            speech = self._align(speech, choice, is_cancelled)
        return with_remark(speech, choice.voice, measured)

    def _symbols(
        self,
        sentence: Sentence,
        found: PiperSpeaker,
        config: PiperConfig,
        is_cancelled: Callable[[], bool],
    ) -> PiperSymbols:
        if config.phoneme_type == "text":
            text = sentence.text if sentence.is_end else sentence.text.rstrip(",") + ","
            symbols = to_symbols(text_characters(text, config), config)
        else:
            try:
                characters = sentence_characters(
                    sentence,
                    self._phonemizer,
                    voice=config.espeak_voice,
                    is_cancelled=is_cancelled,
                )
            except EspeakError as error:
                raise _unavailable(found, str(error)) from error
            symbols = to_symbols(characters, config)
        if len(symbols.ids) > MAX_IDS:
            raise SentenceFailed(f"has more than {MAX_IDS // 2} phonemes")
        return symbols

    def _measure(
        self, found: PiperSpeaker, config: PiperConfig, is_cancelled: Callable[[], bool]
    ) -> Measured:
        """Load a voice, unless it has been loaded before; raises VoiceUnavailable if that fails."""
        measured = self._catalogue.measured(found.file)
        if measured is None:
            measured = self._loaded(found.file, config, is_cancelled)
            self._catalogue.record(found.file, measured)
            log.info("voice loaded", extra={"voice": found.info.id, **asdict(measured)})
        if measured.problem is not None:
            raise _unavailable(found, measured.problem)
        return measured

    def _loaded(
        self, file: PiperFile, config: PiperConfig, is_cancelled: Callable[[], bool]
    ) -> Measured:
        """Load a voice and speak a little with it."""
        if config.phoneme_type == "espeak":
            try:
                self._phonemizer.phonemize(
                    "a", voice=config.espeak_voice, is_cancelled=is_cancelled
                )
            except EspeakError as error:
                return Measured(f"{error} {file.name}.onnx.json names it")
        request = _voice_request(file, config) | {"describe": True}
        with closing(self._streams.stream(request, is_cancelled)) as messages:
            header, _ = next(messages)
        return Measured.parse(header)

    def _prepare(self, found: PiperSpeaker, config: PiperConfig) -> None:
        try:
            self._measure(found, config, lambda: False)
        except (VoiceUnavailable, SentenceFailed, RequestCancelled) as error:
            log.warning("%s", error, extra={"voice": found.info.id})


def _with_phoneme_remark(
    speech: Speech | None, sentence: Sentence, config: PiperConfig, voice: str
) -> Speech | None:
    """Add a remark on given phonemes that the voice cannot speak."""
    if speech is None or not sentence.pronunciations:
        return speech
    if config.phoneme_type == "text":
        return replace(speech, remarks=(*speech.remarks, unread(voice)))
    omitted = omitted_symbols(sentence.pronunciations, config.phoneme_ids)
    if not omitted:
        return speech
    return replace(speech, remarks=(*speech.remarks, omission(omitted, voice)))


def _voice_request(file: PiperFile, config: PiperConfig) -> dict[str, Any]:
    """Return the part of a request that is the same for all sentences of a voice."""
    check = _check_symbols(config)
    return {
        "key": file.key,
        "model": str(file.model),
        "rate_hz": config.sample_rate_hz,
        "hop": config.hop,
        "scales": [config.noise_scale, config.length_scale, config.noise_w],
        "check_ids": check.ids,
        "max_id": max(map(max, config.phoneme_ids.values())),
        "check_phonemes": len(check.symbols),
    }


def _check_symbols(config: PiperConfig) -> PiperSymbols:
    """Return babble of which the voice knows enough symbols."""
    known = [each for each in CHECK_CHARACTERS if each in config.phoneme_ids]
    if sum(each.isalpha() for each in known) >= MIN_CHECK_LETTERS:
        return to_symbols(CHECK_CHARACTERS, config)
    letters = [each for each in config.phoneme_ids if len(each) == 1 and each.isalpha()]
    return to_symbols("".join(letters[:CHECK_LETTERS]), config)


def _speech(
    sentence: Sentence,
    speed: float,
    symbols: PiperSymbols,
    config: PiperConfig,
    messages: Generator[Message, None, None],
) -> Speech | None:
    header, payload = next(messages)
    unit_s = header["hop"] / config.sample_rate_hz
    durations = np.array(header["durations"], np.float32)
    pause_s = SENTENCE_PAUSE_S if sentence.is_end else CLAUSE_PAUSE_S
    speech = speech_between_pauses(
        sentence.text,
        messages,
        np.frombuffer(payload, np.float32),
        phonemes_of(symbols, durations, unit_s=unit_s),
        sample_rate_hz=config.sample_rate_hz,
        pause_s=pause_s / speed,
    )
    if speech is None or config.phoneme_type == "espeak":
        return speech
    return replace(speech.completed(), phonemes=None)  # letters are no phonemes


def _unavailable(found: PiperSpeaker, problem: str | None) -> VoiceUnavailable:
    return VoiceUnavailable(f"the voice {found.info.id} cannot speak: {problem}")
