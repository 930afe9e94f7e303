"""Sound against picture in a real Chromium, recorded from outside of it: a flash and a click."""

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from tempfile import TemporaryDirectory

import matplotlib as mpl
from matplotlib.figure import Figure as Plot
from selenium.webdriver import Chrome

from bench.figure import Figure
from bench.server import wait_until_healthy
from bench.viewers.chromium import Viewer, chromium, wait_until
from bench.viewers.flashes import CLIP_S, FLASH_S, add, flash, write_ordinary
from bench.viewers.onlooker import SCREEN, Environment, read_recording, recording, room
from session.film import FilmSpec
from session.fragmented.writer import FilmWriter
from session.mp4.concat_film import ConcatFilm
from session.mp4.export import export_film
from warm.avatars.store import AvatarStore
from warm.prepare.run import prepare

_ROOT = Path(__file__).resolve().parents[2]
_PORTRAIT = "sample_data/grace_hopper.jpg"
_CLIPS = 30
_LAST = 5
"""Clips that are looked at after these."""
_ENDS = 10
"""Clips at the beginning and at the end that are compared: each start of a player has a skew of
its own, of some 10 ms and more where the machine has other work."""
_MOVED_MS = (-100, 0, 100)
"""By how much the clicks of ordinary files are moved, to see that the recording tells."""
_MOVED_CLIPS = 8
_LEAST_SHARE = 0.8
"""Of the clips must have been seen and heard."""
_QUIET_S = (0.3, 0.9)
"""How long the page is idle before a clip."""
_LAST_FLASH_S = (_CLIPS - 1) * CLIP_S + FLASH_S
_SETTLE_S = 0.5
"""What was shown last is recorded by then."""

_PLAYER = """<!doctype html><body style="margin:0;background:black">
<video id="film" src="{name}"></video>"""
_PLACE = """
// The middle of the film on the screen; what the browser shows of itself lies above the page.
const { x, y, width, height } = document.getElementById("film").getBoundingClientRect();
const above = screenY + outerHeight - innerHeight;
return [screenX + x + width / 2, above + y + height / 2];
"""

Skews = list[float]
"""How much later than its flash each click was heard, ms."""


def measure(out: Path) -> list[Figure]:
    """The page's players, ordinary files, and what the recording adds; a plot goes to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        files = _Files.write(folder)
        with (
            room(folder) as environment,
            chromium(folder / "profile", environment) as browser,
            _serving(files.results) as server,
        ):
            onlooker = _Onlooker(folder, environment, browser)
            films = {
                "MSE, clip by clip": _grow(onlooker, server),
                "MSE, played through": _play_page(onlooker, server, "mse"),
                "hls.js, played through": _play_page(onlooker, server, "hls"),
                "export.mp4": _play_file(onlooker, files.export, _CLIPS),
                "writer: concat": _play_file(onlooker, files.joined, _CLIPS),
            }
            control = _play_file(onlooker, files.moved[0], _MOVED_CLIPS)
            elsewhere = {
                ms: _play_in_mpv(onlooker, moved, environment) for ms, moved in files.moved.items()
            }
    _plot(films, out / "skew.png")
    return [*_film_figures(films), *_control_figures(control, elsewhere)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """What is played."""

    results: Path
    """Of a server: an avatar, and the session `whole`."""
    export: Path
    joined: Path
    """A film of `writer: concat`."""
    moved: dict[int, Path]
    """Ordinary files, by how many ms later than the flashes their clicks are."""

    @classmethod
    def write(cls, folder: Path) -> "_Files":
        """All of them; the films have one clip after the other."""
        results = folder / "results"
        portrait = Path(mpl.get_data_path()) / _PORTRAIT
        prepare(portrait, avatar_id="demo", store=AvatarStore(results))
        spec = _spec_of_demo(results)
        film = results / "sessions" / "whole" / "full_session.mp4"
        files = cls(
            results=results,
            export=folder / "export.mp4",
            joined=folder / "joined.mp4",
            moved={ms: folder / f"moved {ms}.mp4" for ms in _MOVED_MS},
        )
        film.parent.mkdir(parents=True)
        _fill(FilmWriter.create(film, spec))
        export_film(film, files.export)
        _fill(ConcatFilm.create(files.joined, spec))
        for ms, path in files.moved.items():
            write_ordinary(path, spec, flash(spec, late_s=ms / 1000), _MOVED_CLIPS)
        return files


def _spec_of_demo(results: Path) -> FilmSpec:
    avatar = AvatarStore(results).open("demo")
    width, height = avatar.size
    return FilmSpec(width=width, height=height, fps=avatar.fps)


def _fill(film: FilmWriter | ConcatFilm) -> None:
    with film:
        for _ in range(_CLIPS):
            add(film, flash(film.spec))


@dataclass(frozen=True, slots=True)
class _Server:
    process: "subprocess.Popen[bytes]"
    port: int

    def add_clip(self) -> None:
        """A clip at the end of the session `growing`."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def page(self, query: str) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/?{query}"


