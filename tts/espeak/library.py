"""Binding of espeak-ng with ctypes: its languages, and text to audio with phoneme marks.

Only a speech worker (`tts.espeak.worker`) loads the library, because some texts crash it and its
process. This module imports as little as possible, so that workers start quickly.

espeak-ng (GPL-3-or-later) is loaded from the `espeakng-loader` wheel at run time; it is neither
linked nor copied. Its state is global and it is not re-entrant, so a process has one
`EspeakLibrary`, used by one thread. Structures and constants follow espeak-ng's public
header `speak_lib.h` (1.52).
"""

import ctypes
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import espeakng_loader

from tts.espeak.ipa_input import IpaInput, read_names
from tts.espeak.results import (
    AudioTooLong,
    EspeakError,
    EspeakLanguage,
    PhonemeClause,
    PhonemeMark,
    SynthesizedSpeech,
)

_SYNCHRONOUS = 2
_PHONEME_EVENTS, _IPA, _DO_NOT_EXIT = 0x0001, 0x0002, 0x8000
_UTF8, _PHONEME_INPUT, _END_PAUSE = 0x0001, 0x0100, 0x1000
_IPA_PHONEMES = 0x02
_BUFFER_MS = 500
"""Audio per callback: long enough that the cost of the callbacks is negligible."""
_EVENT_END_OF_LIST, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_PARAMETER_RATE, _PARAMETER_VOLUME = 1, 2
_USUAL_RATE_WPM = 175
_VOLUME = 50
"""Of 100; some voices clip inside espeak when louder."""
MAX_AUDIO_S = 600
"""Maximum audio of one text. The longest sentences, of letters that espeak spells by number, take
150 s at half speed."""


class _EventId(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_void_p),
        ("string", ctypes.c_ubyte * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class EspeakLibrary:
    """The loaded library. One per process, used by one thread."""

    def __init__(self) -> None:
        self._library = _load()
        self.sample_rate_hz = _initialise(self._library)
        self._pcm: list[bytes] = []
        self._pcm_bytes = 0
        self._marks: list[tuple[int, bytes, bool]] = []
        self._is_word_begun = False
        """The next phoneme begins a word."""
        self._callback = _Callback(self._collect)  # espeak keeps the pointer, so it must stay alive
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_SetParameter(_PARAMETER_VOLUME, _VOLUME, 0)
        self._voice = ""
        self._ipa_inputs: dict[str, IpaInput] = {}
        """By voice."""

    def languages(self) -> tuple[EspeakLanguage, ...]:
        """Return the languages of espeak's data files, in espeak's order.

        espeak lists a few languages without a dictionary; they are silent and omitted.
        """
        entries = self._library.espeak_ListVoices(None)
        listed = [_language(entry.contents) for entry in _until_null(entries)]
        return tuple(language for language in listed if _has_dictionary(language))

    def synthesize(self, text: str, *, voice: str, rate_wpm: int) -> SynthesizedSpeech:
        """Synthesize plain text (no markup) completely.

        `voice` is a language's identifier, optionally with `+` and a variant's file name; espeak
        clips `rate_wpm` (words per minute) to 80…450. Raises EspeakError, and AudioTooLong above
        MAX_AUDIO_S. Takes about 0.9 ms per second of speech, nearly all in `espeak_Synth`; a
        change of voice takes 0.2-8 ms.
        """
        self._set_voice(voice)
        return self._synthesize(text, rate_wpm, _UTF8 | _END_PAUSE)

    def pronounce(
        self, parts: Sequence[tuple[str, str | None]], *, voice: str, rate_wpm: int
    ) -> SynthesizedSpeech:
        """Synthesize parts of a text, each with its pronunciation in IPA, or None.

        Raises the errors of `synthesize`. The first call for a voice takes 0.1 s longer.
        """
        self._set_voice(voice)
        ipa_input = self._ipa_input(voice)
        text, omitted = "", ""
        for part, ipa in parts:
            if ipa is None:
                text += part.replace("[[", "[ [")
                continue
            names, missing = ipa_input.named(ipa)
            text += f"[[{names}]]" if names else ""
            omitted += missing
        try:
            spoken = self._synthesize(text, rate_wpm, _UTF8 | _END_PAUSE | _PHONEME_INPUT)
            return replace(spoken, omitted=omitted)
        finally:
            self._read_phonemes(on=False)

    def _ipa_input(self, voice: str) -> IpaInput:
        if voice not in self._ipa_inputs:
            self._read_phonemes(on=True)
            names = read_names(Path(espeakng_loader.get_data_path()))
            self._ipa_inputs[voice] = IpaInput(names, self._transcribed)
        return self._ipa_inputs[voice]

    def _transcribed(self, names: str) -> str:
        clauses = self.phonemize(f"[[{names}]]", voice=self._voice)
        ipa = "".join(clause.ipa for clause in clauses)
        return ipa.replace("ˈ", "").replace("ˌ", "").strip()

    def _read_phonemes(self, *, on: bool) -> None:
        """Set whether espeak reads double brackets as phonemes, also in `phonemize`."""
        self._synthesize(".", _USUAL_RATE_WPM, _UTF8 | (_PHONEME_INPUT if on else 0))

    def _synthesize(self, text: str, rate_wpm: int, flags: int) -> SynthesizedSpeech:
        data = text.encode() + b"\0"
        self._library.espeak_SetParameter(_PARAMETER_RATE, rate_wpm, 0)
        self._pcm, self._pcm_bytes, self._marks = [], 0, []
        status = self._library.espeak_Synth(
            data, ctypes.c_size_t(len(data)), 0, 1, 0, flags, None, None
        )
        if self._is_too_long:
            raise AudioTooLong(MAX_AUDIO_S)
        if status != 0:
            raise EspeakError(f"espeak-ng returned {status} for a text of {len(text)} characters.")
        marks = tuple(PhonemeMark(at, _symbol(raw), begins) for at, raw, begins in self._marks)
        return SynthesizedSpeech(b"".join(self._pcm), self.sample_rate_hz, marks)

    def phonemize(self, text: str, *, voice: str) -> tuple[PhonemeClause, ...]:
        """Return the phonemes of plain text, clause by clause; `voice` as for `synthesize`.

        espeak divides the text. It reads one character past the punctuation of a clause, and
        keeps it for the next one; here it belongs to the next one. Raises EspeakError.
        """
        self._set_voice(voice)
        data = text.encode() + b"\0"
        buffer = ctypes.create_string_buffer(data, len(data))
        start = ctypes.addressof(buffer)
        rest = ctypes.c_void_p(start)
        phonemes, ends = list[str](), [0]
        while rest.value:
            ipa = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA_PHONEMES)
            phonemes.append((ipa or b"").decode(errors="ignore"))
            ends.append(rest.value - start if rest.value else len(data) - 1)
        ends[1:-1] = [_character_start(data, end - 1) for end in ends[1:-1]]
        sources = [data[a:b].decode() for a, b in itertools.pairwise(ends)]
        return tuple(map(PhonemeClause, phonemes, sources))

    def _set_voice(self, voice: str) -> None:
        if voice == self._voice:
            return
        status = self._library.espeak_SetVoiceByName(voice.encode())
        if status != 0 and (identifier := self._identifier(voice)) is not None:
            status = self._library.espeak_SetVoiceByName(identifier.encode())
        if status != 0:
            raise EspeakError(f"espeak-ng has no voice {voice!r} (status {status}).")
        self._voice = voice

    def _identifier(self, tag: str) -> str | None:
        """Return the language with this tag: espeak finds `en-us` by name, but not `en-gb`."""
        lower = tag.lower()
        for language in self.languages():
            if any(lower == each.lower() for _, each in language.tags):
                return language.identifier
        return None

    @property
    def _is_too_long(self) -> bool:
        return self._pcm_bytes > 2 * self.sample_rate_hz * MAX_AUDIO_S

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        """Collect a block of audio; espeak's callback. Return 0 to continue, 1 to stop."""
        if samples:
            self._pcm.append(ctypes.string_at(samples, 2 * count))
            self._pcm_bytes += 2 * count
        for event in _events(events):
            if event.type == _EVENT_WORD:
                self._is_word_begun = True
            elif event.type == _EVENT_PHONEME:
                self._marks.append((event.sample, bytes(event.id.string), self._is_word_begun))
                self._is_word_begun = False
        return int(self._is_too_long)


