"""A recogniser behind a server with OpenAI's `POST /v1/audio/transcriptions`."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import httpx2
import numpy as np

from isolation.process import RequestCancelled
from stt.errors import (
    RecogniserFailed,
    RecogniserKeyRefused,
    RecogniserUnreachable,
    RecognitionTimeout,
    RecordingRefused,
    SpeechError,
)
from stt.recogniser import RATE_HZ, RecogniserState, Samples, Transcript
from stt.remote.address import RecogniserAddress
from stt.remote.answer import transcript_of
from stt.remote.refusals import refusal
from stt.remote.sound import is_silent, wav_of

DEFAULT_MODEL = "whisper-1"
"""OpenAI's name; most other servers ignore the name and use their own model."""
NO_KEY = "none"
"""Sent if no key is set: some servers require the header, and accept any value."""
MAX_ANSWER_BYTES = 4 << 20
VERBOSE, PLAIN = "verbose_json", "json"
"""Formats of answers. OpenAI's newer models, and some servers, know only the second."""
_FORMAT = re.compile(r"response.?format|verbose", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOptions:
    """Options of a server."""

    address: RecogniserAddress
    model: str = DEFAULT_MODEL
    key: str | None = None
    connect_s: float = 5.0
    timeout_s: float = 30.0
    """Longest time for the whole answer."""


class RemoteRecogniser:
    """Recognises speech by requests to one server. Any thread."""

    def __init__(self, options: RemoteOptions) -> None:
        """Nothing is asked yet."""
        self._options = options
        self._name = f"the recognition server {options.address.shown}"
        self._client = httpx2.Client(
            headers={
                "Authorization": f"Bearer {options.key or NO_KEY}",
                "User-Agent": "Warmtalk",
            },
            timeout=httpx2.Timeout(options.timeout_s, connect=options.connect_s),
            # Some servers close idle connections at any moment, so none is used twice.
            limits=httpx2.Limits(max_keepalive_connections=0),
            trust_env=False,
        )
        self._lock = threading.Lock()
        """Guards the members below."""
        self._format = VERBOSE
        self._state = RecogniserState(name=options.model, kind="remote", phase="unknown")

    def listen(
        self, language: str | None = None, is_cancelled: Callable[[], bool] = lambda: False
    ) -> "RemoteUtterance":
        """Begin a recording; it is sent when it is complete."""
        return RemoteUtterance(self, language, is_cancelled)

    def state(self) -> RecogniserState:
        """Return the state; the server is not asked."""
        with self._lock:
            return self._state

    def prepare(self) -> None:
        """Do nothing: the server loads its model itself."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def recognise(self, samples: Samples, language: str | None) -> Transcript:
        """Return the transcript of a recording; raises SpeechError."""
        duration_s = len(samples) / RATE_HZ
        if is_silent(samples):
            return Transcript(
                text="",
                language=language,
                model=self._options.model,
                duration_s=duration_s,
                speech_s=0.0,
            )
        body = self._noted(wav_of(samples), language)
        return transcript_of(
            body, model=self._options.model, language=language, duration_s=duration_s
        )

    def _noted(self, wav: bytes, language: str | None) -> str:
        """Return the body of the answer, and note whether the server can be used."""
        try:
            body = self._answer(wav, language)
        except (RecogniserUnreachable, RecogniserKeyRefused, RecognitionTimeout) as error:
            self._note("unreachable", str(error))
            raise
        self._note("ready", "")
        return body

    def _note(self, phase: str, detail: str) -> None:
        with self._lock:
            self._state = replace(self._state, phase=phase, detail=detail)  # type: ignore[arg-type]

    def _answer(self, wav: bytes, language: str | None) -> str:
        """Ask for times, and if the server has none, without them."""
        deadline_s = time.monotonic() + self._options.timeout_s
        try:
            return self._ask(wav, language, deadline_s)
        except RecordingRefused as error:
            if self._format == PLAIN or not _FORMAT.search(str(error)):
                raise
            self._format = PLAIN
            return self._ask(wav, language, deadline_s)

    def _ask(self, wav: bytes, language: str | None, deadline_s: float) -> str:
        """Return the body of a successful answer; raises SpeechError."""
        fields = {
            "model": self._options.model,
            "response_format": self._format,
            "temperature": "0",
            **({"language": language.split("-")[0].lower()} if language else {}),
        }
        files = {"file": ("recording.wav", wav, "audio/wav")}
        try:
            with self._client.stream(
                "POST", self._options.address.url, data=fields, files=files
            ) as response:
                body = self._read(response, deadline_s)
        except SpeechError:
            raise
        except httpx2.ConnectError as error:
            raise RecogniserUnreachable(
                f"{self._name} cannot be reached ({_cause(error)}). Start it, or correct the "
                "setting transcriber."
            ) from error
        except httpx2.TimeoutException as error:
            raise self._too_slow() from error
        except (httpx2.HTTPError, httpx2.InvalidURL, RuntimeError) as error:
            raise RecogniserFailed(
                f"{self._name} closed the connection early ({_cause(error)}). Read its log, and "
                "try again."
            ) from error
        if response.status_code != httpx2.codes.OK:
            raise refusal(response.status_code, self._redacted(body), server=self._name)
        return body

    def _read(self, response: httpx2.Response, deadline_s: float) -> str:
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if time.monotonic() > deadline_s:
                raise self._too_slow()
            if len(body) > MAX_ANSWER_BYTES:
                raise RecogniserFailed(
                    f"{self._name} answers with more than {MAX_ANSWER_BYTES} bytes. Check the "
                    "setting transcriber."
                )
        return bytes(body).decode("utf-8", "replace")

    def _redacted(self, text: str) -> str:
        """Return `text` without the key, which some servers repeat in their errors."""
        return text.replace(self._options.key, "…") if self._options.key else text

    def _too_slow(self) -> RecognitionTimeout:
        return RecognitionTimeout(
            f"{self._name} gave no answer within {self._options.timeout_s:g} s (stt_timeout_s). "
            "Check whether it is overloaded, and the setting transcriber."
        )


class RemoteUtterance:
    """One recording for a server. Used by one thread."""

    def __init__(
        self,
        recogniser: RemoteRecogniser,
        language: str | None,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._recogniser, self._language = recogniser, language
        self._is_cancelled = is_cancelled
        self._parts: list[Samples] = []

    def add(self, samples: Samples) -> None:
        """Keep samples until the recording is complete."""
        self._parts.append(samples)

    def finish(self) -> Transcript:
        """Send the recording; raises SpeechError, and RequestCancelled before it is sent."""
        if self._is_cancelled():
            raise RequestCancelled("the recording is no longer needed")
        parts = [np.nan_to_num(each) for each in self._parts]
        samples = np.concatenate([np.zeros(0, np.float32), *parts])
        return self._recogniser.recognise(samples.astype(np.float32), self._language)

    def close(self) -> None:
        """Forget the recording."""
        self._parts.clear()


def _cause(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
