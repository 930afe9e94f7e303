"""Voices of an OpenAI-compatible speech server."""

import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tts.languages import bcp47
from tts.openai.address import parse_address
from tts.openai.client import ClientLimits, SpeechServerClient
from tts.openai.errors import ServerFailed
from tts.openai.sound import DEFAULT_RATE_HZ
from tts.openai.speech_request import SpeechRequest, SpeechRequests
from tts.openai.voice_list import ListedVoice, VoiceList, is_voice_name
from tts.sentence_audio import SentenceAudio, sentence_audio
from tts.speech import Speech, WordTime
from tts.text.pronunciation import unread
from tts.text.sentences import Sentence
from tts.voice import (
    Gender,
    SentenceFailed,
    VoiceChoice,
    VoiceInfo,
    VoiceUnavailable,
)

PREFIX = "openai"
LANGUAGES = (
    *("en", "af", "ar", "az", "be", "bg", "bs", "ca", "cs", "cy", "da", "de", "el", "es", "et"),
    *("fa", "fi", "fr", "gl", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "kk", "kn"),
    *("ko", "lt", "lv", "mi", "mk", "mr", "ms", "ne", "nl", "no", "pl", "pt", "ro", "ru", "sk"),
    *("sl", "sr", "sv", "sw", "ta", "th", "tl", "tr", "uk", "ur", "vi", "zh"),
)
"""Languages that OpenAI names for its voices, which speak each text in its own."""

_TAG = re.compile(r"[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{2,8})*")
_NO_SERVER = "no speech server is set; set tts_url to the address of one"
_KOKORO_NAME = re.compile(r"([abefhijpz])([fm])_\w+")
_KOKORO_LANGUAGES = {
    **{"a": "en-US", "b": "en-GB", "e": "es", "f": "fr", "h": "hi", "i": "it"},
    **{"j": "ja", "p": "pt-BR", "z": "zh"},
}
_GENDERS: dict[str, Gender] = {
    **{"f": "female", "female": "female", "woman": "female"},
    **{"m": "male", "male": "male", "man": "male", "neutral": "neutral"},
}


