"""Sentences from a speech server: the requests, and their sound."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tts.openai.address import CAPTIONS_ROUTE, SPEECH_ROUTE
from tts.openai.captions import CaptionBuffer
from tts.openai.client import SpeechServerClient, retry_after_s
from tts.openai.errors import ServerFailed, SoundTooLong, UnusableSound
from tts.openai.interruptible_socket import Patience
from tts.openai.refusal import Refusal
from tts.openai.sound import Sound, SoundBuffer
from tts.speech import WordTime
from tts.voice import SentenceFailed

MAX_INPUT_CHARS = 4096
"""Longest text of a request in OpenAI's API."""
CAPTIONS_RETRY_S = 600.0
"""Time after which a server without the route of captions is asked for it again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpokenSound:
    """The sound of a sentence as the server sent it."""

    sound: Sound
    words: tuple[WordTime, ...] = ()
    """Times of its words; empty if the server does not report them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """A sentence that a server is asked for."""

    text: str
    model: str
    voice: str
    speed: float

    def body(self) -> dict[str, Any]:
        """Return the JSON of the request."""
        return {
            "model": self.model,
            "input": self.text,
            "voice": self.voice,
            "response_format": "pcm",
            "speed": self.speed,
        }


class _Buffer(Protocol):
    def add(self, chunk: bytes) -> None: ...


class SpeechRequests:
    """Sends sentences to one server. Thread-safe."""

    def __init__(
        self, client: SpeechServerClient, *, default_rate_hz: int, with_captions: bool = True
    ) -> None:
        """`with_captions`: ask for the times of the words, if the server knows the route."""
        self._client, self._default_rate_hz = client, default_rate_hz
        self._captions_at_s = float("-inf") if with_captions else float("inf")
        """Time from which the route of captions may be tried."""
        self._lock = threading.Lock()

    def speak(self, request: SpeechRequest, is_cancelled: Callable[[], bool]) -> SpokenSound:
        """Return the sound of a sentence.

        Raises ServerFailed, SentenceFailed, BadSpeechRequest for the voice, and RequestCancelled.
        """
        if len(request.text) > MAX_INPUT_CHARS:
            raise SentenceFailed(
                f"has {len(request.text)} characters; a speech server takes {MAX_INPUT_CHARS}"
            )
        patience = self._client.patience(is_cancelled)
        with self._client.place(patience):
            try:
                return self._captioned(request, patience) or self._plain(request, patience)
            except SoundTooLong as error:
                raise SentenceFailed(str(error)) from error
            except UnusableSound as error:
                raise ServerFailed(
                    self._client.redacted(str(error)),
                    "It must answer response_format pcm with PCM or WAV.",
                ) from None

    def _plain(self, request: SpeechRequest, patience: Patience) -> SpokenSound:
        buffers = list[SoundBuffer]()

        def make_buffer(content_type: str) -> SoundBuffer:
            buffers.append(SoundBuffer(content_type, self._default_rate_hz))
            return buffers[-1]

        refusal = self._post(SPEECH_ROUTE, request.body(), patience, make_buffer)
        if refusal is not None:
            raise refusal.error(
                voice=request.voice, model=request.model, has_key=self._client.has_key
            )
        return SpokenSound(buffers[-1].sound())

    def _captioned(self, request: SpeechRequest, patience: Patience) -> SpokenSound | None:
        """Return the sound with the times of its words; None if the server cannot provide them."""
        with self._lock:
            if time.monotonic() < self._captions_at_s:
                return None
        body = {**request.body(), "stream": True, "return_timestamps": True}
        buffer = CaptionBuffer(self._default_rate_hz)
        try:
            refusal = self._post(CAPTIONS_ROUTE, body, patience, lambda _: buffer)
            if refusal is None:
                return SpokenSound(*buffer.result())
        except SoundTooLong:
            raise
        except UnusableSound as error:  # some servers answer every route with a page
            log.info(
                "no times of words from the speech server: it %s", self._client.redacted(str(error))
            )
            refusal = Refusal(404, "", None)
        if refusal.lacks_route:
            with self._lock:
                self._captions_at_s = time.monotonic() + CAPTIONS_RETRY_S
        return None

    def _post(
        self,
        route: str,
        body: Mapping[str, Any],
        patience: Patience,
        make_buffer: Callable[[str], _Buffer],
    ) -> Refusal | None:
        """Send a request and fill a buffer with its answer; returns an answer that is an error.

        A server that is busy for a short time is asked once more.
        """
        refusal = self._post_once(route, body, patience, make_buffer)
        wait_s = None if refusal is None else refusal.wait_s(patience.left_s)
        if wait_s is None:
            return refusal
        patience.pause(wait_s)
        return self._post_once(route, body, patience, make_buffer)

    def _post_once(
        self,
        route: str,
        body: Mapping[str, Any],
        patience: Patience,
        make_buffer: Callable[[str], _Buffer],
    ) -> Refusal | None:
        with self._client.exchange(route, patience, body=body) as answer:
            if not 200 <= answer.status < 300:
                message = self._client.message_of(answer)
                return Refusal(answer.status, message, retry_after_s(answer.headers))
            buffer = make_buffer(answer.content_type)
            for chunk in answer.chunks():
                buffer.add(chunk)
        return None
