"""Recordings that are sent to `POST /speak` while they are made: delay, sync and loudness."""

import http.client
import io
import json
import statistics
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.live_webm import live_webm
from bench.server_process import TIMEOUT_S, ServerProcess, run_server
from session.film import SAMPLE_RATE_HZ
from tts.espeak.voices import EspeakVoices
from tts.loudness import SPEECH_LEVEL_DBFS, sounding_rms
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice
from warm.media.film_audio import resample

Samples = NDArray[np.float32]

SENTENCES = (
    "Good morning, and thank you for calling. How can I help you today?",
    "Most people who buy a boat find that they use it far less than they had planned.",
    "Please put the heavy boxes by the window, and bring me a map of Brazil.",
)
RUNS = 12
"""Recordings of each kind."""
WARM_UP = 3
KNOWN_S = 0.2
"""Sound that has arrived when the delay of the first fragment begins to count."""
LONGEST_S = 1.3
"""Length to which the recordings whose delay is measured are cut."""
CHUNK_S = (0.02, 0.04, 0.1)
"""Lengths of the chunks of a WAV, in turn."""
FRAME_MS = (20, 60)
"""Lengths of the packets of WebM, in turn: those of browsers."""
RATES_HZ = (16_000, 44_100, 48_000)
LOUDNESS_DB = (-30.0, -12.0, 0.0, 6.0)
"""Changes of the loudness of a voice, in turn."""
MAX_MS = 150.0
LONGEST_OFFSET = 240
"""Goal of the sync, samples: 5 ms."""

Chunk = tuple[float, bytes]
"""Time at which the chunk is made, seconds, and its bytes."""


@dataclass(slots=True)
class Run:
    """Answer to one recording."""

    first_ms: float = 0.0
    """From the arrival of its first KNOWN_S to its first fragment."""
    gap_ms: float = 0.0
    """Longest time by which a fragment came later than it is played after the first one."""
    problems: list[str] = field(default_factory=list)


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Send recordings to a real server at the pace at which they are made."""
    with closing(EspeakVoices()) as voices:
        spoken = [sound_of(voices, text) for text in SENTENCES]
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        with run_server(results) as server:
            kinds = {"WAV": wav_runs(server, spoken), "WebM, Opus": webm_runs(server, spoken)}
            found = [fidelity(server, spoken, number) for number in range(len(LOUDNESS_DB))]
    figures = [figure for kind, runs in kinds.items() for figure in delay_figures(kind, runs)]
    return [*figures, *fidelity_figures(found)]


def sound_of(voices: EspeakVoices, text: str) -> Samples:
    """Return a text as a voice speaks it, at 48 kHz."""
    choice = VoiceChoice(voice="espeak:en-us", language="en-us", speed=1.0)
    said = voices.synthesize(Sentence(text, is_end=True, start=0), choice, lambda: False)
    assert said is not None
    speech = said.completed()
    return resample(speech.samples, speech.sample_rate_hz)


def beginning(samples: Samples) -> Samples:
    """Return the beginning of a sentence, from shortly before its first sound."""
    first = int(np.flatnonzero(np.abs(samples) > 0.01)[0])
    start = max(0, first - SAMPLE_RATE_HZ // 50)
    return samples[start : start + round(LONGEST_S * SAMPLE_RATE_HZ)]


def wav_runs(server: ServerProcess, spoken: Sequence[Samples]) -> list[Run]:
    """Send WAV in chunks of different lengths and rates."""
    runs = []
    for number in range(WARM_UP + RUNS * len(CHUNK_S)):
        samples, rate_hz = beginning(spoken[number % len(spoken)]), RATES_HZ[number % len(RATES_HZ)]
        chunks = wav_chunks(
            resample(samples, SAMPLE_RATE_HZ, rate_hz), rate_hz, CHUNK_S[number % 3]
        )
        runs.append(send(server, chunks, "audio/wav", f"wav-{number % 4}"))
    return runs[WARM_UP:]


def webm_runs(server: ServerProcess, spoken: Sequence[Samples]) -> list[Run]:
    """Send WebM as browsers write it."""
    runs = []
    for number in range(WARM_UP + RUNS * len(CHUNK_S)):
        samples, frame_ms = (
            beginning(spoken[number % len(spoken)]),
            FRAME_MS[number % len(FRAME_MS)],
        )
        chunks = live_webm(samples, SAMPLE_RATE_HZ, frame_ms=frame_ms)
        runs.append(send(server, chunks, "audio/webm;codecs=opus", f"webm-{number % 4}"))
    return runs[WARM_UP:]


def wav_bytes(samples: Samples, rate_hz: int) -> bytes:
    """Return a WAV of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, rate_hz, 0, "NONE", ""))
        writer.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def wav_chunks(samples: Samples, rate_hz: int, chunk_s: float) -> Iterator[Chunk]:
    """Yield a WAV in chunks; the first one has the header as well."""
    data, size = wav_bytes(samples, rate_hz), 2 * round(chunk_s * rate_hz)
    yield chunk_s, data[: 44 + size]
    for number, start in enumerate(range(44 + size, len(data), size)):
        yield (number + 2) * chunk_s, data[start : start + size]


