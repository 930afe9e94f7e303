"""`concat` films stay valid after power cuts, kills and disk errors."""

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from session.errors import FilmDiskError, FilmError, FilmFullError
from session.mp4 import append_clip
from session.mp4.check import check_mp4
from session.mp4.concat_demuxer import ConcatEntry, concat_files
from session.mp4.concat_film import ConcatFilm
from session.mp4.concat_film_files import delete_concat_film
from tests.lossy_disk import Files, Killed, LossyDisk, lay_out
from tests.session.sample_films import SPEC, pictures, tone, watch, watch_with_ffmpeg

pytestmark = pytest.mark.slow

FILM = "film.mp4"
FRAMES = 8


class Copies:
    """Cache of ffmpeg's output for a film of each length and one more clip."""

    def __init__(self, folder: Path) -> None:
        self.made: dict[Any, bytes] = {}
        path = folder / FILM
        self.monkeypatch = pytest.MonkeyPatch()
        self.monkeypatch.setattr(append_clip, "concat_files", self)
        with ConcatFilm.create(path, SPEC) as film:
            for first in range(0, 4 * FRAMES, FRAMES):
                say(film, first)

    def __call__(self, links: Sequence[ConcatEntry], out: Path, folder: Path, **more: Any) -> str:
        key = [each.duration_s for each in links]
        if str(key) not in self.made:
            words = concat_files(links, out, folder, **more)
            self.made[str(key)] = out.read_bytes()
            return words
        out.write_bytes(self.made[str(key)])
        return ""


