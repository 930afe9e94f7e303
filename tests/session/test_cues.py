"""Each sentence of a film has the frames on which it is heard, even if it is interrupted."""

import json
import os
import re
from pathlib import Path

import pytest

from session.film import UNKNOWN_FRAMES, Cue
from session.fragmented.check import check_film, repair_film
from session.fragmented.journal import journal_path
from session.fragmented.writer import FilmWriter
from tests.session.sample_films import SPEC, write


def cue(text: str, first_frame: int, frames: int) -> Cue:
    return Cue(text=text, first_frame=first_frame, frames=frames)


ONE, TWO = cue("One.", 0, 5), cue("Two?", 5, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Film of one clip: two sentences, and three silent frames."""
    path = tmp_path / "film.mp4"
    with FilmWriter.create(path, SPEC) as film:
        clip = film.begin("One. Two?")
        write(clip, 0, 2, cues=[ONE])
        write(clip, 2, 6, cues=[TWO])
        write(clip, 8, 4)
        clip.finish()
    return path


def test_a_cue_without_a_planned_end_ends_with_the_next_one_or_the_film(tmp_path: Path) -> None:
    path = tmp_path / "recording.mp4"
    with FilmWriter.create(path, SPEC) as film:
        clip = film.begin("Said.")
        write(clip, 0, 3, cues=[cue("Said.", 0, UNKNOWN_FRAMES)])
        assert film.cues() == [cue("Said.", 0, 3)]
        write(clip, 3, 4)
        write(clip, 7, 2, cues=[cue("", 7, 2)])
        clip.finish()
        broken = film.begin("Cut.")
        write(broken, 9, 3, cues=[cue("Cut.", 9, UNKNOWN_FRAMES)])
        broken.finish()
        assert [each.is_whole for each in film.committed.clips] == [True, False]
    assert cues_of(path) == [cue("Said.", 0, 7), cue("", 7, 2), cue("Cut.", 9, 3)]


def cues_of(path: Path) -> list[Cue]:
    with FilmWriter.open(path) as film:
        return film.cues()


def test_sentences_keep_their_exact_frames_when_the_film_is_opened_again(path: Path) -> None:
    assert cues_of(path) == [ONE, TWO]
    with FilmWriter.open(path) as film:
        clip = film.begin("Three.")
        write(clip, 12, 3, cues=[cue("Three.", 12, 2)])
        clip.finish()
    assert cues_of(path) == [ONE, TWO, cue("Three.", 12, 2)]
    assert check_film(path).faults == []


def test_a_sentence_grows_with_the_film_and_never_past_its_end(tmp_path: Path) -> None:
    with FilmWriter.create(tmp_path / "film.mp4", SPEC) as film:
        clip = film.begin("Long. Short.")
        assert film.cues() == []
        write(clip, 0, 2, cues=[cue("Long.", 0, 5)])
        assert film.cues() == [cue("Long.", 0, 2)]
        write(clip, 2, 4, cues=[cue("Short.", 5, 9)])
        assert film.cues() == [cue("Long.", 0, 5), cue("Short.", 5, 1)]


def test_an_interrupted_sentence_ends_with_its_clip_even_if_the_film_continues(
    tmp_path: Path,
) -> None:
    path = tmp_path / "film.mp4"
    with FilmWriter.create(path, SPEC) as film:
        clip = film.begin("interrupted")
        write(clip, 0, 2, cues=[cue("interrupted", 0, 50)])
        clip.abandon()
        write(film.begin("and on"), 2, 3, cues=[cue("and on", 2, 3)])
        expected = [cue("interrupted", 0, 2), cue("and on", 2, 3)]
        assert film.cues() == expected
    assert cues_of(path) == expected


def test_a_clip_written_without_sentences_is_one_cue_once_it_is_finished(tmp_path: Path) -> None:
    with FilmWriter.create(tmp_path / "film.mp4", SPEC) as film:
        clip = film.begin("All of it. At once.")
        write(clip, 0, 2)
        assert film.cues() == []
        clip.finish()
        assert film.cues() == [cue("All of it. At once.", 0, 2)]


def test_a_journal_of_the_older_format_without_sentences_is_read(path: Path) -> None:
    lines = [json.loads(line) for line in journal_path(path).read_bytes().splitlines()]
    for line in lines:
        line.pop("cues", None)
    journal_path(path).write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    assert cues_of(path) == [cue("One. Two?", 0, 12)]


def test_a_torn_film_keeps_the_part_of_a_sentence_that_was_committed(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)
    os.truncate(journal_path(path), journal_path(path).stat().st_size - 1)
    assert repair_film(path).frames == 8
    assert cues_of(path) == [ONE, cue("Two?", 5, 3)]


def test_a_film_without_its_journal_has_no_cues(path: Path) -> None:
    journal_path(path).unlink()
    assert cues_of(path) == []


def test_sentences_move_with_the_film(path: Path) -> None:
    archive = path.with_name("archive.mp4")
    FilmWriter.open(path).move(archive)
    assert cues_of(archive) == [ONE, TWO]


@pytest.mark.parametrize("wrong", [cue("early", -1, 3), cue("late", 2, 3), cue("never", 0, 0)])
def test_a_cue_that_does_not_begin_on_its_pictures_is_refused(tmp_path: Path, wrong: Cue) -> None:
    with FilmWriter.create(tmp_path / "film.mp4", SPEC) as film:
        clip = film.begin("text")
        with pytest.raises(ValueError, match="must begin on these pictures, 0 to 1"):
            write(clip, 0, 2, cues=[wrong])
        write(clip, 0, 2, cues=[cue("right", 1, 3)])
        clip.finish()
        assert film.cues() == [cue("right", 1, 1)]


def test_check_finds_a_sentence_on_the_wrong_line(path: Path) -> None:
    journal = journal_path(path)
    text = re.sub(', "sum": "[^"]*"', "", journal.read_text("utf-8"))  # older format
    journal.write_text(text.replace('"first_frame": 5', '"first_frame": 9'))
    assert ["a cue of its journal line" in fault for fault in check_film(path).faults] == [True]
