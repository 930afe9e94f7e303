"""`python -m bench` measures the named topics and reports those that fail."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import bench.__main__ as command
from bench.figure import Figure


def figure(name: str, value: float) -> Figure:
    return Figure(name=name, value=value, unit="ms", goal=5, better="lower", n=3)


def broken(out: Path) -> list[Figure]:
    raise RuntimeError(f"no disk at {out.name}")


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> None:
    measures: dict[str, Callable[[Path], list[Figure]]] = {
        "session": lambda out: [figure(f"append, plots in {out.name}", 4.5)],
        "voice": broken,
        "mouth": lambda _: [figure("mouth", 6.25)],
    }
    monkeypatch.setattr(command, "TOPICS", tuple(measures))
    monkeypatch.setattr(command, "find_measure", measures.__getitem__)


@pytest.mark.usefixtures("topics")
def test_a_topic_that_fails_is_reported_and_the_others_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--results", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "FAILED: voice: RuntimeError: no disk at bench" in printed.err
    report = json.loads((tmp_path / "bench.json").read_bytes())
    assert [entry["value"] for entry in report["figures"]] == [4.5, 6.25]
    assert set(report["figures"][0]) == {"name", "value", "unit", "goal", "better", "n"}
    assert report["machine"]["cores"] >= 1


@pytest.mark.usefixtures("topics")
def test_the_table_marks_missed_goals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["session", "mouth", "--results", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [("!" in line) for line in lines if "<= 5 ms" in line] == [False, True]


@pytest.mark.usefixtures("topics")
def test_an_unknown_topic_is_refused_with_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(["sesion", "--results", str(tmp_path)])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "no such topic: 'sesion'" in error
    assert "('session', 'voice', 'mouth')" in error
    assert not (tmp_path / "bench.json").exists()


def test_the_module_of_every_topic_and_command_exists() -> None:
    modules = {**command.TOPICS, **command.COMMANDS}.values()
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
