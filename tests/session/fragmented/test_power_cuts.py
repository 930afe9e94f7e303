"""Films stay valid in every state that power cuts, kills and failing disks can leave."""

import errno
import os
import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from session.audio_encoder import AudioEncoder
from session.disk import make_folder, sync_folder
from session.errors import FilmDiskError, FilmError, FilmFullError, FilmMissingError
from session.film import SAMPLES_PER_PACKET, TICKS_PER_FRAME, Fragment
from session.fragmented.boxes import build_fragment
from session.fragmented.check import check_film
from session.fragmented.film_files import create_film, delete_film
from session.fragmented.fragment_log import FragmentLog
from session.fragmented.writer import FilmWriter
from session.video_encoder import VideoEncoder
from tests.lossy_disk import Files, Killed, LossyDisk, lay_out
from tests.session.sample_films import SPEC, pictures, tone, watch, watch_with_ffmpeg, write

pytestmark = pytest.mark.slow

FRAMES = 8
"""Frames of a fragment: as long as 15 AAC packets."""
FILM = "sessions/bob/full_session.mp4"


@cache
def encoded() -> list[tuple[list[bytes], list[bytes]]]:
    """Return pictures and sound of a film's first fragment, and of any later one."""
    sound = AudioEncoder(lead_in=0)
    per_fragment = FRAMES * SPEC.samples_per_frame
    return [
        (
            VideoEncoder(SPEC).encode(pictures(0, FRAMES)),
            sound.encode(tone(index * per_fragment, per_fragment)),
        )
        for index in range(2)
    ]


def append(fragment_log: FragmentLog, text: str | None) -> Fragment:
    frames, samples = fragment_log.totals
    video, sound = encoded()[min(1, frames)]
    data = build_fragment(
        fragment_log.sequence,
        pictures=video,
        sound=sound,
        starts=(frames * TICKS_PER_FRAME, samples),
    )
    packets = len(sound) * SAMPLES_PER_PACKET
    return fragment_log.append(data, frames=len(video), samples=packets, text=text)


@dataclass
class Promise:
    """Acknowledged content, which every later state must have."""

    film: bytes = b""
    """First bytes of the film."""
    texts: tuple[str, ...] = ()
    may_be_gone: bool = True
    shown: set[str] = field(default_factory=set)
    """Ids of films that were visible."""
    removed: set[str] = field(default_factory=set)
    """Ids of films whose removal was acknowledged."""