@pytest.fixture(scope="module", autouse=True)
def copies(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run ffmpeg once for each film; the tests copy some hundred times."""
    made = Copies(tmp_path_factory.mktemp("copies"))
    yield made
    made.monkeypatch.undo()


def say(film: ConcatFilm, first: int) -> None:
    """Add eight pictures and their sound, in two parts."""
    clip = film.begin(f"from {first}")
    try:
        for part in (first, first + FRAMES // 2):
            clip.write(pictures(part, FRAMES // 2), tone(part * 1920, FRAMES // 2 * 1920))
        clip.finish()
    finally:
        clip.abandon()


class Talk:
    """Speak twice, remove, speak; records the promised film."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILM
        self.film: ConcatFilm | None = None
        self.promised: bytes | None = b""
        """The film that was acknowledged; empty for none, None where that is not known."""
        self.removed: list[bytes] = []
        """Films whose removal was acknowledged."""

    def open(self) -> ConcatFilm:
        """Open the film as a server does at its start; its visible content is promised."""
        if self.film is None or self.film.is_closed:
            is_there = self.path.exists()
            self.film = ConcatFilm.open(self.path) if is_there else self.create()
            self.promised = self.path.read_bytes() if is_there else self.promised
        return self.film

    def create(self) -> ConcatFilm:
        return ConcatFilm.create(self.path, SPEC)

    def say(self) -> None:
        film = self.open()
        say(film, film.committed.frames)
        self.promised = self.path.read_bytes()

    def remove(self) -> None:
        before, self.promised = self.promised, None
        if self.film is not None and not self.film.is_closed:
            self.film.delete()
        elif before:
            delete_concat_film(self.path)
        self.film, self.promised = None, b""
        self.removed += [before] if before else []

    def close(self) -> None:
        if self.film is not None:
            self.film.close()

    def steps(self) -> list[Callable[[], None]]:
        return [self.say, self.say, self.remove, self.say]


def run(talk: Talk) -> None:
    for step in talk.steps():
        step()


class States:
    """All states of the disk that a power cut may leave, with the film promised at that moment."""

    def __init__(self, disk: LossyDisk, talk: Talk) -> None:
        self.disk, self.talk = disk, talk
        self.found: dict[tuple[bytes | None, bytes], Files] = {}
        disk.watched = self.add

    def add(self) -> None:
        for files in self.disk.states():
            promised = self.talk.promised
            film = files.get(FILM, b"")
            assert film not in self.talk.removed, "a removed film is back"
            if film == promised:
                continue
            self.found.setdefault((promised, film), files)

    def check(self, folder: Path) -> None:
        """Besides the promised film only the complete next version may exist, never a part of
        either."""
        for number, ((promised, film), files) in enumerate(self.found.items()):
            root = folder / str(number)
            root.mkdir()
            lay_out(files, root)
            assert film or promised is None, "an acknowledged film is gone"
            if film:
                require_whole(root / FILM, promised)


def require_whole(path: Path, promised: bytes | None) -> None:
    """Assert that a film has the promised content, is valid, and can be continued."""
    assert check_mp4(path).faults == []
    with ConcatFilm.open(path) as film:
        frames = film.committed.frames
        if promised:
            (path.parent / "promised.mp4").write_bytes(promised)
            with ConcatFilm.open(path.parent / "promised.mp4") as before:
                assert film.committed.clips[: len(before.committed.clips)] == (
                    before.committed.clips
                ), "an acknowledged clip is gone"
        assert not [each for each in path.parent.iterdir() if each.name.endswith(".parts")]
        if frames < 4 * FRAMES:
            say(film, frames)
    assert watch(path).numbers == list(range(min(frames + FRAMES, 4 * FRAMES)))


@pytest.fixture
def laid_out(tmp_path: Path) -> Path:
    folder = tmp_path / "states"
    folder.mkdir()
    return folder


def test_no_power_cut_at_any_moment_leaves_less_than_the_last_acknowledged_film(
    tmp_path: Path, laid_out: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        disk = LossyDisk(root, patched)
        talk = Talk(disk.root)
        states = States(disk, talk)
        run(talk)
        states.add()
        assert len(states.found) > 4
        talk.remove()
        states.add()
    states.check(laid_out)


def calls_of_a_talk(folder: Path) -> list[str]:
    folder.mkdir()
    names: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        disk = LossyDisk(folder, patched)
        disk.before = lambda _, name: names.append(name)
        talk = Talk(disk.root)
        run(talk)
        disk.before = lambda *_: None
        talk.close()
    return names


def test_a_server_killed_at_any_call_shows_nothing_that_a_power_cut_would_remove(
    tmp_path: Path, laid_out: Path
) -> None:
    names = calls_of_a_talk(tmp_path / "counted")
    for number in range(1, len(names) + 1):
        root, after = tmp_path / f"killed-{number}", laid_out / str(number)
        root.mkdir()
        after.mkdir()
        with pytest.MonkeyPatch.context() as patched:
            disk = LossyDisk(root, patched, seed=number)
            talk = Talk(disk.root)
            disk.before = killing(disk, number)
            with pytest.raises(Killed):
                run(talk)
            disk.revive()
            talk.film, talk.promised = None, b""
            talk.open()
            shown = talk.promised
            assert all(files.get(FILM, b"") == shown for files in disk.states())
            assert stale_temp_files(root) == []
            talk.close()


def stale_temp_files(root: Path) -> list[str]:
    return [each.name for each in root.iterdir() if each.name not in (FILM, f"{FILM}.lock")]


def killing(disk: LossyDisk, number: int) -> Callable[[int, str], None]:
    def before(call: int, _: str) -> None:
        if call == number:
            disk.kill()

    return before


def test_after_an_error_of_any_call_the_film_is_unchanged_and_the_next_request_works(
    tmp_path: Path, laid_out: Path
) -> None:
    """Once or permanently, with a full disk or another error, in turn."""
    names = calls_of_a_talk(tmp_path / "counted")
    for number in range(1, len(names) + 1):
        lasts, is_full = bool(number & 1), bool(number & 2)
        code = errno.ENOSPC if is_full else errno.EIO
        expected = FilmFullError if is_full else FilmDiskError
        root, after = tmp_path / f"refused-{number}", laid_out / str(number)
        root.mkdir()
        after.mkdir()
        with pytest.MonkeyPatch.context() as patched:
            disk = LossyDisk(root, patched, seed=number)
            talk = Talk(disk.root)
            disk.before = refusing(number, code, lasts=lasts)
            failed = until_refused(talk, expected)
            disk.before = lambda *_: None
            states = States(disk, talk)
            states.add()
            if failed is not None:
                talk.steps()[failed]()
            talk.say()
            states.add()
            talk.close()
        if not number % 5:
            states.check(after)


def refusing(number: int, code: int, *, lasts: bool) -> Callable[[int, str], None]:
    def before(call: int, _: str) -> None:
        if call == number or (call > number and lasts):
            raise OSError(code, "refused")

    return before


def until_refused(talk: Talk, expected: type[FilmError]) -> int | None:
    """Return the step that failed; None if only the cleanup failed."""
    for index, step in enumerate(talk.steps()):
        try:
            step()
        except expected:
            return index
    return None


def test_a_film_plays_in_both_decoders_after_a_power_cut(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        disk = LossyDisk(root, patched)
        talk = Talk(disk.root)
        talk.say()
        talk.say()
        (*_, files) = disk.states()
        talk.close()
    after = tmp_path / "after"
    after.mkdir()
    lay_out(files, after)
    numbers, samples = watch_with_ffmpeg(after / FILM)
    assert numbers == watch(after / FILM).numbers == list(range(2 * FRAMES))
    assert len(samples) == 2 * FRAMES * 1920