def _load() -> ctypes.CDLL:
    path = espeakng_loader.get_library_path()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise EspeakError(
            f"espeak-ng cannot be loaded from {path}: {error}. "
            "Install it again with `pip install --force-reinstall espeakng-loader`."
        ) from error
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    return library


def _initialise(library: ctypes.CDLL) -> int:
    """Initialise espeak; return its sample rate in Hz."""
    data = espeakng_loader.get_data_path()
    options = _PHONEME_EVENTS | _IPA | _DO_NOT_EXIT
    rate = int(library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, data.encode(), options))
    if rate <= 0:
        raise EspeakError(f"espeak-ng cannot start with the data in {data} (status {rate}).")
    return rate


def _until_null(pointers: Any) -> Iterator[Any]:
    index = 0
    while pointers[index]:
        yield pointers[index]
        index += 1


def _events(events: Any) -> Iterator[Any]:
    index = 0
    while events[index].type != _EVENT_END_OF_LIST:
        yield events[index]
        index += 1


def _language(voice: _Voice) -> EspeakLanguage:
    tags = tuple(_tags(int(voice.languages)))
    return EspeakLanguage(voice.name.decode().strip(), voice.identifier.decode(), tags)


def _has_dictionary(language: EspeakLanguage) -> bool:
    """Return True if the dictionary named in the language's file, or by its tag, exists."""
    data = Path(espeakng_loader.get_data_path())
    name = language.tags[0][1].split("-")[0]
    for line in (data / "lang" / language.identifier).read_text(encoding="utf-8").splitlines():
        if line.startswith("dictionary"):
            name = line.split()[1]
    return (data / f"{name}_dict").is_file()


def _tags(address: int) -> Iterator[tuple[int, str]]:
    """Parse espeak's list: priority bytes with null-terminated tags, up to a zero byte."""
    while priority := ctypes.c_ubyte.from_address(address).value:
        tag = ctypes.string_at(address + 1)
        yield priority, tag.decode()
        address += 2 + len(tag)


def _symbol(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode(errors="ignore")


def _character_start(data: bytes, index: int) -> int:
    """Return the index of the first byte of the UTF-8 character that contains a byte."""
    while index > 0 and data[index] & 0xC0 == 0x80:
        index -= 1
    return index
