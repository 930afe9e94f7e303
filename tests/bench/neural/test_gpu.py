"""`python -m bench gpu` on the CPU at tiny size: all rows, and rows that fail."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import bench.__main__ as command
from bench.figure import Figure
from bench.neural import gpu
from bench.neural.gpu_results import Fact, Found, RowContext
from bench.neural.gpu_rig import Rig
from bench.neural.gpu_rows import ROWS
from bench.neural.gpu_sessions import RealTimeResult, smaller_counts
from warm.engines.base import EngineLost


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(count)


def run(results: Path, *more: str) -> tuple[int, dict[str, Any]]:
    given = ["gpu", "--device", "cpu", "--tiny", "--minutes", "60"]
    code = command.main([*given, "--results", str(results), "--folder", str(results), *more])
    return code, json.loads((results / "gpu.json").read_bytes())


@pytest.mark.slow
def test_every_row_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(tmp_path)
    assert (code, report["failed"]) == (0, {})
    assert set(report["seconds"]) == {"making models and avatar", *(name for name, *_ in ROWS)}
    figures = {each["name"]: each["value"] for each in report["figures"]}
    facts = {each["name"]: each["value"] for each in report["facts"]}
    assert {
        "start to warm, weights on local disk",
        "frames a second, steady, one session",
        "frames a second, steady, 8 sessions together",
        "audio in memory -> first 4 frames pasted",
        "steady frames a second against plain eager with PNG",
        "sessions at 25 fps with no late frame",
        "pictures in bf16 against fp32, PSNR",
    } <= set(figures)
    assert figures["pictures in bf16 against fp32, PSNR"] > 25
    assert {"passes of 1", "passes of 4", "+ CUDA graphs", "+ convolutions by phases"} <= set(facts)
    assert {"decoder = full", "decoder = half", "decoder = tiny"} <= set(facts)
    assert facts["pictures of decoder = half against full, PSNR"] > 30
    assert all(value >= 0 for value in facts.values())
    printed = capsys.readouterr().out
    assert [name for name in (*figures, *facts) if name not in printed] == []
    assert [path.name for path in tmp_path.iterdir()] == ["gpu.json"]


def successful(_: RowContext) -> Iterator[Found]:
    yield Figure(name="good", value=1, unit="fps", goal=2, better="higher", n=1)


def failing(_: RowContext) -> Iterator[Found]:
    yield Fact(name="half", value=3, unit="fps")
    raise RuntimeError("no kernel image\nand advice")


def too_slow(_: RowContext) -> Iterator[Found]:
    time.sleep(60)
    yield Fact(name="never", value=0, unit="")


def terminated(_: RowContext) -> Iterator[Found]:
    yield Fact(name="before", value=1, unit="")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


@pytest.fixture
def unbuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rig, "build", lambda _: None)


@pytest.mark.usefixtures("unbuilt")
def test_a_failed_row_is_reported_and_the_others_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "ROWS", (("bad", failing, 1.0), ("fine", successful, 1.0)))
    code, report = run(tmp_path)
    assert (code, report["failed"]) == (1, {"bad": "RuntimeError: no kernel image"})
    assert [each["name"] for each in report["figures"]] == ["good"]
    assert [each["name"] for each in report["facts"]] == ["half"]
    printed = capsys.readouterr()
    assert "FAILED: bad: RuntimeError: no kernel image" in printed.err
    assert "1!" in printed.out


def losing_the_device(_: RowContext) -> Iterator[Found]:
    yield Fact(name="before", value=1, unit="")
    raise EngineLost("the GPU failed", needs_new_process=True)


@pytest.mark.usefixtures("unbuilt")
def test_a_lost_device_ends_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "ROWS", (("bad", losing_the_device, 1.0), ("fine", successful, 1.0)))
    code, report = run(tmp_path)
    assert code == 1
    assert report["failed"]["bad"] == "EngineLost: the GPU failed"
    assert "--rows" in report["failed"]["the rest"]
    assert (report["figures"], len(report["facts"])) == ([], 1)


@pytest.mark.usefixtures("unbuilt")
def test_only_named_rows_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        gpu, "KNOWN", {"fine": ("fine", successful, 1.0), "bad": ("bad", failing, 1.0)}
    )
    code, report = run(tmp_path, "--rows", "fine")
    assert (code, list(report["seconds"])) == (0, ["making models and avatar", "fine"])
    assert "0 of 1 goals reached; missed: good (1)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        gpu.main(["--device", "cpu", "--tiny", "--rows", "none"])


@pytest.mark.usefixtures("unbuilt")
def test_when_the_time_is_up_the_row_ends_and_the_report_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "ROWS", (("fine", successful, 1.0), ("slow", too_slow, 1.0)))
    code, report = run(tmp_path, "--minutes", "0.005")
    assert code == 1
    assert "no time was left" in report["failed"]["slow"]
    assert [each["name"] for each in report["figures"]] == ["good"]


@pytest.mark.usefixtures("unbuilt")
def test_a_stopped_run_reports_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (("fine", successful, 1.0), ("cut", terminated, 1.0), ("later", successful, 1.0))
    monkeypatch.setattr(gpu, "ROWS", rows)
    before = signal.getsignal(signal.SIGTERM)
    code, report = run(tmp_path)
    assert (code, report["failed"]) == (1, {"the rest": "stopped"})
    assert [each["name"] for each in report["figures"]] == ["good"]
    assert [each["name"] for each in report["facts"]] == ["before"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("unbuilt")
def test_a_row_that_does_not_fit_into_the_time_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "ROWS", (("long", successful, 100.0), ("short", successful, 1.0)))
    report = gpu.Report(tmp_path / "gpu.json", machine={})
    with gpu.handle_signals():
        rig = Rig(tmp_path, "cpu", tiny=False)
        gpu.measure_all(rig, report, gpu.select_rows(None), ends_s=time.monotonic() + 50)
    assert list(report.failed) == ["long"]
    assert "skipped" in report.failed["long"]
    assert len(report.figures) == 1


def test_without_a_gpu_the_command_explains_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    results = tmp_path / "results"
    assert command.main(["gpu", "--results", str(results)]) == 2
    assert "--device cpu --tiny" in capsys.readouterr().err
    assert command.main(["gpu", "--device", "cpu", "--results", str(results)]) == 2
    assert "--tiny" in capsys.readouterr().err
    assert not results.exists()


def test_the_session_limit_is_below_the_first_late_number() -> None:
    assert RealTimeResult(fps=25, late={20: 0, 28: 0, 36: 2}).max_sessions == 28
    assert RealTimeResult(fps=25, late={20: 4, 15: 1, 10: 0}).max_sessions == 10
    assert RealTimeResult(fps=25, late={1: 1}).max_sessions == 0
    assert list(smaller_counts(20)) == [15, 10, 5]
    assert list(smaller_counts(1)) == []


def test_gpu_is_not_a_topic_of_the_ordinary_benchmark() -> None:
    assert "gpu" not in command.TOPICS
