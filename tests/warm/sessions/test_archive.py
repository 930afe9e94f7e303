"""Archived films: which ones are kept, and which are deleted."""

from pathlib import Path

import pytest

from warm.sessions.archive import Archive, UnknownArchive
from warm.sessions.trash import Trash

FILM_ID = "0" * 32


def test_archives_added_while_the_clock_runs_backwards_are_not_dropped(results: Path) -> None:
    archive = Archive(results, 2, Trash(results))
    folder = results / "archive" / "bob"
    folder.mkdir(parents=True)
    for year in ("2098", "2099"):
        (folder / f"{year}0101T000000Z-{'f' * 32}.mp4").touch()
    name = archive.add("bob", FILM_ID, lambda path: path.touch())
    archive.drop_oldest(but=name)
    assert {film.name for film in archive.all()} == {name, f"20990101T000000Z-{'f' * 32}.mp4"}


def test_foreign_files_in_the_archive_are_left_alone(results: Path) -> None:
    archive = Archive(results, 1, Trash(results))
    foreign = results / "archive" / "bob" / "holiday.mp4"
    foreign.parent.mkdir(parents=True)
    foreign.touch()
    name = archive.add("bob", FILM_ID, lambda path: path.touch())
    archive.drop_oldest(but=name)
    assert [film.name for film in archive.all("bob")] == [name]
    with pytest.raises(UnknownArchive, match=r"'holiday\.mp4'"):
        archive.delete("bob", "holiday.mp4")
    archive.delete("bob", name)
    assert foreign.exists()
