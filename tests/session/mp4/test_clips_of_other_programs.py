"""The command line on whatever a stranger hands to it: clear words, right codes, no harm."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

from session.__main__ import main
from session.fragmented.journal import journal_path
from session.fragmented.writer import FilmWriter
from session.mp4.concat_film import ConcatFilm
from session.mp4.export import export_film
from tests.session.sample_films import SPEC, pictures, tone, watch, write

NO_FILM = "does not begin with the boxes of a session film"
NO_FILE = "and a film is a file"


class FilmCache:
    """A film, its export, one that was joined, and one of another program."""

    def __init__(self, folder: Path) -> None:
        film, export, joined = (folder / f"{name}.mp4" for name in ("film", "export", "joined"))
        with FilmWriter.create(film, SPEC) as writer:
            for text, counts in (("one", [2, 4]), ("two", [8, 8])):
                clip = writer.begin(text)
                for count in counts:
                    write(clip, writer.committed.frames, count)
                clip.finish()
            self.last_begin = writer.fragments_since(0)[-1].offset
        export_film(film, export)
        with ConcatFilm.create(joined, SPEC) as writer:
            for first in (0, 8):
                clip = writer.begin("")
                clip.write(pictures(first, 8), tone(first * 1920, 8 * 1920))
                clip.finish()
        foreign = folder / "foreign.mp4"
        inputs = ["-f", "lavfi", "-i", "testsrc=d=1:s=64x64", "-f", "lavfi", "-i", "sine=d=1"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *inputs, "-c:a", "aac"]
        subprocess.run([*command, str(foreign)], check=True)
        self.film, self.journal = film.read_bytes(), journal_path(film).read_bytes()
        self.export, self.joined = export.read_bytes(), joined.read_bytes()
        self.foreign = foreign.read_bytes()
        self.sound_film = film


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> FilmCache:
    return FilmCache(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "given.mp4"


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def tell(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """Exit code and all words of `python -m session`."""
    code = main([str(word) for word in words])
    told = capsys.readouterr()
    assert bool(told.err) <= bool(code)
    return code, told.out + told.err


def put(path: Path, data: bytes, journal: bytes | None = None) -> None:
    path.write_bytes(data)
    if journal is not None:
        journal_path(path).write_bytes(journal)


NOT_FOR_REPAIR: dict[str, tuple[Callable[[Path, FilmCache], object], str]] = {
    "nothing": (lambda _, __: None, "There is no film at"),
    "a journal alone": (
        lambda path, shelf: journal_path(path).write_bytes(shelf.journal),
        "There is no film at",
    ),
    "an empty file": (lambda path, shelf: put(path, b"", shelf.journal), "is empty"),
    "zeros": (lambda path, shelf: put(path, bytes(9000), shelf.journal), NO_FILM),
    "a text": (lambda path, _: put(path, b"hello\n" * 300), NO_FILM),
    "a journal in the film's place": (lambda path, shelf: put(path, shelf.journal), NO_FILM),
    "half an opening": (lambda path, shelf: put(path, shelf.film[:700], shelf.journal), NO_FILM),
    "a folder": (lambda path, _: path.mkdir(), NO_FILE),
    "a pipe": (lambda path, _: os.mkfifo(path), NO_FILE),
    "a device": (lambda path, _: path.symlink_to("/dev/zero"), NO_FILE),
    "a link to nothing": (lambda path, _: path.symlink_to("nowhere"), "There is no film at"),
    "a link to itself": (lambda path, _: path.symlink_to(path), "symbolic links"),
}


@pytest.mark.parametrize("name", NOT_FOR_REPAIR)
def test_what_is_no_film_is_called_so_and_left_alone(
    path: Path, shelf: FilmCache, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    lay_out, words = NOT_FOR_REPAIR[name]
    lay_out(path, shelf)
    before = names(path.parent), path.is_file() and path.read_bytes()
    out = path.with_name("out.mp4")
    for command in (["check", path], ["repair", path], ["export", path, out]):
        code, told = tell(capsys, *command)
        assert code == 1
        assert words in told
    code, told = tell(capsys, "concat", shelf.sound_film, path, out)
    assert (code, len(told.splitlines())) == (1, 1)
    assert "Errno" not in told
    assert (names(path.parent), path.is_file() and path.read_bytes()) == before


@pytest.mark.parametrize("kind", ["foreign", "export", "joined"])
def test_an_ordinary_mp4_is_checked_and_never_repaired(
    path: Path, shelf: FilmCache, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    data: bytes = getattr(shelf, kind)
    put(path, data)
    assert tell(capsys, "check", path)[0] == 0
    code, told = tell(capsys, "repair", path)
    assert code == 1
    assert "is an ordinary MP4" in told
    put(path, data[: len(data) // 2])
    code, told = tell(capsys, "check", path)
    assert code == 1
    assert ("FAULT" in told) == (kind != "foreign")  # whose index lay at its end
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize("has_journal", [True, False])
def test_zeros_that_a_file_system_left_in_the_last_fragment_are_cut_off_and_kept(
    path: Path, shelf: FilmCache, capsys: pytest.CaptureFixture[str], has_journal: bool
) -> None:
    """Without the journal nothing tells but the zeros: no picture and no packet ends with one."""
    zeros = (len(shelf.film) - shelf.last_begin) // 3
    damaged = shelf.film[:-zeros] + bytes(zeros)
    put(path, damaged, shelf.journal if has_journal else None)
    code, told = tell(capsys, "check", path)
    assert code == 1
    assert ("CRC" if has_journal else "there are zeros") in told
    assert tell(capsys, "repair", path)[0] == 0
    assert path.read_bytes() == shelf.film[: shelf.last_begin]
    kept = path.with_name(f"{path.name}.cut-1").read_bytes()
    assert path.read_bytes() + kept == damaged
    assert tell(capsys, "check", path)[0] == 0
    assert watch(path).numbers == list(range(14))


def test_a_journal_that_is_a_folder_or_a_pipe_is_none(
    path: Path, shelf: FilmCache, capsys: pytest.CaptureFixture[str]
) -> None:
    put(path, shelf.film)
    for make in (os.mkfifo, os.mkdir):
        journal_path(path).unlink(missing_ok=True)
        make(journal_path(path))
        assert "is damaged, or another film's" in tell(capsys, "check", path)[1]
        assert tell(capsys, "export", path, path.with_name("out.mp4"))[0] == 0
    code, told = tell(capsys, "repair", path)
    assert code == 1
    assert "Is a directory" in told
    assert path.read_bytes() == shelf.film


def test_a_film_is_found_behind_a_link_with_its_journal(
    path: Path, shelf: FilmCache, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(shelf.sound_film, path)
    shutil.copy(journal_path(shelf.sound_film), journal_path(path))
    (path.parent / "below").mkdir()
    link = path.parent / "below" / "link.mp4"
    link.symlink_to(path)
    assert "2 clips, 4 of 4 fragments verified" in tell(capsys, "check", link)[1]
    assert tell(capsys, "repair", link)[0] == 0
    assert names(link.parent) == [link.name]


@pytest.mark.parametrize("command", ["export", "concat"])
def test_no_folder_device_or_missing_place_is_written_to(
    path: Path, shelf: FilmCache, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    path.mkdir()
    pipe = path / "pipe"
    os.mkfifo(pipe)
    for out, words in (
        (path, "is not a file"),
        (pipe, "is not a file"),
        (path / "none" / "out.mp4", "There is no folder"),
    ):
        code, told = tell(capsys, command, shelf.sound_film, out)
        assert code == 1
        assert words in told
    assert names(path) == ["pipe"]
    assert pipe.is_fifo()


def test_a_folder_that_takes_no_file_is_named(
    path: Path,
    shelf: FilmCache,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Root may write anywhere, so the system's answer is put in its place."""
    put(path, shelf.film, shelf.journal)
    monkeypatch.setattr(os, "access", lambda *_: False)
    for command in ("export", "concat"):
        code, told = tell(capsys, command, path, path.with_name("out.mp4"))
        assert code == 1
        assert f"{path.parent}: The folder is not writable" in told
    assert tell(capsys, "check", path)[0] == 0


