"""The command line gives a clear message and exit code for any file, and never damages it."""

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

NOT_A_FILM = "does not begin with the boxes of a session film"
NOT_A_FILE = "and a film is a file"


class SampleFiles:
    """A film, its export, a `concat` film, and a file of another program."""

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
        self.film_path = film


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SampleFiles:
    return SampleFiles(tmp_path_factory.mktemp("files"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "given.mp4"


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def run_command(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """Run `python -m session`; return its exit code and output."""
    code = main([str(word) for word in words])
    output = capsys.readouterr()
    assert bool(output.err) <= bool(code)
    return code, output.out + output.err


def put(path: Path, data: bytes, journal: bytes | None = None) -> None:
    path.write_bytes(data)
    if journal is not None:
        journal_path(path).write_bytes(journal)


NOT_FOR_REPAIR: dict[str, tuple[Callable[[Path, SampleFiles], object], str]] = {
    "nothing": (lambda _, __: None, "There is no film at"),
    "a journal alone": (
        lambda path, files: journal_path(path).write_bytes(files.journal),
        "There is no film at",
    ),
    "an empty file": (lambda path, files: put(path, b"", files.journal), "is empty"),
    "zeros": (lambda path, files: put(path, bytes(9000), files.journal), NOT_A_FILM),
    "a text": (lambda path, _: put(path, b"hello\n" * 300), NOT_A_FILM),
    "a journal in the film's place": (lambda path, files: put(path, files.journal), NOT_A_FILM),
    "half an init segment": (
        lambda path, files: put(path, files.film[:700], files.journal),
        NOT_A_FILM,
    ),
    "a folder": (lambda path, _: path.mkdir(), NOT_A_FILE),
    "a pipe": (lambda path, _: os.mkfifo(path), NOT_A_FILE),
    "a device": (lambda path, _: path.symlink_to("/dev/zero"), NOT_A_FILE),
    "a link to nothing": (lambda path, _: path.symlink_to("nowhere"), "There is no film at"),
    "a link to itself": (lambda path, _: path.symlink_to(path), "symbolic links"),
}


@pytest.mark.parametrize("name", NOT_FOR_REPAIR)
def test_a_file_that_is_not_a_film_is_reported_and_unchanged(
    path: Path, files: SampleFiles, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    lay_out, words = NOT_FOR_REPAIR[name]
    lay_out(path, files)
    before = names(path.parent), path.is_file() and path.read_bytes()
    out = path.with_name("out.mp4")
    for command in (["check", path], ["repair", path], ["export", path, out]):
        code, output = run_command(capsys, *command)
        assert code == 1
        assert words in output
    code, output = run_command(capsys, "concat", files.film_path, path, out)
    assert (code, len(output.splitlines())) == (1, 1)
    assert "Errno" not in output
    assert (names(path.parent), path.is_file() and path.read_bytes()) == before


@pytest.mark.parametrize("kind", ["foreign", "export", "joined"])
def test_an_ordinary_mp4_is_checked_and_never_repaired(
    path: Path, files: SampleFiles, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    data: bytes = getattr(files, kind)
    put(path, data)
    assert run_command(capsys, "check", path)[0] == 0
    code, output = run_command(capsys, "repair", path)
    assert code == 1
    assert "is an ordinary MP4" in output
    put(path, data[: len(data) // 2])
    code, output = run_command(capsys, "check", path)
    assert code == 1
    assert ("FAULT" in output) == (kind != "foreign")  # whose index was at its end
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize("has_journal", [True, False])
def test_zeros_of_a_file_system_in_the_last_fragment_are_truncated_and_saved(
    path: Path, files: SampleFiles, capsys: pytest.CaptureFixture[str], has_journal: bool
) -> None:
    """Without a journal only the zeros show the damage: no picture and no packet ends with one."""
    zeros = (len(files.film) - files.last_begin) // 3
    damaged = files.film[:-zeros] + bytes(zeros)
    put(path, damaged, files.journal if has_journal else None)
    code, output = run_command(capsys, "check", path)
    assert code == 1
    assert ("CRC" if has_journal else "ends with zeros") in output
    assert run_command(capsys, "repair", path)[0] == 0
    assert path.read_bytes() == files.film[: files.last_begin]
    kept = path.with_name(f"{path.name}.cut-1").read_bytes()
    assert path.read_bytes() + kept == damaged
    assert run_command(capsys, "check", path)[0] == 0
    assert watch(path).numbers == list(range(14))


def test_a_journal_that_is_a_folder_or_a_pipe_is_not_read(
    path: Path, files: SampleFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    put(path, files.film)
    for make in (os.mkfifo, os.mkdir):
        journal_path(path).unlink(missing_ok=True)
        make(journal_path(path))
        assert "is damaged or belongs to another film" in run_command(capsys, "check", path)[1]
        assert run_command(capsys, "export", path, path.with_name("out.mp4"))[0] == 0
    code, output = run_command(capsys, "repair", path)
    assert code == 1
    assert "Is a directory" in output
    assert path.read_bytes() == files.film


def test_a_film_is_found_through_a_link_with_its_journal(
    path: Path, files: SampleFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(files.film_path, path)
    shutil.copy(journal_path(files.film_path), journal_path(path))
    (path.parent / "below").mkdir()
    link = path.parent / "below" / "link.mp4"
    link.symlink_to(path)
    assert "2 clips, 4 of 4 fragments verified" in run_command(capsys, "check", link)[1]
    assert run_command(capsys, "repair", link)[0] == 0
    assert names(link.parent) == [link.name]


@pytest.mark.parametrize("command", ["export", "concat"])
def test_no_folder_device_or_missing_place_is_written_to(
    path: Path, files: SampleFiles, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    path.mkdir()
    pipe = path / "pipe"
    os.mkfifo(pipe)
    for out, words in (
        (path, "is not a file"),
        (pipe, "is not a file"),
        (path / "none" / "out.mp4", "There is no folder"),
    ):
        code, output = run_command(capsys, command, files.film_path, out)
        assert code == 1
        assert words in output
    assert names(path) == ["pipe"]
    assert pipe.is_fifo()


def test_a_folder_that_is_not_writable_is_named(
    path: Path,
    files: SampleFiles,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Root may write anywhere, so the answer of the system is simulated."""
    put(path, files.film, files.journal)
    monkeypatch.setattr(os, "access", lambda *_: False)
    for command in ("export", "concat"):
        code, output = run_command(capsys, command, path, path.with_name("out.mp4"))
        assert code == 1
        assert f"{path.parent}: The folder is not writable" in output
    assert run_command(capsys, "check", path)[0] == 0


@pytest.mark.parametrize(
    "kind", ["with its journal", "without", "init segment", "joined", "foreign"]
)
def test_flipped_bits_anywhere_never_cause_a_crash_or_the_loss_of_a_byte(
    path: Path, files: SampleFiles, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    chance = random.Random(kind)
    whole = {"joined": files.joined, "foreign": files.foreign}.get(kind, files.film)
    for _ in range(40):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 5, 30])):
            place = chance.randrange(1300 if kind == "init segment" else len(data))
            data[place] ^= 1 << chance.randrange(8)
        put(path, bytes(data), None if kind in ("without", "joined", "foreign") else files.journal)
        code, _ = run_command(capsys, "check", path)
        assert code == 1 or kind != "with its journal"
        assert run_command(capsys, "repair", path)[0] in (0, 1)
        cuts = [each.read_bytes() for each in path.parent.glob("*.cut-1")]
        assert path.read_bytes() + b"".join(cuts) == data
        for each in path.parent.iterdir():
            each.unlink()


@pytest.mark.parametrize("kind", ["film", "joined"])
def test_flipped_bits_never_leave_a_partial_export(
    path: Path, files: SampleFiles, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    chance = random.Random(kind)
    out = path.with_name("out.mp4")
    for _ in range(6):
        data = bytearray(getattr(files, kind))
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        put(path, bytes(data))
        for command in ("export", "concat"):
            code, output = run_command(capsys, command, path, out)
            assert (code == 0) == out.exists()
            assert output
            out.unlink(missing_ok=True)
            assert names(path.parent) == [path.name]
