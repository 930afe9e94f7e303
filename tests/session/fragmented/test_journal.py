"""Damaged journals are detected, reported, and repaired from the film without losing other
lines."""

import json
import logging
import re
import shutil
from pathlib import Path

import pytest

from session.__main__ import main
from session.film import Cue
from session.fragmented.check import check_film
from session.fragmented.fragment_log import FragmentLog
from session.fragmented.journal import JournalEntry, journal_path, read_journal
from session.fragmented.writer import FilmWriter
from tests.session.sample_films import SPEC, watch, write

TEXTS = ["one", "zwei — „drei“", "three", "four"]


class Kept:
    """Film of four clips and eight fragments, and copies of it with other journals."""

    def __init__(self, folder: Path) -> None:
        self.film, self.copy = folder / "film.mp4", folder / "copy.mp4"
        with FilmWriter.create(self.film, SPEC) as film:
            for text in TEXTS:
                clip = film.begin(text)
                for counts in (1, 2):
                    first = film.committed.frames
                    cue = Cue(text=text, first_frame=first, frames=counts)
                    write(clip, first, counts, cues=[cue])
                clip.finish()
            self.film_id = film.film_id
        self.journal = journal_path(self.film).read_bytes()
        self.lines = self.journal.splitlines(keepends=True)
        self.entries = self.entries_of(self.film)

    def entries_of(self, film: Path) -> list[JournalEntry]:
        found = read_journal(journal_path(film), self.film_id)
        assert found is not None
        return [line for line in found.lines if isinstance(line, JournalEntry)]

    def with_journal(self, journal: bytes) -> Path:
        for path in (self.copy, journal_path(self.copy)):
            path.unlink(missing_ok=True)
        shutil.copy(self.film, self.copy)
        journal_path(self.copy).write_bytes(journal)
        return self.copy

    def reopened(self, journal: bytes) -> FragmentLog:
        fragment_log = FragmentLog(self.with_journal(journal))
        fragment_log.close()
        kept = fragment_log.recovered.kept
        whole = self.copy.read_bytes() + (kept.read_bytes() if kept else b"")
        assert whole == self.film.read_bytes()
        return fragment_log


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    made = Kept(tmp_path)
    for name in ("os.fsync", "os.posix_fadvise"):
        monkeypatch.setattr(name, lambda *_: None)
    return made


def without_sums(journal: bytes) -> bytes:
    """Return a journal of the older format, whose lines have no checksums."""
    return re.sub(rb', "sum": "[0-9a-f]{8}"', b"", journal)


def turned(journal: bytes, position: int, to: bytes) -> bytes:
    return journal[:position] + to + journal[position + 1 :]


def test_each_line_is_json_and_ends_with_its_checksum(kept: Kept) -> None:
    _, *lines = map(json.loads, kept.lines)
    assert [line.get("text") for line in lines[::2]] == TEXTS
    assert all(re.fullmatch("[0-9a-f]{8}", line["sum"]) for line in lines)
    assert len({line["sum"] for line in lines}) == len(lines)


def test_a_changed_digit_anywhere_is_detected_and_the_line_is_restored(
    kept: Kept,
) -> None:
    """The film gives the numbers; the line's own checksum proves the rest."""
    for match in re.finditer(rb'^\{"end".*?"samples": \d+', kept.journal, re.MULTILINE):
        digits = [each.start() for each in re.finditer(rb"\d", match[0])]
        for position in (match.start() + digit for digit in digits):
            digit = b"%d" % ((kept.journal[position] - 48 + 3) % 10)
            damaged = turned(kept.journal, position, digit)
            fragment_log = kept.reopened(damaged)
            number = kept.journal[:position].count(b"\n") + 1
            assert (
                fragment_log.recovered.journal_repair.lines,
                fragment_log.recovered.journal_repair.unproven,
            ) == ([number], 0)
            assert fragment_log.recovered.entries == kept.entries
            assert journal_path(kept.copy).read_bytes() == kept.journal


def test_a_changed_byte_anywhere_loses_no_text_of_another_line_and_no_byte_of_the_film(
    kept: Kept,
) -> None:
    """Except the last line end, without which the last line is torn and never counted."""
    ends = [match.start() for match in re.finditer(rb"\n", kept.journal)][:-1]
    for position in sorted({*range(0, len(kept.journal) - 1, 7), *ends}):
        damaged = turned(
            kept.journal, position, bytes([kept.journal[position] ^ 1 << position % 8])
        )
        fragment_log = kept.reopened(damaged)
        texts = [entry.text for entry in fragment_log.recovered.entries if entry.text in TEXTS]
        assert len(texts) >= len(TEXTS) - 1
        assert [text for text in TEXTS if text in texts] == texts
        if position not in ends:  # otherwise two lines became one
            ends_now = [entry.end for entry in fragment_log.recovered.entries]
            assert ends_now == [entry.end for entry in kept.entries]
            assert not fragment_log.recovered.journal_was_lost


def test_a_line_with_one_inverted_bit_is_restored_as_it_was(kept: Kept) -> None:
    position = kept.journal.index(b'"three"') + 1
    fragment_log = kept.reopened(turned(kept.journal, position, b"T"))
    assert [clip.text for clip in fragment_log.committed().clips] == TEXTS
    assert fragment_log.recovered.journal_repair.lines == [6]
    assert fragment_log.recovered.journal_repair.unproven == 0
    assert fragment_log.damage == ()


def test_changed_letters_are_kept_reported_and_counted_as_unproven(kept: Kept) -> None:
    position = kept.journal.index(b'"three"') + 1
    fragment_log = kept.reopened(turned(kept.journal, position, b"TRH"))
    assert fragment_log.committed().clips[2].text == "TRHhree"
    assert fragment_log.recovered.journal_repair.unproven == 1
    assert "lines whose text may be wrong or missing: 1" in str(
        fragment_log.recovered.journal_repair
    )
    assert "text may be wrong" in fragment_log.damage[0]
    assert check_film(kept.copy).faults == []


