"""Settings from four places, and what is said about wrong ones."""

from pathlib import Path

import pytest

from warm.settings import DEFAULT_CONFIG, BadSettings, Settings, read_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WARMTALK_CONFIG", "WARMTALK_PORT", "WARMTALK_HOST", "WARMTALK_SPEED"):
        monkeypatch.delenv(name, raising=False)


def config(folder: Path, text: str) -> list[str]:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return ["--config", str(path)]


def complaint(*argv: str) -> str:
    with pytest.raises(BadSettings) as caught:
        read_settings(argv)
    return str(caught.value)


def test_the_shipped_file_names_every_setting_with_its_default() -> None:
    assert read_settings() == Settings()
    written = DEFAULT_CONFIG.read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"\n{name}:" not in written] == []


def test_file_gives_way_to_environment_and_that_to_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = config(tmp_path, "port: 1001\nhost: from.file\nspeed: 1.5\nmax_queue: 3\n")
    monkeypatch.setenv("WARMTALK_PORT", "1002")
    monkeypatch.setenv("WARMTALK_HOST", "from.environment")
    read = read_settings([*argv, "--port", "1003"])
    assert (read.port, read.host, read.speed, read.max_queue) == (1003, "from.environment", 1.5, 3)


def test_the_environment_may_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMTALK_CONFIG", config(tmp_path, "port: 1001\n")[1])
    assert read_settings().port == 1001


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


def test_an_unknown_key_is_named_with_the_closest_known_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "'blendmode'; did you mean 'blend_mode'" in complaint(
        *config(tmp_path, "blendmode: feather\n")
    )
    assert "'--prot'; did you mean '--port'" in complaint("--prot", "8001")
    monkeypatch.setenv("WARMTALK_PROT", "1")
    assert "'WARMTALK_PROT'; did you mean 'WARMTALK_PORT'" in complaint()


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["--blend-mode", "feathr"], ["blend_mode", "'feathr'", "'poisson'", "mean 'feather'"]),
        (["--smoothing", "median"], ["smoothing", "'one_euro', 'kalman' or 'none'"]),
        (["--fps", "26"], ["fps", "'26'", "24, 25, 30"]),
        (["--port", "99999"], ["port", "'99999'", "65535"]),
        (["--device", "cuda:x"], ["device", "'cuda:x'", "auto, cpu, cuda, cuda:N"]),
        (["--precision", "fp8"], ["precision", "'fp8'", "fp16"]),
        (["--avatar-id", "../etc"], ["avatar_id", "'../etc'", "A-Za-z0-9"]),
        (["--subpixel-enabled", "perhaps"], ["subpixel_enabled", "'perhaps'", "boolean"]),
        (["--port"], ["--port", "expected one argument"]),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(argv: list[str], parts: list[str]) -> None:
    said = complaint(*argv)
    assert [part for part in parts if part not in said] == []


def test_every_fault_is_told_at_once_and_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTALK_SPEED", "9")
    said = complaint(*config(tmp_path, "fps: 7\n"), "--port", "0").splitlines()
    assert len(said) == 3
    assert any("speed" in line and "environment" in line for line in said)
    assert any("fps" in line and "some.yaml" in line for line in said)
    assert any("port" in line and "command line" in line for line in said)


def test_a_fault_of_the_environment_is_not_laid_to_the_file_that_sets_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTALK_FPS", "abc")
    said = complaint(*config(tmp_path, "fps: 25\n"))
    assert "fps = 'abc' (from the environment)" in said
    assert said.endswith("allowed: 10 to 60")


@pytest.mark.parametrize("text", ["session:\n  writer: concat\n", "session.writer: concat\n"])
def test_what_is_said_of_a_session_may_stand_under_its_name(tmp_path: Path, text: str) -> None:
    assert read_settings(config(tmp_path, text)).writer == "concat"


def test_a_setting_that_a_file_names_twice_is_refused(tmp_path: Path) -> None:
    said = complaint(*config(tmp_path, "session.writer: concat\nwriter: fragments\n"))
    assert "writer is set twice" in said


@pytest.mark.parametrize("text", ["- port\n", "port: [\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "some.yaml" in complaint(*config(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "gone.yaml" in complaint("--config", str(tmp_path / "gone.yaml"))
