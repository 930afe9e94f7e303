"""Faults of a film are found and named, and a torn film is repaired."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from session.__main__ import main
from session.errors import FilmBusyError, FilmDamagedError, FilmMissingError
from session.film import Fragment
from session.fragmented.check import check_film, repair_film
from session.fragmented.journal import journal_path
from session.fragmented.writer import FilmWriter
from tests.session.sample_films import SPEC, watch, watch_with_ffmpeg, write


class Made:
    """A film of five fragments and two clips."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with FilmWriter.create(path, SPEC) as film:
            for counts in ([2, 4], [1, 8, 12]):
                clip = film.begin("a clip")
                for count in counts:
                    write(clip, film.committed.frames, count)
                clip.finish()
            self.fragments: list[Fragment] = film.fragments_since(0)
        self.data = path.read_bytes()

    def turn(self, offset: int, bit: int = 1) -> None:
        turned = bytearray(self.data)
        turned[offset] ^= bit
        self.path.write_bytes(turned)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "film.mp4")


def test_a_valid_film_has_no_faults_and_is_left_alone(made: Made) -> None:
    checked = check_film(made.path)
    assert checked.faults == []
    assert (checked.fragments, checked.frames, checked.clips, checked.checksums) == (5, 27, 2, 5)
    assert checked.end == len(made.data)
    assert made.path.read_bytes() == made.data


def test_a_film_continued_after_a_crash_is_valid(made: Made) -> None:
    os.truncate(made.path, made.fragments[-1].end - 1)
    with FilmWriter.open(made.path) as film:
        write(film.begin("and on"), 15, 5)
    assert check_film(made.path).faults == []


def test_with_the_journal_every_flipped_bit_is_found(made: Made) -> None:
    begin, end = made.fragments[1].offset, made.fragments[3].end
    for offset in range(begin, end, 37):
        made.turn(offset, 1 << offset % 8)
        assert check_film(made.path).faults, f"byte {offset}"


def test_a_film_without_journal_is_checked_by_its_boxes_and_units(made: Made) -> None:
    journal_path(made.path).unlink()
    assert check_film(made.path).faults == []
    moof = made.fragments[2].offset
    key_unit = made.data.index(b"mdat", moof) + 4
    made.turn(key_unit + 3)
    assert [f for f in check_film(made.path).faults if "its picture 0 is damaged" in f]
    made.turn(moof + 23)
    assert "sequence number is 2 instead of 3" in check_film(made.path).faults[0]


def test_a_fragment_that_begins_without_a_key_frame_is_named(made: Made) -> None:
    journal_path(made.path).unlink()
    fragment = made.fragments[2]
    payload = made.data.index(b"mdat", fragment.offset) + 4
    data = bytearray(made.data)
    position = payload
    while data[position + 4] & 0x1F != 5:  # over the units before the slice
        position += 4 + int.from_bytes(data[position : position + 4], "big")
    data[position + 4] = data[position + 4] & ~0x1F | 1
    made.path.write_bytes(data)
    assert "Fragment 3" in check_film(made.path).faults[0]
    assert "does not begin with a key frame" in check_film(made.path).faults[0]


def test_fragments_out_of_order_break_the_clocks(made: Made) -> None:
    first, second = made.fragments[0], made.fragments[1]
    parts = [made.data[: first.offset], made.data[second.offset : second.end],
             made.data[first.offset : first.end], made.data[second.end :]]  # fmt: skip
    made.path.write_bytes(b"".join(parts))
    faults = " ".join(check_film(made.path).faults)
    assert "video begins at tick 1024 instead of 0" in faults
    assert "sequence number is 2 instead of 1" in faults
    assert "CRC" in faults or "another end" in faults


def test_a_torn_end_and_a_torn_journal_are_found(made: Made) -> None:
    os.truncate(made.path, len(made.data) - 10)
    faults = check_film(made.path).faults
    assert f"Byte {made.fragments[-1].offset}: no complete fragment begins here" in faults[0]
    assert "lists 1 fragments that the film lacks" in faults[1]
    made.path.write_bytes(made.data)
    journal = journal_path(made.path)
    os.truncate(journal, journal.stat().st_size - 3)
    faults = check_film(made.path).faults
    assert faults == [
        "The journal's last line is torn.",
        "The last 1 fragments are not in the journal.",
    ]
    journal.write_bytes(b"{}\n")
    assert "is damaged or belongs to another film" in check_film(made.path).faults[0]


def test_a_growing_film_is_checked_up_to_what_it_committed(made: Made) -> None:
    with FilmWriter.open(made.path):
        with made.path.open("ab") as file:
            file.write(b"\0\0\4\0moof of an unfinished fragment")
        checked = check_film(made.path)
        assert (checked.is_growing, checked.faults, checked.frames) == (True, [], 27)