@contextmanager
def _serving(results: Path) -> Iterator[_Server]:
    with create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    command = [
        sys.executable,
        "-m",
        "bench.viewers.flashing_server",
        "growing",
        "--port",
        str(port),
    ]
    with subprocess.Popen(
        [*command, "--results-dir", str(results)], cwd=_ROOT, stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            wait_until_healthy(port)
            yield _Server(process, port)
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True)
class _Onlooker:
    """Who records what is played in the room."""

    folder: Path
    environment: Environment
    browser: Chrome

    def skews_ms(self, at: tuple[float, float], clips: int, play: Callable[[], object]) -> Skews:
        """What was recorded at a place of the screen while something was played."""
        path = self.folder / "recording.nut"
        with recording(self.environment, path, (round(at[0]), round(at[1]))):
            play()
            time.sleep(_SETTLE_S)
        recorded = read_recording(path)
        path.unlink()
        skews_ms = recorded.skews_ms()
        if len(skews_ms) < _LEAST_SHARE * clips:
            seen, heard = len(recorded.flashes_s), len(recorded.clicks_s)
            raise RuntimeError(f"of {clips} clips {seen} were seen and {heard} were heard")
        return skews_ms

    def place_of_film(self) -> tuple[float, float]:
        """Where the film is on the screen."""
        x, y = self.browser.execute_script(_PLACE)
        return x, y


def _grow(onlooker: _Onlooker, server: _Server) -> Skews:
    """Clip after clip is added to a film whose player has nothing else to play."""
    viewer = Viewer(onlooker.browser, server.page("session=growing&player=mse"))
    return onlooker.skews_ms(
        onlooker.place_of_film(), _CLIPS, lambda: _add_clips(viewer, server, _CLIPS)
    )


def _add_clips(viewer: Viewer, server: _Server, clips: int) -> None:
    for _ in range(clips):
        server.add_clip()
        viewer.wait(viewer.is_speaking)
        viewer.wait(lambda: not viewer.is_speaking())
        time.sleep(random.uniform(*_QUIET_S))


def _play_page(onlooker: _Onlooker, server: _Server, player: str) -> Skews:
    """A film that is there at once, by one of the page's players."""
    viewer = Viewer(onlooker.browser, server.page("session=nobody"))
    place = onlooker.place_of_film()
    onlooker.browser.get("about:blank")

    def play() -> None:
        onlooker.browser.get(server.page(f"session=whole&from=start&player={player}"))
        viewer.wait(lambda: viewer.film_time_s() > _LAST_FLASH_S)

    return onlooker.skews_ms(place, _CLIPS, play)


def _play_file(onlooker: _Onlooker, path: Path, clips: int) -> Skews:
    """A file, by nothing but a `<video>`."""
    browser = onlooker.browser
    page = path.with_suffix(".html")
    page.write_text(_PLAYER.format(name=path.name), encoding="utf-8")
    browser.get(page.as_uri())

    def play() -> None:
        browser.execute_script("document.getElementById('film').play()")
        wait_until(lambda: browser.execute_script("return document.getElementById('film').ended"))

    return onlooker.skews_ms(onlooker.place_of_film(), clips, play)


def _play_in_mpv(onlooker: _Onlooker, path: Path, environment: Environment) -> Skews:
    """A file, by a player that has nothing in common with Chromium."""
    command = ["mpv", "--no-config", "--really-quiet", "--vo=x11", "--ao=pulse", "--fullscreen"]

    def play() -> None:
        subprocess.run([*command, str(path)], env=environment, check=True)

    middle = SCREEN[0] / 2, SCREEN[1] / 2
    return onlooker.skews_ms(middle, _MOVED_CLIPS, play)


def _film_figures(films: dict[str, Skews]) -> Iterator[Figure]:
    for way, skews_ms in films.items():
        after = statistics.median(skews_ms[-_LAST:])
        yield _ms(f"skew in Chromium after {_CLIPS} clips, {way}", after, 40, _LAST)
        gained = statistics.median(skews_ms[-_ENDS:]) - statistics.median(skews_ms[:_ENDS])
        name = f"skew in Chromium gained over {_CLIPS} clips, {way}"
        yield _ms(name, gained, 40, len(skews_ms))


def _control_figures(control: Skews, elsewhere: dict[int, Skews]) -> Iterator[Figure]:
    """An ordinary file in the same recording, and that the recording tells what it should."""
    yield _ms("skew in Chromium, an ordinary MP4", statistics.median(control), 40, len(control))
    medians = {moved: statistics.median(skews_ms) for moved, skews_ms in elsewhere.items()}
    recorded = sum(map(len, elsewhere.values()))
    yield _ms("skew in mpv, an ordinary MP4", medians[0], 10, len(elsewhere[0]))
    error = max((median - moved for moved, median in medians.items()), key=abs)
    yield _ms("skew in mpv, clicks moved by 0 and 100 ms: worst error", error, 10, recorded)


def _ms(name: str, value: float, goal: float, n: int) -> Figure:
    """Early or late is the same to the goal."""
    return Figure(name=name, value=abs(value), unit="ms", goal=goal, better="lower", n=n)


def _plot(films: dict[str, Skews], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for way, skews_ms in films.items():
        axes.plot(skews_ms, label=way, alpha=0.7)
    axes.set(xlabel="clip", ylabel="click after flash, ms", title="Skew in Chromium")
    plot.legend(loc="outside lower center", ncols=3)
    plot.savefig(path)
