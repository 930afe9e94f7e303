"""Messages name commands that run where the message is read."""

import sys
from pathlib import Path

import pytest

import warmtalk
from warm import installation
from warm.installation import PackageMissing, own_command, require_packages


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


def test_a_bad_subcommand_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        warmtalk.main(["fly"])
    assert left.value.code == 2
    assert "usage: warmtalk" in capsys.readouterr().err
