"""Messages name commands that run where the message is read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import warmtalk
from warm import installation
from warm.installation import PackageMissing, own_command, require_packages

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("/usr/local/bin/warmtalk", "warmtalk models list"),
        ("warm/__main__.py", "python -m warm models list"),
        ("app.py", "python -m warm models list"),
    ],
)
def test_a_command_starts_as_the_process_was_started(
    program: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    assert own_command("models", "list") == expected


def test_a_path_with_a_space_is_one_word() -> None:
    assert own_command("models", "face", "--models", Path("/a b")).endswith("--models '/a b'")


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(PackageMissing, match=r"engine = 'musetalk' needs the package no_such_one"):
        require_packages(("sys", "no_such_one"), needed_by="engine = 'musetalk'")


def test_an_installed_warmtalk_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shipped").mkdir()
    monkeypatch.setattr(installation, "PACKAGE", tmp_path)
    with pytest.raises(PackageMissing, match=r"pip install 'warmtalk\[musetalk\]'"):
        require_packages(("no_such_one",), needed_by="x")


def test_an_image_names_the_image_that_has_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip cannot add packages to an image that belongs to root."""
    (tmp_path / "included").mkdir()
    monkeypatch.setattr(installation, "PACKAGE", tmp_path / "warm")
    with pytest.raises(PackageMissing, match=r"x needs the package no_such_one.*target `cuda`"):
        require_packages(("no_such_one",), needed_by="x")


WITHOUT_NEURAL_PACKAGES = """
import sys
for name in ("torch", "diffusers", "transformers", "safetensors", "huggingface_hub"):
    sys.modules[name] = None  # as if it were not installed
from warm.__main__ import main
from warm.engine_factory import make_engine
from warm.settings import Settings
if sys.argv[1] == "engine":
    make_engine(Settings(engine="musetalk"))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["models", "list"], 0, ""),
        (["models", "download"], 1, "the download of weights needs the package huggingface_hub"),
        (["engine"], 1, "engine = 'musetalk' needs the package torch"),
    ],
)
def test_without_the_neural_packages_the_rest_works_and_the_missing_one_is_named(
    words: list[str], status: int, message: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NEURAL_PACKAGES, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert message in done.stderr


def test_a_bad_subcommand_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        warmtalk.main(["fly"])
    assert left.value.code == 2
    assert "usage: warmtalk" in capsys.readouterr().err
