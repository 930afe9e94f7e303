"""Audio-video skew of players, recorded from outside: a flash and a click at the same moment."""

import random
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib.figure import Figure as Plot
from selenium.webdriver import Chrome

from bench.avatars import film_spec, prepare_demo
from bench.figure import Figure
from bench.polling import wait_until
from bench.server_process import ServerProcess, run_server
from bench.viewers.chromium import TIMEOUT_S, SessionPage, chromium
from bench.viewers.flash_films import (
    CLIP_S,
    FLASH_S,
    append_clip,
    flash_and_click,
    write_reference_mp4,
)
from bench.viewers.recorder import (
    SCREEN,
    Environment,
    read_recording,
    recording,
    virtual_desktop,
)
from session.fragmented.writer import FilmWriter
from session.mp4.concat_film import ConcatFilm
from session.mp4.export import export_film

_CLIPS = 30
_LAST = 5
"""The skew after _CLIPS clips is the median of these last ones."""
_ENDS = 10
"""Clips at the beginning and at the end that are compared: each start of a player has a skew of
its own, of some 10 ms, and of more on a busy machine."""
_CLICK_DELAYS_MS = (-100, 0, 100)
"""Delays of the clicks in ordinary files, which validate the recording."""
_REFERENCE_CLIPS = 8
_MIN_SHARE = 0.8
"""Share of the clips that must be in the recording."""
_QUIET_S = (0.3, 0.9)
"""Idle time of the page before a clip."""
_LAST_FLASH_S = (_CLIPS - 1) * CLIP_S + FLASH_S
_SETTLE_S = 0.5
"""Time after playback until the last pictures and sounds are recorded."""

_PLAYER = """<!doctype html><body style="margin:0;background:black">
<video id="film" src="{name}"></video>"""
_FILM_CENTRE = """
// The centre of the film on the screen; the browser's own bars are above the page.
const { x, y, width, height } = document.getElementById("film").getBoundingClientRect();
const above = screenY + outerHeight - innerHeight;
return [screenX + x + width / 2, above + y + height / 2];
"""

Skews = list[float]
"""Delay of each click after its flash, ms."""


def measure(out: Path) -> list[Figure]:
    """Measure the page's players, ordinary files and the recording; the plot goes to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        files = _Files.write(folder)
        with (
            virtual_desktop(folder) as environment,
            chromium(folder / "profile", environment) as browser,
            _run_flash_server(files.results) as server,
        ):
            recorder = _Recorder(folder, environment, browser)
            films = {
                "MSE, clip by clip": _play_growing(recorder, server),
                "MSE, played through": _play_page(recorder, server, "mse"),
                "hls.js, played through": _play_page(recorder, server, "hls"),
                "export.mp4": _play_file(recorder, files.export, _CLIPS),
                "writer: concat": _play_file(recorder, files.concat, _CLIPS),
            }
            chromium_reference = _play_file(recorder, files.references[0], _REFERENCE_CLIPS)
            mpv_references = {
                delay_ms: _play_in_mpv(recorder, path)
                for delay_ms, path in files.references.items()
            }
    _plot(films, out / "skew.png")
    return [*_film_figures(films), *_reference_figures(chromium_reference, mpv_references)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """The films to play."""

    results: Path
    """Results of the server: an avatar, and the session `whole`."""
    export: Path
    concat: Path
    """A film of `writer: concat`."""
    references: dict[int, Path]
    """Ordinary files, by the delay of their clicks after the flashes, ms."""

    @classmethod
    def write(cls, folder: Path) -> "_Files":
        """Write all of them."""
        results = folder / "results"
        spec = film_spec(prepare_demo(results))
        film = results / "sessions" / "whole" / "full_session.mp4"
        files = cls(
            results=results,
            export=folder / "export.mp4",
            concat=folder / "concat.mp4",
            references={ms: folder / f"delay {ms}.mp4" for ms in _CLICK_DELAYS_MS},
        )
        film.parent.mkdir(parents=True)
        _append_clips(FilmWriter.create(film, spec))
        export_film(film, files.export)
        _append_clips(ConcatFilm.create(files.concat, spec))
        for ms, path in files.references.items():
            media = flash_and_click(spec, click_delay_s=ms / 1000)
            write_reference_mp4(path, spec, media, _REFERENCE_CLIPS)
        return files


def _append_clips(film: FilmWriter | ConcatFilm) -> None:
    with film:
        for _ in range(_CLIPS):
            append_clip(film, flash_and_click(film.spec))


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Records what is played on the virtual desktop."""

    folder: Path
    environment: Environment
    browser: Chrome

    def skews_ms(
        self, centre: tuple[float, float], clips: int, play: Callable[[], object]
    ) -> Skews:
        """Record around a point of the screen during `play`.

        Raises RuntimeError if too few clips are recorded.
        """
        path = self.folder / "recording.nut"
        with recording(self.environment, path, (round(centre[0]), round(centre[1]))):
            play()
            time.sleep(_SETTLE_S)
        recorded = read_recording(path)
        path.unlink()
        skews_ms = recorded.skews_ms()
        if len(skews_ms) < _MIN_SHARE * clips:
            flashes, clicks = len(recorded.flashes_s), len(recorded.clicks_s)
            raise RuntimeError(f"{flashes} flashes and {clicks} clicks recorded of {clips} clips")
        return skews_ms

    def film_centre(self) -> tuple[float, float]:
        """Return the centre of the film on the screen."""
        x, y = self.browser.execute_script(_FILM_CENTRE)
        return x, y


