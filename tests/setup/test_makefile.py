"""The Makefile passes its variables on unchanged, whatever characters they contain."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def commands_of(*words: str) -> list[list[str]]:
    """The commands that make would run, as the shell splits them."""
    done = subprocess.run(
        ["make", "--dry-run", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},  # these tests may run under `make test PORT=8001`
    )
    return [shlex.split(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("folder", ["/tmp/films", "/tmp/o'brien", '/tmp/a "b" c', "/tmp/a;b&c"])
def test_a_folder_is_one_word_of_the_command(folder: str) -> None:
    *_, prepare, serve = commands_of("run", f"RESULTS={folder}", f"CONFIG={folder}")
    assert prepare[-4:] == ["--config", folder, "--results", folder]
    assert serve[-4:] == ["--config", folder, "--results-dir", folder]
    set_up = commands_of("setup", f"MODELS={folder}")[0]
    assert set_up[-2:] == ["--models", folder]


def test_variables_that_are_not_set_add_no_flags() -> None:
    *_, serve = commands_of("run")
    assert serve == ["exec", ".venv/bin/python", "app.py"]


def test_the_quick_check_leaves_out_slow_tests_and_browsers() -> None:
    assert commands_of("check")[-1][-2:] == ["-m", "not slow and not browser"]
    *_, test = commands_of("test")
    assert "-m" not in test[test.index("pytest") :]