@pytest.mark.parametrize("has_journal", [True, False])
def test_a_torn_film_is_repaired_and_the_truncated_bytes_are_saved(
    made: Made, has_journal: bool
) -> None:
    last = made.fragments[-1]
    os.truncate(made.path, last.end - 10)
    if not has_journal:
        journal_path(made.path).unlink()
    repaired = repair_film(made.path)
    assert repaired.frames == 15
    assert repaired.journal_was_lost is not has_journal
    assert made.path.read_bytes() == made.data[: last.offset]
    assert repaired.kept is not None
    assert repaired.kept.read_bytes() == made.data[last.offset : last.end - 10]
    assert repaired.cut_bytes == len(repaired.kept.read_bytes())
    assert check_film(made.path).faults == []
    assert watch(made.path).numbers == watch_with_ffmpeg(made.path)[0] == list(range(15))


@pytest.mark.parametrize("place", ["moof", "mdat"])
@pytest.mark.parametrize("has_journal", [True, False])
def test_a_film_torn_in_a_moof_or_in_an_mdat_plays_again_in_both_decoders(
    made: Made, place: str, has_journal: bool
) -> None:
    last = made.fragments[-1]
    os.truncate(made.path, made.data.index(place.encode(), last.offset) + 12)
    if not has_journal:
        journal_path(made.path).unlink()
    assert f"Byte {last.offset}: no complete fragment" in " ".join(check_film(made.path).faults)
    repair_film(made.path)
    assert check_film(made.path).faults == []
    shown, (numbers, samples) = watch(made.path), watch_with_ffmpeg(made.path)
    assert shown.numbers == numbers == list(range(15))
    assert shown.picture_ticks == [512 * index for index in range(15)]
    assert shown.sample_starts == [1024 * index for index in range(len(shown.sample_starts))]
    assert len(samples) == len(shown.samples)


@pytest.mark.parametrize("has_journal", [True, False])
def test_damage_in_the_middle_is_reported_and_no_byte_is_lost(
    made: Made, has_journal: bool
) -> None:
    """With its journal the film stays as it is; without one it is truncated, and the rest saved."""
    third = made.fragments[2]
    made.turn(third.offset + 6)  # the name of the moof
    damaged = made.path.read_bytes()
    if not has_journal:
        journal_path(made.path).unlink()
    faults = " ".join(check_film(made.path).faults)
    assert f"Byte {third.offset}: no complete fragment begins here" in faults
    repaired = repair_film(made.path)
    if has_journal:
        assert (repaired.kept, made.path.read_bytes()) == (None, damaged)
        assert check_film(made.path).faults
        return
    assert repaired.kept is not None
    assert made.path.read_bytes() + repaired.kept.read_bytes() == damaged
    assert check_film(made.path).faults == []
    assert watch(made.path).numbers == list(range(6))


def test_repairing_twice_saves_the_truncated_bytes_both_times(made: Made) -> None:
    for number in (1, 2):
        with made.path.open("ab") as file:
            file.write(b"x" * number)
        repair_film(made.path)
    kept = sorted(made.path.parent.glob("*.cut-*"))
    assert [path.read_bytes() for path in kept] == [b"x", b"xx"]
    assert made.path.read_bytes() == made.data


def test_a_valid_film_is_not_written_to(made: Made) -> None:
    before = made.path.stat().st_mtime_ns, journal_path(made.path).read_bytes()
    repaired = repair_film(made.path)
    assert (repaired.cut_bytes, repaired.kept, repaired.frames) == (0, None, 27)
    assert (made.path.stat().st_mtime_ns, journal_path(made.path).read_bytes()) == before


def test_a_film_that_a_writer_has_open_is_not_repaired(made: Made) -> None:
    with FilmWriter.open(made.path), pytest.raises(FilmBusyError, match="Another writer"):
        repair_film(made.path)


def test_a_file_that_is_not_a_film_is_neither_checked_nor_repaired(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("no film")
    for work in (check_film, repair_film):
        with pytest.raises(FilmDamagedError):
            work(other)
        with pytest.raises(FilmMissingError):
            work(tmp_path / "missing.mp4")
    assert other.read_text() == "no film"


def test_the_command_line_reports_and_sets_its_exit_code(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    name = str(made.path)
    assert main(["check", name]) == 0
    assert "27 pictures, 1.080 s" in capsys.readouterr().out
    os.truncate(made.path, len(made.data) - 10)
    assert main(["check", name]) == 1
    assert "FAULT    Byte" in capsys.readouterr().out
    assert main(["repair", name]) == 0
    assert "cut" in capsys.readouterr().out
    out = made.path.with_name("out.mp4")
    assert main(["export", name, str(out)]) == 0
    assert "15 pictures, 0.600 s" in capsys.readouterr().out
    assert watch(out).numbers == list(range(15))
    assert main(["export", name, name]) == 1
    assert "another path" in capsys.readouterr().err


def test_the_module_runs_as_a_program(made: Made) -> None:
    command = [sys.executable, "-W", "error", "-m", "session", "check", str(made.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("sound\n")
