"""Recognition of speech: word errors of several voices, and the delay after the end of speech."""

import http.client
import json
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.hearing.speakers import Spoken, espeak, heart, human, noisy, piper
from bench.hearing.words import error_count, words_of
from bench.live_webm import live_webm
from bench.recording import wav_chunks
from bench.server_process import TIMEOUT_S, ServerProcess, run_server
from stt.errors import RecogniserAbsent
from stt.recogniser import RATE_HZ, Recogniser, Samples, transcribe
from warm.recogniser_factory import configured_recogniser
from warm.settings import read_settings

NATURAL_GOAL, NOISY_GOAL, ESPEAK_GOAL = 6.0, 12.0, 30.0
"""Goals of the word error rates, percent."""
DELAY_GOAL_S = 0.7
UTTERANCE_S = 3.0
RUNS, WARM_UP = 10, 2
"""Requests of each kind."""
FRAME_MS = 60
CHUNK_S = 0.1
KINDS = {
    "WebM/Opus": ("audio/webm;codecs=opus", partial(live_webm, frame_ms=FRAME_MS)),
    "WAV": ("audio/wav", partial(wav_chunks, chunk_s=CHUNK_S)),
}


def measure(out: Path) -> list[Figure]:
    """Measure the recogniser of the settings; raises RecogniserAbsent.

    A list of all word errors is written next to the plots.
    """
    settings = read_settings([]).model_copy(update={"stt_idle_s": 0.0, "stt_timeout_s": 120.0})
    with closing(configured_recogniser(settings)) as recogniser:
        if recogniser.state().phase in ("absent", "off"):
            raise RecogniserAbsent(recogniser.state().detail)
        rates = [*error_rates(recogniser, out)]
    return [*rates, *delay_figures()]


def error_rates(recogniser: Recogniser, out: Path) -> Iterator[Figure]:
    """Yield the word error rate of each voice."""
    corpora: dict[str, tuple[Iterable[Spoken], float]] = {
        "a recorded human": (human(), NATURAL_GOAL),
        "heart": (heart(), NATURAL_GOAL),
        "Piper's joe": (piper(), NATURAL_GOAL),
        "heart, white noise at 10 dB": (noisy(heart), NOISY_GOAL),
        "espeak-ng": (espeak(), ESPEAK_GOAL),
    }
    for name, (spoken, goal) in corpora.items():
        lines, words, errors = list[str](), 0, 0
        for text, samples in spoken:
            heard = transcribe(recogniser, samples).text
            said = words_of(text)
            wrong = error_count(said, words_of(heard))
            words, errors = words + len(said), errors + wrong
            lines += [f"{wrong}\t{text}\n\t{heard}\n"] if wrong else []
        if words:
            (out / f"transcribe_{name.split(',')[0].replace(' ', '_')}.txt").write_text(
                "".join(lines), "utf-8"
            )
            rate = 100 * errors / words
            yield Figure.at_most(f"transcribe: word error rate, {name}", rate, "%", goal, words)


def delay_figures() -> list[Figure]:
    """Send utterances to a real server at the pace at which they are spoken."""
    spoken = utterances()
    figures = []
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        with run_server(results) as server:
            for kind in KINDS:
                runs = [delay_s(server, kind, each) for each in spoken][WARM_UP:]
                title = f"transcribe: end of 3 s of speech -> words, {kind}"
                middle = statistics.median(runs)
                figures += [
                    Figure.at_most(f"{title}, p50", middle, "s", DELAY_GOAL_S, len(runs)),
                    Figure.at_most(f"{title}, p95", p95(runs), "s", 2 * DELAY_GOAL_S, len(runs)),
                ]
    return figures


def utterances() -> list[Samples]:
    """Return sentences, each cut or padded to UTTERANCE_S."""
    size = round(UTTERANCE_S * RATE_HZ)
    found = [samples for _, (_, samples) in zip(range(RUNS + WARM_UP), heart(), strict=False)]
    return [np.pad(each, (0, max(0, size - len(each))))[:size] for each in found]


def delay_s(server: ServerProcess, kind: str, samples: Samples) -> float:
    """Return the time from the last byte of a recording to its words."""
    media_type, chunks_of = KINDS[kind]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    connection.putrequest("POST", "/transcribe")
    connection.putheader("Content-Type", media_type)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    started_s = time.monotonic()
    for at_s, data in chunks_of(samples, RATE_HZ):
        time.sleep(max(0.0, started_s + at_s - time.monotonic()))
        connection.send(b"%x\r\n%s\r\n" % (len(data), data))
    connection.send(b"0\r\n\r\n")
    ended_s = time.monotonic()
    with connection.getresponse() as response:
        answer = json.loads(response.read())
    delay = time.monotonic() - ended_s
    connection.close()
    if not answer.get("text"):
        raise RuntimeError(f"{kind}: nothing was recognised: {answer}")
    return delay