class Talk:
    """Short conversation as a server has it: speak twice, reset, speak."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.path = results / FILM
        self.promise = Promise()
        self.fragment_log: FragmentLog | None = None

    def open(self) -> FragmentLog:
        """Open the film as a server does at its start; its visible content is promised."""
        make_folder(self.path.parent, under=self.results)
        try:
            self.fragment_log = FragmentLog(self.path)
        except FilmMissingError:
            create_film(self.path, SPEC)
            self.fragment_log = FragmentLog(self.path)
        self._promise_shown()
        return self.fragment_log

    def _promise_shown(self) -> None:
        assert self.fragment_log is not None
        shown = self.fragment_log.committed()
        self.promise.film = self.path.read_bytes()[: shown.bytes]
        self.promise.texts = tuple(clip.text for clip in shown.clips)
        self.promise.may_be_gone = False
        self.promise.shown.add(self.fragment_log.init_segment.film_id)

    def say(self, text: str) -> None:
        """Append two fragments, each promised when it is acknowledged."""
        fragment_log = (
            self.open()
            if self.fragment_log is None or self.fragment_log.is_closed
            else self.fragment_log
        )
        for part in (text, None):
            append(fragment_log, part)
            self.promise.film = self.path.read_bytes()[: fragment_log.committed().bytes]
        fragment_log.close_clip()
        self._promise_shown()

    def reset(self) -> None:
        """Remove the film as a server does: if it does not exist, its absence is made durable."""
        if self.fragment_log is not None:
            self.fragment_log.close()
            self.fragment_log = None
        self.promise.may_be_gone = True
        if self.path.exists():
            delete_film(self.path)
        elif self.path.parent.exists():
            sync_folder(self.path.parent)
        self.promise.removed |= self.promise.shown
        self.promise.film, self.promise.texts = b"", ()

    def close(self) -> None:
        if self.fragment_log is not None:
            self.fragment_log.close()

    def steps(self) -> list[Callable[[], None]]:
        return [
            lambda: self.say("one"),
            lambda: self.say("two"),
            self.reset,
            lambda: self.say("three"),
        ]


class States:
    """All states of the disk that a power cut may leave, with the promise at that moment."""

    def __init__(self, disk: LossyDisk, talk: Talk) -> None:
        self.disk, self.talk = disk, talk
        self.found: dict[frozenset[tuple[str, bytes]], tuple[Files, Promise]] = {}
        disk.watched = self.add

    def add(self) -> None:
        for files in self.disk.states():
            self.found[frozenset(files.items())] = (files, deepcopy(self.talk.promise))

    def check(self, folder: Path, most: int | None = None) -> int:
        """Check all states, or a random sample of `most`."""
        found = list(self.found.values())
        if most is not None and most < len(found):
            found = random.Random(len(found)).sample(found, most)
        for number, (files, promise) in enumerate(found):
            root = folder / str(number)
            root.mkdir()
            lay_out(files, root)
            require_kept(root / FILM, promise)
        return len(self.found)


def require_kept(path: Path, promise: Promise) -> None:
    """Assert that a state of the disk keeps the promise, and that the film can be continued."""
    try:
        fragment_log = FragmentLog(path)
    except FilmMissingError:
        assert promise.may_be_gone, "an acknowledged film is gone"
        return
    try:
        data = path.read_bytes()
        assert data.startswith(promise.film), "acknowledged bytes are gone"
        assert fragment_log.init_segment.film_id not in promise.removed, "a removed film is back"
        texts = [clip.text for clip in fragment_log.committed().clips]
        assert tuple(texts[: len(promise.texts)]) == promise.texts, "an acknowledged text is gone"
        assert check_film(path).faults == []
        append(fragment_log, "and on")
    finally:
        fragment_log.close()
    assert path.read_bytes().startswith(data)
    assert check_film(path).faults == []


@pytest.fixture
def disk(laid_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LossyDisk:
    (tmp_path / "results").mkdir()
    return LossyDisk(tmp_path / "results", monkeypatch)


@pytest.fixture
def laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder for thousands of states; syncs are not executed, since the lossy disk simulates
    them."""
    for name in ("fsync", "posix_fadvise"):
        monkeypatch.setattr(os, name, lambda *_: None)
    folder = tmp_path / "states"
    folder.mkdir()
    return folder


def test_a_power_cut_at_any_moment_of_a_conversation_loses_nothing_acknowledged(
    laid_out: Path, disk: LossyDisk
) -> None:
    talk = Talk(disk.root)
    states = States(disk, talk)
    for step in talk.steps():
        step()
        states.add()
    assert states.check(laid_out) > 80