class Aligner(Protocol):
    """Finds the phonemes of a sentence in its sound."""

    def __call__(
        self,
        speech: Speech,
        choice: VoiceChoice,
        is_cancelled: Callable[[], bool],
        words: Sequence[WordTime],
    ) -> Speech:
        """Return the sentence with phonemes, or with a remark; `words` are known times."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechServer:
    """A speech server as the settings describe it."""

    url: str
    key: str | None = field(default=None, repr=False)
    model: str = "tts-1"
    voices: tuple[str, ...] = ()
    """Names to list if the server lists none."""
    languages: tuple[str, ...] = LANGUAGES
    """BCP 47 tags of voices whose language the server does not name, the default one first."""
    pcm_rate_hz: int = DEFAULT_RATE_HZ
    """Rate of answers that do not state it."""
    tls: ssl.SSLContext | None = None
    """Certificates to trust; None: those of the system."""
    connect_timeout_s: float = 5.0
    timeout_s: float = 25.0
    stall_timeout_s: float = 10.0
    max_parallel: int = 4


class OpenAIVoices:
    """Implements `tts.family.VoiceFamily` with voices named `openai:{name of the server}`.

    A sentence is one request, in the thread of its caller. Nothing is asked of the server until a
    voice is listed or used. A voice that the server does not list may be used all the same.
    """

    prefix = PREFIX

    def __init__(self, server: SpeechServer | None, align: Aligner | None = None) -> None:
        """Return at once. `server`: None if there is none; raises BadServerAddress."""
        self._server, self._align = server, align
        if server is None:
            return
        self._address = parse_address(server.url)
        self._client = SpeechServerClient(
            self._address,
            ClientLimits(
                connect_s=server.connect_timeout_s,
                answer_s=server.timeout_s,
                stall_s=server.stall_timeout_s,
                parallel=server.max_parallel,
            ),
            key=server.key,
            tls=server.tls,
        )
        self._requests = SpeechRequests(
            self._client, default_rate_hz=server.pcm_rate_hz, with_captions=align is not None
        )
        self._list = VoiceList(self._client)
        self._rate_hz = server.pcm_rate_hz

    def infos(self) -> Sequence[VoiceInfo]:
        """Return the voices that the server listed last, else those of the settings."""
        if self._server is None:
            return ()
        listed = self._list.voices() or tuple(map(_unlisted, self._server.voices))
        problem = self._list.problem
        shown = None if problem is None else self._failure(problem)
        return [self._info(each, shown) for each in listed]

    def find(self, name: str) -> VoiceInfo | None:
        """Return the voice with this id; its case counts, as it does for the server."""
        prefix, colon, voice = name.partition(":")
        if prefix.lower() != PREFIX or not colon or not is_voice_name(voice):
            return None
        if self._server is None:
            return self._info(_unlisted(voice), _NO_SERVER)
        known = {each.name: each for each in self._list.voices()}
        return self._info(known.get(voice) or _unlisted(voice), None)

    def best_for(self, language: str) -> VoiceInfo | None:  # noqa: ARG002 - the interface's
        """Return None: texts are sent to another machine only if its voice is named."""
        return None

    def prepare(self, voice: str) -> None:  # noqa: ARG002 - the interface's
        """Have the voices listed in the background."""
        if self._server is not None:
            self._list.voices()

    def close(self) -> None:
        """Close the connections; sentences in progress fail."""
        if self._server is not None:
            self._list.close()
            self._client.close()

    def synthesize(
        self, sentence: Sentence, choice: VoiceChoice, is_cancelled: Callable[[], bool]
    ) -> Speech | None:
        """Have the server speak one sentence, and align it if possible."""
        if self._server is None:
            raise VoiceUnavailable(f"the voice {choice.voice} cannot speak: {_NO_SERVER}")
        request = SpeechRequest(
            text=sentence.text,
            model=self._server.model,
            voice=choice.voice.partition(":")[2],
            speed=choice.speed,
        )
        try:
            spoken = self._requests.speak(request, is_cancelled)
        except ServerFailed as error:
            message = f"{self._failure(error)}. {error.remedy}"
            # The cause may contain the key.
            raise VoiceUnavailable(message, error.retry_after_s) from None
        self._rate_hz = spoken.sound.rate_hz
        audio = sentence_audio(
            spoken.sound.samples, self._rate_hz, is_end=sentence.is_end, speed=choice.speed
        )
        if audio is None:
            raise SentenceFailed("is answered by the speech server with silence")
        remarks = (unread(choice.voice),) if sentence.pronunciations else ()
        speech = Speech(sentence.text, audio.samples, spoken.sound.rate_hz, None, remarks=remarks)
        if self._align is None:
            return speech
        return self._align(speech, choice, is_cancelled, _shifted(spoken.words, audio))

    def _failure(self, reason: object) -> str:
        return self._client.redacted(f"the speech server at {self._address.shown()} {reason}")

    def _info(self, voice: ListedVoice, problem: str | None) -> VoiceInfo:
        server = self._server
        return VoiceInfo(
            id=f"{PREFIX}:{voice.name}",
            name=voice.title,
            languages=_languages(voice, LANGUAGES if server is None else server.languages),
            gender=_gender(voice),
            licence="not known; that of the speech server"
            + ("" if server is None else f" at {self._address.origin}"),
            sample_rate_hz=DEFAULT_RATE_HZ if server is None else self._rate_hz,
            phoneme_times="heard" if self._align is None else "aligned",
            is_remote=True,
            problem=problem,
        )


def _unlisted(name: str) -> ListedVoice:
    return ListedVoice(name, name, None, None)


def _languages(voice: ListedVoice, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the languages of a voice: as the server names them, as Kokoro's names imply, else
    `default`."""
    if voice.language is not None and _TAG.fullmatch(voice.language):
        return (bcp47(voice.language),)
    kokoro = _KOKORO_NAME.fullmatch(voice.name)
    return (_KOKORO_LANGUAGES[kokoro[1]],) if kokoro else default


def _gender(voice: ListedVoice) -> Gender:
    kokoro = _KOKORO_NAME.fullmatch(voice.name)
    return _GENDERS.get((voice.gender or (kokoro[2] if kokoro else "")).lower(), "unknown")


def _shifted(words: Sequence[WordTime], audio: SentenceAudio) -> tuple[WordTime, ...]:
    """Return the words with their times in the trimmed sound."""
    return tuple(
        WordTime(word.word, word.start_s + audio.shift_s, word.end_s + audio.shift_s)
        for word in words
    )
