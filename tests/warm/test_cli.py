"""`python -m warm` prepares and lists avatars, and reports errors in one line."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.warm.sample_videos import film, portrait, swaying
from warm.__main__ import main
from warm.avatars.store import AvatarStore
from warm.prepare.demo import demo_portrait

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHOICES = ("--bbox-shift", "4", "--max-seconds", "1")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "warm", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def prepared(results: Path) -> subprocess.CompletedProcess[str]:
    """Prepare the avatar `anna` from a video in its own process; return the finished process."""
    video = film(results / "anna.mp4", swaying(30))
    return run("prepare", str(video), "--results", str(results), *CHOICES)


def test_a_preparation_shows_its_progress_its_notes_and_where_to_look(
    prepared: subprocess.CompletedProcess[str], results: Path
) -> None:
    assert "Note: The video is 1.2 s long; only its first 1 s are used" in prepared.stdout
    assert f"Ready: {results}/avatars/anna (look at {results}/avatars/anna/preview.png)" in (
        prepared.stdout
    )
    for stage in ("reading", "stabilizing", "closing", "finishing"):
        assert f"{stage}: 100%" in prepared.stderr


@pytest.mark.usefixtures("prepared")
def test_the_avatar_is_named_after_the_file_by_default(results: Path) -> None:
    avatar = AvatarStore(results).open("anna")
    assert len(avatar.frames) == 25
    assert any(name.startswith("viseme") for name in avatar.extras)
    assert (avatar.folder / "preview.png").is_file()


@pytest.mark.usefixtures("prepared")
def test_a_second_run_reports_that_the_avatar_is_up_to_date(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["prepare", str(results / "anna.mp4"), "--results", str(results)]
    assert main([*arguments, *CHOICES]) == 0
    printed = capsys.readouterr()
    assert "\nUp to date: " in printed.out
    assert "preview.png" in printed.out and printed.err == ""


@pytest.mark.usefixtures("prepared")
def test_avatars_lists_the_stored_avatars(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["avatars", "--results", str(results), "--verify"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("anna ") and "204x240 1.0 s at 25 fps" in line


def test_avatars_in_an_empty_folder_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["avatars", "--results", str(tmp_path)]) == 0
    assert "python -m warm prepare PHOTO_OR_VIDEO" in capsys.readouterr().out


def test_a_damaged_avatar_is_listed_as_such_and_fails_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "avatars" / "broken").mkdir(parents=True)
    assert main(["avatars", "--results", str(tmp_path)]) == 1
    assert "damaged: " in capsys.readouterr().out


def test_a_refused_photo_gives_one_line_on_stderr_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 99, np.uint8))
    arguments = ["prepare", str(tmp_path / "wall.png"), "--results", str(tmp_path)]
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("NoFaceError: No face was found in")
    assert list((tmp_path / "avatars").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["face.jpg", "--fps", "7"], "fps is 7; allowed are 10 to 60"),
        (["face.jpg", "--avatar-id", "../x"], "avatar_id is '../x'"),
        (["nowhere.jpg"], "There is no file nowhere.jpg"),
    ],
)
def test_a_bad_value_is_named(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", *arguments, "--results", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_missing_face_models_give_one_line_that_says_how_to_fetch_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WARMTALK_MODELS_DIR", str(tmp_path / "empty"))
    assert main(["prepare", "--demo", "--results", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "is missing. Download it: python -m warm models face --models" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [[], ["prepare"], ["prepare", "a.jpg", "--demo"], ["fly"]])
def test_a_bad_command_line_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage: python -m warm" in capsys.readouterr().err


def test_a_closed_output_pipe_gives_no_traceback(tmp_path: Path) -> None:
    """`… models list | head`"""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "warm", "models", "list", "--models", str(tmp_path)],
        cwd=ROOT,
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_demo_portrait_is_found_without_importing_matplotlib() -> None:
    picture = cv2.imread(str(demo_portrait()))
    assert picture is not None and np.array_equal(picture, portrait(600))
    script = (
        "import sys, warm.__main__ as cli; cli.demo_portrait();"
        "print([name for name in ('matplotlib', 'scipy', 'cv2', 'av') if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"