def calls_of_a_talk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the system calls of a conversation, in order."""
    folder.mkdir()
    names: list[str] = []
    with monkeypatch.context() as patched:
        disk = LossyDisk(folder, patched)
        disk.before = lambda _, name: names.append(name)
        talk = Talk(disk.root)
        for step in talk.steps():
            step()
        talk.close()
    return names


def until_killed(steps: list[Callable[[], None]]) -> None:
    try:
        for step in steps:
            step()
    except Killed:
        return
    raise AssertionError("the process was not killed")


@pytest.mark.parametrize("is_torn", [False, True])
def test_a_server_killed_at_any_call_shows_nothing_that_a_power_cut_would_remove(
    tmp_path: Path, laid_out: Path, monkeypatch: pytest.MonkeyPatch, is_torn: bool
) -> None:
    """After `kill -9` unsynced data is still visible; what a new server shows of it is promised."""
    names = calls_of_a_talk(tmp_path / "counted", monkeypatch)
    for number, name in enumerate(names, 1):
        if is_torn and name != "pwrite":
            continue
        root, after = tmp_path / f"killed-{number}", laid_out / str(number)
        root.mkdir()
        after.mkdir()
        with monkeypatch.context() as patched:
            disk = LossyDisk(root, patched, seed=number)
            talk = Talk(disk.root)
            kill_at(disk, number, is_torn)
            until_killed(talk.steps())
            disk.revive()
            talk.fragment_log = None
            talk.open()
            states = States(disk, talk)
            states.add()
            talk.say("and on")
            states.add()
            talk.close()
        assert states.check(after) > 5


def require_same(files: Files, root: Path) -> None:
    """Assert that a state of the disk has the same film and journal as the page cache."""
    journal = f"{FILM}.journal"
    assert {name: files.get(name) for name in (FILM, journal)} == {
        name: (root / name).read_bytes() for name in (FILM, journal)
    }


@pytest.mark.parametrize("is_torn", [False, True])
def test_bytes_truncated_at_a_start_stay_removed_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_torn: bool
) -> None:
    """Once the next server shows the film, the disk has the same bytes and a journal that
    agrees."""
    names = calls_of_a_talk(tmp_path / "counted", monkeypatch)
    for number, name in enumerate(names, 1):
        if is_torn and name != "pwrite":
            continue
        root = tmp_path / f"killed-{number}"
        root.mkdir()
        with monkeypatch.context() as patched:
            disk = LossyDisk(root, patched, seed=number)
            talk = Talk(disk.root)
            kill_at(disk, number, is_torn)
            until_killed(talk.steps())
            disk.revive()
            talk.fragment_log = None
            talk.open()
            for files in disk.states():
                require_same(files, root)
            talk.close()


@pytest.mark.parametrize("takes_half", [False, True])
def test_a_fragment_refused_by_a_full_disk_does_not_reappear_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_half: bool
) -> None:
    """A client that received the error will send the text again."""
    names = calls_of_a_talk(tmp_path / "counted", monkeypatch)
    tried = 0
    for number in range(1, len(names) + 1):
        root = tmp_path / f"refused-{number}"
        root.mkdir()
        with monkeypatch.context() as patched:
            disk = LossyDisk(root, patched, seed=number)
            disk.takes_half = takes_half
            talk = Talk(disk.root)
            disk.before = refuse(number, False, errno.ENOSPC)
            talk_until_it_fails(talk, FilmFullError)
            if talk.fragment_log is not None and not talk.fragment_log.is_closed:
                tried += 1
                for files in disk.states():
                    require_same(files, root)
            talk.close()
    assert tried > 8


def kill_at(disk: LossyDisk, number: int, is_torn: bool) -> None:
    def before(call: int, _: str) -> None:
        if call == number:
            disk.kill()

    if is_torn:
        disk.torn_at = number
    else:
        disk.before = before


def refuse(number: int, lasts: bool, code: int) -> Callable[[int, str], None]:
    """Make the call of that number fail, and also every later one if `lasts` is set."""

    def before(call: int, _: str) -> None:
        if call == number or (call > number and lasts):
            raise OSError(code, os.strerror(code))

    return before


@pytest.mark.parametrize("lasts", [False, True], ids=["once", "permanently"])
@pytest.mark.parametrize("codes", [(errno.EIO, errno.EROFS), (errno.ENOSPC, errno.EDQUOT)])
def test_after_an_error_of_any_call_the_film_is_valid_and_the_next_request_works(
    tmp_path: Path,
    laid_out: Path,
    monkeypatch: pytest.MonkeyPatch,
    codes: tuple[int, int],
    lasts: bool,
) -> None:
    names = calls_of_a_talk(tmp_path / "counted", monkeypatch)
    expected = FilmFullError if errno.ENOSPC in codes else FilmDiskError
    for number in range(1, len(names) + 1):
        root, after = tmp_path / f"refused-{number}", laid_out / str(number)
        root.mkdir()
        after.mkdir()
        with monkeypatch.context() as patched:
            disk = LossyDisk(root, patched, seed=number)
            talk = Talk(disk.root)
            disk.before = refuse(number, lasts, codes[number % 2])
            failed = talk_until_it_fails(talk, expected)
            disk.before = lambda *_: None
            before = deepcopy(talk.promise)
            states = States(disk, talk)
            talk.steps()[failed]()  # the same request again, without a restart
            talk.say("and on")
            talk.close()
            assert talk.promise.film.startswith(before.film) or failed == RESET
        assert states.check(after, most=6) > (0 if lasts else 5)


RESET = 2
"""Index of the step of a conversation that removes its film."""


def talk_until_it_fails(talk: Talk, expected: type[Exception]) -> int:
    for index, step in enumerate(talk.steps()):
        try:
            step()
        except expected as error:
            assert "try again" in str(error)
            assert str(talk.results) in str(error)
            return index
    raise AssertionError("no call failed")


@pytest.mark.parametrize("seed", range(6))
def test_random_kills_errors_and_power_cuts_keep_every_promise(
    tmp_path: Path, laid_out: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """At random: speak, reset, be killed, get errors; then cut the power, choose one of the
    possible states, and continue from it."""
    chance = random.Random(seed)
    promise, files = Promise(), {}
    for turn in range(8):
        root = tmp_path / f"life-{turn}"
        root.mkdir()
        with monkeypatch.context() as patched:
            disk = LossyDisk(root, patched, seed=chance.randrange(10**6))
            disk.begin_with(files)
            talk = Talk(disk.root)
            talk.promise = promise
            live(disk, talk, chance)
            promise = deepcopy(talk.promise)
            files = chance.choice(list(disk.states()))
            talk.close()
        check = laid_out / str(turn)
        check.mkdir()
        lay_out(files, check)
        require_kept(check / FILM, promise)


def live(disk: LossyDisk, talk: Talk, chance: random.Random) -> None:
    """Send some requests, of which some fail, and possibly kill the server."""
    if (disk.root / FILM).exists():
        talk.open()
    for _ in range(chance.randint(1, 4)):
        number = disk.calls + chance.randint(1, 40)
        if chance.random() < 0.5:
            code = chance.choice([errno.EIO, errno.ENOSPC])
            disk.before = refuse(number, chance.random() < 0.3, code)
        elif chance.random() < 0.5:
            kill_at(disk, number, is_torn=False)
        try:
            talk.reset() if chance.random() < 0.2 else talk.say(f"said {chance.random():.3f}")
        except FilmError:
            disk.before = lambda *_: None
        except Killed:
            disk.revive()
            talk.fragment_log = None


def said_and_damaged(folder: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> Files:
    """Return the disk of a finished conversation whose journal is damaged before the next start."""
    folder.mkdir()
    with monkeypatch.context() as patched:
        disk = LossyDisk(folder, patched)
        talk = Talk(disk.root)
        talk.say("one")
        talk.say("two")
        talk.close()
        (*_, files) = disk.states()
    journal = files[f"{FILM}.journal"]
    lines = journal.splitlines(keepends=True)
    changed = {
        "a digit": journal.replace(b'"frames": 16', b'"frames": 17'),
        "the first line": b"?" + journal[1:],
        "a line of zeros": b"".join([*lines[:2], bytes(40), b"\n", *lines[3:]]),
        "all of it": b"rubbish",
        "the last line": b"".join([*lines[:-1], bytes(40), b"\n"]),
    }
    return files | {f"{FILM}.journal": changed[damage]}


@pytest.mark.parametrize(
    "damage", ["a digit", "the first line", "a line of zeros", "all of it", "the last line"]
)
def test_a_power_cut_after_a_journal_repair_loses_nothing_that_was_said_since(
    tmp_path: Path, laid_out: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """The new journal is durable before a line is appended to it, and the end of the film is
    saved durably before it is truncated."""
    files = said_and_damaged(tmp_path / "before", monkeypatch, damage)
    root = tmp_path / "root"
    root.mkdir()
    disk = LossyDisk(root, monkeypatch)
    disk.begin_with(files)
    talk = Talk(disk.root)
    states = States(disk, talk)
    talk.open()
    for each, _ in states.found.values():
        cut_off = each.get(f"{FILM}.cut-1", b"")
        assert files[FILM] in (each[FILM], each[FILM] + cut_off)
    for each in disk.states():
        require_same(each, root)
    talk.say("three")
    states.add()
    talk.close()
    assert states.check(laid_out, most=60) > 8


def test_a_film_plays_in_both_decoders_after_a_power_cut(disk: LossyDisk, laid_out: Path) -> None:
    talk = Talk(disk.root)
    states = States(disk, talk)
    talk.say("one")
    talk.say("two")
    talk.close()
    with_film = [files for files, _ in states.found.values() if FILM in files]
    for number, files in enumerate(random.Random(3).sample(with_film, 6)):
        root = laid_out / str(number)
        root.mkdir()
        lay_out(files, root)
        with FilmWriter.open(root / FILM) as film:
            first = film.committed.frames
            write(film.begin("and on"), first, 5)
        shown = watch(root / FILM)
        assert len(shown.numbers) == first + 5
        assert shown.numbers[first:] == [first + index for index in range(5)]
        assert shown.picture_ticks == [512 * index for index in range(first + 5)]
        assert shown.sample_starts == [1024 * index for index in range(len(shown.sample_starts))]
        numbers, samples = watch_with_ffmpeg(root / FILM)
        assert (numbers, len(samples)) == (shown.numbers, len(shown.samples))
