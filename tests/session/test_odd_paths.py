"""Films work in folders whose names have spaces, quotes and letters of any language."""

from pathlib import Path

import pytest

from session.factory import create_film, open_film, verify_film
from session.film import WriterKind
from session.mp4.export import export_film
from tests.session.sample_films import SPEC, pictures, tone, watch

KINDS: tuple[WriterKind, ...] = ("fragments", "concat")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["päth mit 'space' 日本", 'two "quotes" \\ %20#?&;', "-dash: colon"]
)
def test_a_film_is_made_continued_and_exported_in_an_odd_folder(
    tmp_path: Path, name: str, kind: WriterKind
) -> None:
    path, out = tmp_path / name / "film.mp4", tmp_path / name / "out.mp4"
    path.parent.mkdir()
    film = create_film(path, SPEC, kind)
    for start in (0, 8):
        clip = film.begin("clip")
        clip.write(pictures(start, 8), tone(start * 1920, 8 * 1920))
        clip.finish()
        film.close()
        film = open_film(path, kind)
    film.close()
    verify_film(path)
    export_film(path, out)
    assert watch(out).numbers == list(range(16))