def send(server: ServerProcess, chunks: Iterator[Chunk], kind: str, session_id: str) -> Run:
    """Send a recording at the pace at which it is made; return the times of its fragments."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    connection.putrequest("POST", f"/speak?session_id={session_id}")
    for header in (("Content-Type", kind), ("Accept", "text/event-stream")):
        connection.putheader(*header)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    run, known_s = Run(), list[float]()
    reader = Thread(target=receive, args=(connection, run, known_s))
    reader.start()
    began_s = time.perf_counter()
    for made_s, data in list(chunks):
        time.sleep(max(0.0, began_s + made_s - time.perf_counter()))
        connection.send(b"%x\r\n%s\r\n" % (len(data), data))
        if made_s >= KNOWN_S and not known_s:
            known_s.append(time.perf_counter())
    connection.send(b"0\r\n\r\n")
    reader.join(TIMEOUT_S)
    connection.close()
    return run


def receive(connection: http.client.HTTPConnection, run: Run, known_s: list[float]) -> None:
    """Record the times of the events."""
    first_s = None
    with connection.getresponse() as response:
        while line := response.readline().decode():
            name, _, value = line.strip().partition(": ")
            if (name, value) == ("event", "error"):
                run.problems.append(response.readline().decode())
            if (name, value) != ("event", "fragment"):
                continue
            data = json.loads(response.readline().decode().removeprefix("data: "))
            now_s = time.perf_counter()
            if first_s is None:
                first_s, first_start_s = now_s, data["start_s"]
                run.first_ms = 1000 * (now_s - known_s[0]) if known_s else 0.0
            late_s = now_s - first_s - (data["start_s"] - first_start_s)
            run.gap_ms = max(run.gap_ms, 1000 * late_s)
        if first_s is None:
            run.problems.append("no fragment")


def delay_figures(kind: str, runs: Sequence[Run]) -> list[Figure]:
    """Return the figures of one kind of recording."""
    first_ms = [run.first_ms for run in runs]
    gaps_ms = [run.gap_ms for run in runs]
    failed = sum(bool(run.problems) for run in runs)
    name = f"{kind}: 200 ms have arrived -> first durable fragment"
    return [
        Figure.at_most(f"{name}, p50", statistics.median(first_ms), "ms", MAX_MS, len(runs)),
        Figure.at_most(f"{name}, p95", p95(first_ms), "ms", MAX_MS, len(runs)),
        Figure.at_most(f"{kind}: later than played, p95", p95(gaps_ms), "ms", 100, len(runs)),
        Figure.at_most(f"{kind}: recordings that failed", failed, "", 0, len(runs)),
    ]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """The sound of a film compared with the recording that it was given."""

    offset: int
    """Samples by which the film is late."""
    correlation: float
    level_db: float
    """Difference from the level of the voices."""


def fidelity(server: ServerProcess, spoken: Sequence[Samples], number: int) -> Fidelity:
    """Send a quieter or louder copy of a sentence, and compare the film with it."""
    session_id = f"fidelity-{number}"
    change_db = LOUDNESS_DB[number % len(LOUDNESS_DB)]
    samples = np.concatenate([spoken[number % len(spoken)], spoken[(number + 1) % len(spoken)]])
    samples = np.clip(samples * 10 ** (change_db / 20), -1, 1).astype(np.float32)
    run = send(server, wav_chunks(samples, SAMPLE_RATE_HZ, 0.04), "audio/wav", session_id)
    if run.problems:
        raise RuntimeError(f"a recording failed: {run.problems}")
    film = server.request("GET", f"/sessions/{session_id}/full_session.mp4")
    return compared(samples, film_sound(film))


def film_sound(film: bytes) -> Samples:
    """Return the sound of a film, at 48 kHz."""
    with av.open(io.BytesIO(film), "r") as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(frames)


def compared(given: Samples, film: Samples) -> Fidelity:
    """Compare the sound of a film with a recording, both at 48 kHz."""
    found = correlate(film, given, "full", "fft")
    offset = int(np.argmax(found)) - (len(given) - 1)
    shifted = film[max(0, offset) :][: len(given)]
    correlation = float(np.corrcoef(shifted, given[: len(shifted)])[0, 1])
    level_db = 20 * np.log10(sounding_rms(film, SAMPLE_RATE_HZ)) - SPEECH_LEVEL_DBFS
    return Fidelity(offset, correlation, float(level_db))


def fidelity_figures(found: Sequence[Fidelity]) -> list[Figure]:
    """Return the figures of sync and loudness."""
    offset = max(abs(each.offset) for each in found)
    level_db = max(abs(each.level_db) for each in found)
    correlation = min(each.correlation for each in found)
    name = "the sound of the film against the recording"
    return [
        Figure.at_most(f"{name}: offset", offset, "samples", LONGEST_OFFSET, len(found)),
        Figure.at_least(f"{name}: correlation", correlation, "", 0.95, len(found)),
        Figure.at_most("loudness against that of the voices", level_db, "dB", 2.0, len(found)),
    ]
