"""Wheels are fetched from where pip is configured to fetch them."""

import os
from pathlib import Path

import pytest

from wheels.pip_configuration import PYPI, PipConfiguration, pip_configuration


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which pip is not configured."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("wheels.pip_configuration.SYSTEM_FILE", tmp_path / "pip.conf")
    monkeypatch.setattr("sys.prefix", str(tmp_path / "environment"))
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_without_a_configuration_it_is_pypi() -> None:
    assert pip_configuration() == PipConfiguration(indexes=(PYPI,))


def test_files_are_overridden_by_nearer_files_and_those_by_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / "pip.conf", "[global]\nindex-url = http://a/simple\ncert = /a.pem\n")
    write(
        home / ".config/pip/pip.conf", "[global]\nindex_url = http://b/simple\nproxy = http://p:1"
    )
    assert pip_configuration() == PipConfiguration(
        indexes=("http://b/simple",), certificates="/a.pem", proxy="http://p:1"
    )
    write(home / "environment/pip.conf", "[download]\nindex-url = http://c/simple\n")
    assert pip_configuration().indexes == ("http://c/simple",)
    monkeypatch.setenv("PIP_INDEX_URL", "http://d/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "d e:8080")
    assert pip_configuration().indexes == ("http://d/simple",)
    assert pip_configuration().trusted_hosts == {"d", "e:8080"}


def test_several_places_are_tried_in_their_order(home: Path) -> None:
    write(
        home / ".pip/pip.conf",
        "[global]\nextra-index-url =\n    http://b/simple\n    http://c/simple\n"
        "find-links = /wheels http://links\n",
    )
    found = pip_configuration()
    assert found.indexes == (PYPI, "http://b/simple", "http://c/simple")
    assert found.find_links == ("/wheels", "http://links")


def test_no_index_leaves_the_folders_of_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    assert pip_configuration() == PipConfiguration(indexes=(), find_links=("/wheels",))
    monkeypatch.setenv("PIP_NO_INDEX", "false")
    assert pip_configuration().indexes == (PYPI,)


def test_a_named_file_counts_most_and_the_null_device_switches_files_off(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".config/pip/pip.conf", "[global]\nindex-url = http://b/simple\n")
    write(home / "own.conf", "[global]\nindex-url = http://own/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(home / "own.conf"))
    assert pip_configuration().indexes == ("http://own/simple",)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert pip_configuration().indexes == (PYPI,)


@pytest.mark.parametrize("content", ["no section = 1", "[global\nindex-url = x", "\0\xff"])
def test_a_broken_file_is_left_out(home: Path, content: str) -> None:
    write(home / ".config/pip/pip.conf", content)
    assert pip_configuration() == PipConfiguration()
