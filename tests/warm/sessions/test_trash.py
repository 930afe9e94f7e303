"""The trash while files are moved into it."""

from pathlib import Path

from warm.sessions.trash import Trash


def test_files_on_their_way_to_the_trash_are_not_removed(results: Path) -> None:
    """Catches a move that loses its journal to the removal of another film."""
    results.mkdir()
    trash = Trash(results)
    with trash.reserve() as destination:
        half = destination.with_name(destination.name + ".journal.new")
        half.touch()
        trash.add(results / "nothing")
        (results / "other").touch()
        trash.add(results / "other")
        trash.close(30)
        assert [path.name for path in (results / "trash").iterdir()] == [half.name]
