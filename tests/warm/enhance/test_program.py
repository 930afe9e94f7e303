"""Tests of the process that enhances a film for the server."""

import json
from pathlib import Path

import pytest

from tests.warm.enhance.film_samples import frames, moving_face, packets, write_film
from tests.warm.portraits import MODELS
from warm.enhance import program
from warm.enhance.errors import EnhanceError
from warm.enhance.film import JOINING
from warm.enhance.program import REFUSED, enhance, main, read_progress, write_enhanced
from warm.preparer.preparer import shared_settings
from warm.settings import Settings

pytestmark = pytest.mark.slow
SETTINGS = shared_settings(Settings(models_dir=MODELS.parent))


class Cancelled(Exception):
    """The job is cancelled."""


def test_a_film_is_enhanced_and_the_progress_is_written_to_a_file(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", moving_face(6, (120, 140)))
    out = tmp_path / "enhanced.mp4"
    enhance({"source": str(film), "out": str(out), "method": "sharpen", "settings": SETTINGS})
    assert len(frames(out)) == 6
    assert packets(out, "audio") == packets(film, "audio")
    assert read_progress(out) == (JOINING, 1.0)


def test_a_film_that_is_refused_ends_the_program_with_a_status_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film, out = tmp_path / "film.mp4", tmp_path / "out.mp4"
    film.write_text("no film")
    request = {"source": str(film), "out": str(out), "method": "sharpen", "settings": SETTINGS}
    monkeypatch.setattr("sys.argv", ["-c", "root", json.dumps(request)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == REFUSED
    assert "not a readable photo or video" in capsys.readouterr().err


def test_the_reason_of_the_program_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = f"import sys; sys.stderr.write('No face is there.'); sys.exit({REFUSED})"
    monkeypatch.setattr(program, "BOOT", ends)
    film, out = tmp_path / "film.mp4", tmp_path / "out.mp4"
    with pytest.raises(EnhanceError, match="No face is there"):
        write_enhanced(film, out, "sharpen", SETTINGS, check=lambda: None, report=lambda *_: None)


def test_a_job_that_is_cancelled_ends_the_process(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", moving_face(3, (120, 140)))

    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write_enhanced(
            film, tmp_path / "out.mp4", "sharpen", SETTINGS, check=check, report=lambda *_: None
        )
    assert not (tmp_path / "out.mp4").exists()