@pytest.mark.parametrize("kind", ["with its journal", "without", "opening", "joined", "foreign"])
def test_turned_bits_anywhere_are_never_a_crash_and_never_cost_a_byte(
    path: Path, shelf: FilmCache, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    chance = random.Random(kind)
    whole = {"joined": shelf.joined, "foreign": shelf.foreign}.get(kind, shelf.film)
    for _ in range(40):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 5, 30])):
            place = chance.randrange(1300 if kind == "opening" else len(data))
            data[place] ^= 1 << chance.randrange(8)
        put(path, bytes(data), None if kind in ("without", "joined", "foreign") else shelf.journal)
        code, _ = tell(capsys, "check", path)
        assert code == 1 or kind != "with its journal"
        assert tell(capsys, "repair", path)[0] in (0, 1)
        cuts = [each.read_bytes() for each in path.parent.glob("*.cut-1")]
        assert path.read_bytes() + b"".join(cuts) == data
        for each in path.parent.iterdir():
            each.unlink()


@pytest.mark.parametrize("kind", ["film", "joined"])
def test_turned_bits_never_leave_half_an_export(
    path: Path, shelf: FilmCache, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    chance = random.Random(kind)
    out = path.with_name("out.mp4")
    for _ in range(6):
        data = bytearray(getattr(shelf, kind))
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        put(path, bytes(data))
        for command in ("export", "concat"):
            code, told = tell(capsys, command, path, out)
            assert (code == 0) == out.exists()
            assert told
            out.unlink(missing_ok=True)
            assert names(path.parent) == [path.name]