@contextmanager
def _run_flash_server(results: Path) -> Iterator[ServerProcess]:
    """Run a server that appends a clip to the session `growing` on request."""
    program = ("-m", "bench.viewers.flash_server", "growing")
    with run_server(results, program=program, stdin=subprocess.PIPE) as server:
        yield server


def _append_to_growing(server: ServerProcess) -> None:
    assert server.process.stdin is not None
    server.process.stdin.write(b"\n")
    server.process.stdin.flush()


def _play_growing(recorder: _Recorder, server: ServerProcess) -> Skews:
    """Play a film that grows clip by clip; the player idles in between."""
    page = SessionPage(recorder.browser, server.url("/?session=growing&player=mse"))

    def play() -> None:
        for _ in range(_CLIPS):
            _append_to_growing(server)
            page.wait(page.is_speaking)
            page.wait(lambda: not page.is_speaking())
            time.sleep(random.uniform(*_QUIET_S))

    return recorder.skews_ms(recorder.film_centre(), _CLIPS, play)


def _play_page(recorder: _Recorder, server: ServerProcess, player: str) -> Skews:
    """Play a complete film by one of the page's players."""
    page = SessionPage(recorder.browser, server.url("/?session=empty"))
    centre = recorder.film_centre()
    recorder.browser.get("about:blank")

    def play() -> None:
        recorder.browser.get(server.url(f"/?session=whole&from=start&player={player}"))
        page.wait(lambda: page.film_time_s() > _LAST_FLASH_S)

    return recorder.skews_ms(centre, _CLIPS, play)


def _play_file(recorder: _Recorder, path: Path, clips: int) -> Skews:
    """Play a file by a plain `<video>`."""
    browser = recorder.browser
    page = path.with_suffix(".html")
    page.write_text(_PLAYER.format(name=path.name), encoding="utf-8")
    browser.get(page.as_uri())

    def has_ended() -> bool:
        return bool(browser.execute_script("return document.getElementById('film').ended"))

    def play() -> None:
        browser.execute_script("document.getElementById('film').play()")
        wait_until(has_ended, f"the end of {path.name}", timeout_s=TIMEOUT_S)

    return recorder.skews_ms(recorder.film_centre(), clips, play)


def _play_in_mpv(recorder: _Recorder, path: Path) -> Skews:
    """Play a file by mpv, which shares no code with Chromium's player."""
    command = ["mpv", "--no-config", "--really-quiet", "--vo=x11", "--ao=pulse", "--fullscreen"]

    def play() -> None:
        subprocess.run([*command, str(path)], env=recorder.environment, check=True)

    centre = SCREEN[0] / 2, SCREEN[1] / 2
    return recorder.skews_ms(centre, _REFERENCE_CLIPS, play)


def _film_figures(films: dict[str, Skews]) -> Iterator[Figure]:
    for player, skews_ms in films.items():
        after = statistics.median(skews_ms[-_LAST:])
        yield _skew_figure(f"skew in Chromium after {_CLIPS} clips, {player}", after, 40, _LAST)
        gained = statistics.median(skews_ms[-_ENDS:]) - statistics.median(skews_ms[:_ENDS])
        name = f"skew in Chromium gained over {_CLIPS} clips, {player}"
        yield _skew_figure(name, gained, 40, len(skews_ms))


def _reference_figures(in_chromium: Skews, in_mpv: dict[int, Skews]) -> Iterator[Figure]:
    """Yield the skew of an ordinary file in both players, and the error of the recording."""
    name = "skew in Chromium, an ordinary MP4"
    yield _skew_figure(name, statistics.median(in_chromium), 40, len(in_chromium))
    medians = {delay_ms: statistics.median(skews_ms) for delay_ms, skews_ms in in_mpv.items()}
    yield _skew_figure("skew in mpv, an ordinary MP4", medians[0], 10, len(in_mpv[0]))
    error = max((median - delay_ms for delay_ms, median in medians.items()), key=abs)
    name = "skew in mpv, clicks moved by 0 and 100 ms: worst error"
    yield _skew_figure(name, error, 10, sum(map(len, in_mpv.values())))


def _skew_figure(name: str, skew_ms: float, goal_ms: float, n: int) -> Figure:
    """Return the size of a skew: early and late count the same."""
    return Figure.at_most(name, abs(skew_ms), "ms", goal_ms, n)


def _plot(films: dict[str, Skews], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for player, skews_ms in films.items():
        axes.plot(skews_ms, label=player, alpha=0.7)
    axes.set(xlabel="clip", ylabel="click after flash, ms", title="Skew in Chromium")
    plot.legend(loc="outside lower center", ncols=3)
    plot.savefig(path)
