"""After a crash, a film ends at its last acknowledged fragment."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from session.film import Cue, Fragment
from session.fragmented.boxes import TrackRun, build_fragment, read_fragment
from session.fragmented.check import check_film
from session.fragmented.fragment_log import FragmentLog
from session.fragmented.init_segment import InitSegment, read_init_segment
from session.fragmented.journal import journal_path, read_journal
from session.fragmented.recovery import RecoveryResult, recover, saved_tails
from session.fragmented.writer import FilmWriter
from tests.session.sample_films import SPEC, watch, watch_with_ffmpeg, write

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


def read_runs(film: Path, fragment: Fragment) -> tuple[TrackRun, ...]:
    fd = os.open(film, os.O_RDONLY)
    try:
        head = read_fragment(fd, fragment.offset, fragment.end)
    finally:
        os.close(fd)
    assert head is not None
    return head.runs


class Crashed:
    """Finished film, and a folder in which copies of it are damaged and recovered."""

    def __init__(self, folder: Path) -> None:
        self.film = folder / "film.mp4"
        self.copy = folder / "copy.mp4"
        with FilmWriter.create(self.film, SPEC) as film:
            for text, counts in (("one", [1, 2]), ("two", [2, 1, 1])):
                clip = film.begin(text)
                cue = Cue(text=text, first_frame=film.committed.frames, frames=sum(counts))
                for index, count in enumerate(counts):
                    write(clip, film.committed.frames, count, cues=[] if index else [cue])
                clip.finish()
            self.fragments: list[Fragment] = film.fragments_since(0)
        self.data = self.film.read_bytes()
        self.journal = journal_path(self.film).read_bytes()
        first = self.fragments[0]
        (size,) = next(run.sizes for run in read_runs(self.film, first) if run.track == 1)
        begin = self.data.index(b"mdat", first.offset) + 4
        self.picture = self.data[begin : begin + size]

    def lay_out(self, data: bytes, journal: bytes | None) -> None:
        for path in (self.copy, journal_path(self.copy)):
            path.unlink(missing_ok=True)  # ext4 syncs a file that is overwritten
        self.copy.write_bytes(data)
        if journal is not None:
            journal_path(self.copy).write_bytes(journal)

    def recover(self, data: bytes, journal: bytes | None) -> RecoveryResult:
        """Recover these files, and assert that film and journal agree."""
        self.lay_out(data, journal)
        fd = os.open(self.copy, os.O_RDWR)
        try:
            init_segment: InitSegment = read_init_segment(fd)
            recovered = recover(fd, self.copy, init_segment)
        finally:
            os.close(fd)
        again = read_journal(journal_path(self.copy), init_segment.film_id)
        assert again is not None
        assert (again.lines, again.is_torn) == (recovered.entries, False)
        return recovered

    def whole_before(self, size: int) -> int:
        """Return the end of the last fragment that is complete in the first `size` bytes."""
        return max([self.fragments[0].offset] + [f.end for f in self.fragments if f.end <= size])


@pytest.fixture
def crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crashed:
    made = Crashed(tmp_path)
    for name in (
        "fsync",
        "posix_fadvise",
    ):  # thousands of calls; the test with kill -9 has real ones
        monkeypatch.setattr(os, name, lambda *_: None)
    return made


def sizes_from(crashed: Crashed, fragment: int) -> Iterator[int]:
    return iter(range(crashed.fragments[fragment].offset, len(crashed.data)))


@pytest.mark.parametrize("has_journal", [True, False])
def test_a_film_cut_at_any_byte_ends_at_the_last_complete_fragment_and_can_be_continued(
    crashed: Crashed, has_journal: bool
) -> None:
    for size in sizes_from(crashed, -2):
        crashed.lay_out(crashed.data[:size], crashed.journal if has_journal else None)
        fragment_log = FragmentLog(crashed.copy)
        kept = crashed.copy.read_bytes()
        assert kept == crashed.data[: crashed.whole_before(size)]
        assert len(kept) == fragment_log.committed().bytes
        assert fragment_log.recovered.journal_was_lost is not has_journal
        append_one(fragment_log, crashed)
        fragment_log.close()
        assert crashed.copy.read_bytes().startswith(kept)
        checked = check_film(crashed.copy)
        assert (checked.faults, checked.frames) == ([], fragment_log.totals[0])
        for tail in saved_tails(crashed.copy):  # the search for a free name takes them in turn
            tail.unlink()


def append_one(fragment_log: FragmentLog, crashed: Crashed) -> None:
    """Append one more picture, a copy of the film's first one, and its sound."""
    frames, samples = fragment_log.totals
    packets = max(0, ((frames + 1) * SPEC.samples_per_frame - samples) // 1024 - 1)
    data = build_fragment(
        fragment_log.sequence,
        pictures=[crashed.picture],
        sound=[b"\1" * 20] * packets,
        starts=(frames * 512, samples),
    )
    fragment_log.append(data, frames=1, samples=1024 * packets, text="on")


def test_a_fragment_that_was_never_journaled_does_not_count(crashed: Crashed) -> None:
    *lines, _ = crashed.journal.splitlines(keepends=True)
    recovered = crashed.recover(crashed.data, b"".join(lines))
    last = crashed.fragments[-1]
    assert crashed.copy.read_bytes() == crashed.data[: last.offset]
    assert recovered.cut_bytes == last.end - last.offset
    assert not recovered.journal_was_lost


def test_a_journal_cut_at_any_byte_never_loses_more_than_the_unfinished_fragment(
    crashed: Crashed,
) -> None:
    for size in range(len(crashed.journal)):
        crashed.recover(crashed.data, crashed.journal[:size])
        assert crashed.copy.stat().st_size >= crashed.fragments[-1].offset


def test_a_journal_without_a_valid_line_is_recreated_from_the_film(
    crashed: Crashed,
) -> None:
    for journal in (b"", b"\n\n", bytes(500), crashed.journal.replace(b'"sum": "', b'"sum": "x')):
        damaged = b"?" + journal[1:]
        assert crashed.recover(crashed.data, damaged).journal_was_lost
        assert crashed.copy.read_bytes() == crashed.data


def test_the_journal_of_another_film_is_not_used(crashed: Crashed, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    with FilmWriter.create(other, SPEC) as film:
        write(film.begin("elsewhere"), 0, 1)
    crashed.recover(crashed.data, journal_path(other).read_bytes())
    assert crashed.copy.read_bytes() == crashed.data


@pytest.mark.parametrize("rubbish", [b"\0", b"\0" * 5000, b"\0\0\0\x08moof", b"moof" * 2000])
def test_garbage_after_the_film_is_truncated_with_and_without_journal(
    crashed: Crashed, rubbish: bytes
) -> None:
    for journal in (crashed.journal, None):
        recovered = crashed.recover(crashed.data + rubbish, journal)
        assert crashed.copy.read_bytes() == crashed.data
        assert recovered.cut_bytes == len(rubbish)


def test_a_last_fragment_that_the_disk_lost_is_dropped(crashed: Crashed) -> None:
    last = crashed.fragments[-1]
    zeroed = crashed.data[: last.end - 300] + bytes(300)
    crashed.recover(zeroed, crashed.journal)
    assert crashed.copy.read_bytes() == crashed.data[: last.offset]


def test_fragments_that_do_not_continue_the_one_before_do_not_count(crashed: Crashed) -> None:
    second, third = crashed.fragments[1:3]
    skipped = crashed.data[: second.offset] + crashed.data[third.offset :]
    recovered = crashed.recover(skipped, None)
    assert crashed.copy.read_bytes() == crashed.data[: second.offset]
    assert recovered.kept is not None  # its content is unknown
    assert recovered.kept.read_bytes() == crashed.data[third.offset :]


def test_only_bytes_that_may_have_been_acknowledged_are_saved_when_they_are_truncated(
    crashed: Crashed,
) -> None:
    torn = crashed.data + b"of an unfinished fragment"
    assert crashed.recover(torn, crashed.journal).kept is None
    assert crashed.recover(torn, crashed.journal + b'{"end": 12').kept is None
    *lines, last = crashed.journal.splitlines(keepends=True)
    garbled = b"".join(lines) + bytes(len(last) - 1) + b"\n"
    recovered = crashed.recover(crashed.data, garbled)
    end = crashed.fragments[-1].offset
    assert crashed.copy.read_bytes() == crashed.data[:end]
    assert not recovered.journal_was_lost
    assert recovered.kept is not None
    assert recovered.kept.read_bytes() == crashed.data[end:]


def test_a_valid_film_is_not_written_to(crashed: Crashed) -> None:
    crashed.film.chmod(0o644)
    before = (crashed.film.stat().st_mtime_ns, journal_path(crashed.film).stat().st_ino)
    FilmWriter.open(crashed.film).close()
    assert (crashed.film.stat().st_mtime_ns, journal_path(crashed.film).stat().st_ino) == before


def test_a_recovered_film_can_be_continued_and_plays(crashed: Crashed) -> None:
    shutil.copy(journal_path(crashed.film), journal_path(crashed.copy))
    torn = crashed.data[: crashed.fragments[-1].end - 1]
    crashed.copy.write_bytes(torn)
    for _ in range(2):
        with FilmWriter.open(crashed.copy) as film:
            frames = film.committed.frames
            write(film.begin("on"), frames, 3)
    shown = watch(crashed.copy)
    assert shown.numbers == list(range(6 + 6))
    assert shown.sample_starts == [1024 * index for index in range(len(shown.sample_starts))]
    assert watch_with_ffmpeg(crashed.copy)[0] == shown.numbers
    with FilmWriter.open(crashed.copy) as film:
        assert [clip.text for clip in film.committed.clips] == ["one", "two", "on", "on"]


def test_a_film_whose_journal_was_lost_keeps_its_pictures_but_not_its_texts(
    crashed: Crashed,
) -> None:
    crashed.copy.write_bytes(crashed.data)
    with FilmWriter.open(crashed.copy) as film:
        assert film.committed.frames == 7
        assert film.committed.clips == ()
        write(film.begin("new"), 7, 1)
    assert watch(crashed.copy).numbers == list(range(8))


_WRITER = """
import sys, pathlib
sys.path.insert(0, sys.argv[2])
from tests.session.sample_films import write
from session.fragmented.writer import FilmWriter
film = FilmWriter.open(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
while True:
    clip = film.begin("clip")
    for count in (1, 2, 3):
        fragment = write(clip, film.committed.frames, count)
        print(fragment.end, flush=True)
    clip.finish()
"""


def test_kill_9_at_random_moments_never_loses_an_acknowledged_fragment(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    FilmWriter.create(film, SPEC).close()
    chance = random.Random(5)
    known = b""
    for _ in range(6):
        acknowledged = _run_and_kill(film, after_lines=chance.randint(1, 25))
        with FilmWriter.open(film) as opened:
            data = film.read_bytes()
            assert data.startswith(known)
            assert len(data) == opened.committed.bytes >= acknowledged
            known = data
    shown = watch(film)
    assert shown.numbers == list(range(len(shown.numbers)))
    assert shown.sample_starts == [1024 * index for index in range(len(shown.sample_starts))]


def _run_and_kill(film: Path, after_lines: int) -> int:
    """Run a writer, kill it, and return the last end that it acknowledged."""
    command = [sys.executable, "-c", _WRITER, str(film), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(after_lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
    return int(rest[-1]) if rest else 0


def test_a_journal_line_has_the_end_of_the_film(crashed: Crashed) -> None:
    _, *lines = crashed.journal.splitlines()
    parsed = [json.loads(line) for line in lines]
    assert [line["end"] for line in parsed] == [fragment.end for fragment in crashed.fragments]
    assert [line["frames"] for line in parsed] == [1, 3, 5, 6, 7]
    assert [line.get("text") for line in parsed] == ["one", None, "two", None, None]
