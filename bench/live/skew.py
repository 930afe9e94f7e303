"""Audio-video skew of the live stream in Chromium, recorded from outside: flashes and clicks."""

import http.client
import io
import statistics
import time
import wave
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray

from bench.figure import Figure, p95
from bench.live.live_chromium import FPS, LivePage, live_chromium
from bench.server_process import TIMEOUT_S, ServerProcess, run_server
from bench.viewers.recorder import Recording, read_recording, recording, virtual_desktop

_PROGRAM = ("-m", "bench.live.flash_face")
_MINUTES, _UTTERANCES = 2.0, 8
_CLICKS_AT_FRAME = (30, 55, 80)
"""Frames of each utterance that begin with a click: after the head has glided to the film."""
_LEVEL_AT_FRAME = 0
"""Here a click sets the level of the recording, which the server adapts; its flash is not seen."""
_UTTERANCE_FRAMES, _CLICK_FRAMES = 100, 2
_RATE_HZ = 48_000
_CLICK = 0.9
"""Amplitude of a click in the recording."""
_LOUD = 0.03
"""Amplitude of a click on the loudspeaker: the server adapts the level of recordings."""
_SETTLE_S = 5.0
_MIN_SHARE = 0.8
"""Share of the clicks that must be in the recording."""
_GOAL_MS = 40.0
_CENTRE = """
// The centre of the picture on the screen; the browser's own bars are above the page.
const { x, y, width, height } = document.getElementById("live").getBoundingClientRect();
const above = screenY + outerHeight - innerHeight;
return [screenX + x + width / 2, above + y + height / 2];
"""


def measure(out: Path) -> list[Figure]:
    """Measure two minutes with eight utterances."""
    return measure_for(_MINUTES, _UTTERANCES, out)


def measure_for(minutes: float, utterances: int, out: Path) -> list[Figure]:
    """Measure for a time; the utterances are spread over it. The plot goes to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        recorded = _record(Path(name), minutes, utterances)
    skews_ms = recorded.skews_ms()
    clicks = utterances * len(_CLICKS_AT_FRAME)
    if len(skews_ms) < _MIN_SHARE * clicks:
        flashes = len(recorded.flashes_s)
        raise RuntimeError(
            f"{flashes} flashes and {len(recorded.clicks_s)} clicks recorded of {clicks}"
        )
    _plot(skews_ms, out / "live_skew.png")
    return _figures(skews_ms, f"over {minutes:g} min")


def _record(folder: Path, minutes: float, utterances: int) -> Recording:
    """Return what was on the screen and on the loudspeaker."""
    results = folder / "results"
    with (
        virtual_desktop(folder) as environment,
        live_chromium(folder / "profile", environment) as browser,
        run_server(results, program=_PROGRAM) as server,
    ):
        page = LivePage(browser, server.url("/?mode=speak&player=webrtc"))
        x, y = page.run(_CENTRE)
        time.sleep(_SETTLE_S)
        with recording(environment, folder / "recording.nut", (round(x), round(y))):
            _speak_all(server, minutes, utterances)
        return read_recording(folder / "recording.nut", loud=_LOUD)


def _speak_all(server: ServerProcess, minutes: float, utterances: int) -> None:
    """Speak the utterances at equal distances in time."""
    begin_s = time.monotonic()
    for number in range(utterances):
        _speak(server, _utterance())
        next_s = begin_s + 60 * minutes * (number + 1) / utterances
        time.sleep(max(0.0, next_s - time.monotonic()))


def _utterance() -> NDArray[np.int16]:
    """Return clicks that begin with a frame, and silence between."""
    step = _RATE_HZ // FPS
    samples = np.zeros(_UTTERANCE_FRAMES * step)
    for frame in (_LEVEL_AT_FRAME, *_CLICKS_AT_FRAME):
        samples[frame * step : (frame + _CLICK_FRAMES) * step] = _CLICK
    tone = np.sin(2 * np.pi * 1000 * np.arange(len(samples)) / _RATE_HZ + np.pi / 2)
    return np.round(32_767 * samples * tone).astype("<i2")


def _speak(server: ServerProcess, samples: NDArray[np.int16]) -> None:
    sound = io.BytesIO()
    with closing(wave.open(sound, "wb")) as file:
        file.setparams((1, 2, _RATE_HZ, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)) as client:
        client.request("POST", "/speak", sound.getvalue(), {"Content-Type": "audio/wav"})
        answer = client.getresponse()
        content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"POST /speak: {answer.status} {content!r}")


def _figures(skews_ms: list[float], period: str) -> list[Figure]:
    third = max(1, len(skews_ms) // 3)
    growth = statistics.median(skews_ms[-third:]) - statistics.median(skews_ms[:third])
    sizes = [abs(skew) for skew in skews_ms]
    name = f"live: skew in Chromium {period}"
    return [
        Figure.at_most(f"{name}, p50", statistics.median(sizes), "ms", _GOAL_MS, len(sizes)),
        Figure.at_most(f"{name}, p95", p95(sizes), "ms", _GOAL_MS, len(sizes)),
        Figure.at_most(f"{name}, growth", abs(growth), "ms", _GOAL_MS / 2, len(sizes)),
    ]


def _plot(skews_ms: list[float], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    axes.plot(skews_ms, marker=".", alpha=0.7)
    axes.set(xlabel="click", ylabel="click after flash, ms", title="Skew of the live stream")
    plot.savefig(path)