@pytest.mark.parametrize("name", [b', "cues": ', b', "sum": '])
def test_a_last_line_with_the_right_totals_counts_although_its_rest_is_damaged(
    kept: Kept, name: bytes
) -> None:
    fragment_log = kept.reopened(turned(kept.journal, kept.journal.rindex(name), b";"))
    assert fragment_log.recovered.journal_repair.lines == [9]
    assert [clip.text for clip in fragment_log.committed().clips] == TEXTS
    assert check_film(kept.copy).checksums == 8


def test_an_unprovable_last_line_loses_its_fragment_which_is_saved(kept: Kept) -> None:
    damaged = b"".join(kept.lines[:-1]) + bytes(len(kept.lines[-1]) - 1) + b"\n"
    fragment_log = FragmentLog(kept.with_journal(damaged))
    fragment_log.close()
    assert fragment_log.recovered.kept is not None
    whole = kept.copy.read_bytes() + fragment_log.recovered.kept.read_bytes()
    assert whole == kept.film.read_bytes()


def test_lines_of_zeros_are_restored_without_their_texts(kept: Kept) -> None:
    """A disk that lost a sector leaves such lines."""
    begin = len(b"".join(kept.lines[:3])) + 5
    end = len(b"".join(kept.lines[:6])) - 5
    damaged = kept.journal[:begin] + bytes(end - begin) + kept.journal[end:]
    fragment_log = kept.reopened(damaged)
    assert [clip.text for clip in fragment_log.committed().clips] == ["one", "four"]
    assert [entry.end for entry in fragment_log.recovered.entries] == [e.end for e in kept.entries]
    assert check_film(kept.copy).faults == []
    assert watch(kept.copy).numbers == list(range(12))


@pytest.mark.parametrize("rubbish", [b"\n", b"{}\n", b'{"end": 1}\n', b"\0" * 50 + b"\n"])
def test_a_line_without_a_fragment_is_left_out(kept: Kept, rubbish: bytes) -> None:
    damaged = b"".join([*kept.lines[:4], rubbish, *kept.lines[4:]])
    fragment_log = kept.reopened(damaged)
    assert fragment_log.recovered.entries == kept.entries
    assert journal_path(kept.copy).read_bytes() == kept.journal


def test_an_unreadable_first_line_is_recreated(kept: Kept) -> None:
    damaged = b"?" + kept.journal[1:]
    checked = check_film(kept.with_journal(damaged))
    assert checked.faults == ["The journal's first line is damaged."]
    assert not kept.reopened(damaged).recovered.journal_was_lost
    assert journal_path(kept.copy).read_bytes() == kept.journal


def test_a_journal_without_checksums_is_read_and_continued_with_them(kept: Kept) -> None:
    old = without_sums(kept.journal)
    assert len(old) < len(kept.journal)
    film = FilmWriter.open(kept.with_journal(old))
    write(film.begin("five"), 12, 3)
    film.close()
    assert journal_path(kept.copy).read_bytes().startswith(old)
    assert [clip.text for clip in film.committed.clips] == [*TEXTS, "five"]
    assert check_film(kept.copy).faults == []
    with FilmWriter.open(kept.copy) as again:
        assert again.committed == film.committed
    assert watch(kept.copy).numbers == list(range(15))


def test_an_unreadable_line_without_checksum_loses_no_other_text(kept: Kept) -> None:
    lines = without_sums(kept.journal).splitlines(keepends=True)
    lines[3] = b"?" + lines[3][1:]
    fragment_log = kept.reopened(b"".join(lines))
    assert [clip.text for clip in fragment_log.committed().clips] == TEXTS
    assert fragment_log.recovered.journal_repair.lines == [4]


def test_a_line_whose_totals_are_not_integers_is_damaged(kept: Kept) -> None:
    lines = without_sums(kept.journal).splitlines(keepends=True)
    lines[4] = re.sub(rb'"end": (\d)', rb'"end": \1e', lines[4])
    assert kept.reopened(b"".join(lines)).recovered.entries[3].end == kept.entries[3].end


def test_a_damaged_line_of_a_damaged_fragment_loses_no_byte(kept: Kept) -> None:
    """No intact fragment leads past this place, so the film ends there, and the rest is saved."""
    whole = kept.film.read_bytes()
    third = kept.entries[1].end
    kept.with_journal(kept.journal.replace(b'"frames": 4', b'"frames": 5'))
    kept.copy.write_bytes(turned(whole, third + 6, b"X"))
    fragment_log = FragmentLog(kept.copy)
    fragment_log.close()
    assert fragment_log.recovered.journal_was_lost
    assert fragment_log.recovered.kept is not None
    assert kept.copy.read_bytes() == whole[:third]
    assert len(fragment_log.recovered.kept.read_bytes()) == len(whole) - third


def test_a_repair_is_reported_in_the_log_and_on_the_command_line(
    kept: Kept, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = kept.journal.replace(b'"frames": 4', b'"frames": 5')
    name = str(kept.with_journal(damaged))
    assert main(["check", name]) == 1
    assert "Line 4 of the journal is damaged." in capsys.readouterr().out
    assert main(["repair", name]) == 0
    assert "repaired line 4 of the journal; the result is identical" in capsys.readouterr().out
    assert main(["check", name]) == 0
    kept.with_journal(damaged)
    with caplog.at_level(logging.WARNING):
        FilmWriter.open(kept.copy).close()
    assert "repaired line 4 of the journal; the result is identical" in caplog.text
