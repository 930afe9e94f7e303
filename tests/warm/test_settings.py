"""The settings, their four sources, and messages about faults."""

from pathlib import Path

import pytest

from stabilizers.settings import KalmanConstants, OneEuroConstants, TrackSettings
from warm.settings import DEFAULT_CONFIG, BadSettings, Settings, read_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WARMTALK_CONFIG", "WARMTALK_PORT", "WARMTALK_HOST", "WARMTALK_SPEED"):
        monkeypatch.delenv(name, raising=False)


def config(folder: Path, text: str) -> list[str]:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return ["--config", str(path)]


def fault_message(*argv: str) -> str:
    with pytest.raises(BadSettings) as caught:
        read_settings(argv)
    return str(caught.value)


def test_the_shipped_file_has_every_setting_with_its_default() -> None:
    assert read_settings() == Settings()
    written = DEFAULT_CONFIG.read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"\n{name}:" not in written] == []


def test_the_environment_overrides_the_file_and_the_command_line_overrides_both(
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
    assert "'blendmode'; did you mean 'blend_mode'" in fault_message(
        *config(tmp_path, "blendmode: feather\n")
    )
    assert "'--prot'; did you mean '--port'" in fault_message("--prot", "8001")
    monkeypatch.setenv("WARMTALK_PROT", "1")
    assert "'WARMTALK_PROT'; did you mean 'WARMTALK_PORT'" in fault_message()


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
    message = fault_message(*argv)
    assert [part for part in parts if part not in message] == []


@pytest.mark.parametrize("name", ["push-urls", "livekit-servers"])
@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("rtmp://a.example/live/key", "a.example"),
        ("wss://a.example", "a.example"),
        ("a.example:1935", "a.example"),
        ("https://[2001:db8::1]:8000/whip", "2001:db8::1"),
        ("10.0.0.5/8", "10.0.0.0/8"),
    ],
)
def test_an_address_in_a_list_of_hosts_is_refused_with_its_host(
    name: str, value: str, meant: str
) -> None:
    message = fault_message(f"--{name}", f"b.example, {value}")
    assert f"{value!r} is not a host or network (did you mean {meant!r}?)" in message
    assert "public" in message


@pytest.mark.parametrize("value", ["*", "*.example.com", "10.0.0.0/99", "http://[::1", "http://"])
def test_a_list_of_hosts_without_a_better_word_is_refused_without_a_hint(value: str) -> None:
    message = fault_message("--push-urls", value)
    assert f"{value!r} is not a host or network; allowed: names" in message
    assert "without scheme, port and wildcards" in message


def test_all_faults_are_reported_at_once_with_their_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTALK_SPEED", "9")
    message = fault_message(*config(tmp_path, "fps: 7\n"), "--port", "0").splitlines()
    assert len(message) == 3
    assert any("speed" in line and "environment" in line for line in message)
    assert any("fps" in line and "some.yaml" in line for line in message)
    assert any("port" in line and "command line" in line for line in message)


def test_a_fault_of_the_environment_is_not_attributed_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTALK_FPS", "abc")
    message = fault_message(*config(tmp_path, "fps: 25\n"))
    assert "fps = 'abc' (from the environment)" in message
    assert message.endswith("allowed: 10 to 60")


@pytest.mark.parametrize("text", ["session:\n  writer: concat\n", "session.writer: concat\n"])
def test_settings_of_a_session_may_be_in_the_section_session(tmp_path: Path, text: str) -> None:
    assert read_settings(config(tmp_path, text)).writer == "concat"


def test_a_setting_that_is_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    message = fault_message(*config(tmp_path, "session.writer: concat\nwriter: fragments\n"))
    assert "writer is set twice" in message


@pytest.mark.parametrize("text", ["- port\n", "port: [\n"])
def test_a_file_without_a_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "some.yaml" in fault_message(*config(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "gone.yaml" in fault_message("--config", str(tmp_path / "gone.yaml"))


def test_the_settings_of_the_stabilizers_have_the_defaults_of_their_object() -> None:
    assert Settings().track == TrackSettings()


def test_the_settings_of_the_stabilizers_reach_their_object(tmp_path: Path) -> None:
    argv = config(tmp_path, "smoothing: kalman\nkalman_noise: 2\n")
    read = read_settings([*argv, "--one-euro-beta", "0.3", "--subpixel-enabled", "false"])
    assert read.preparation_settings.track == TrackSettings(
        smoothing="kalman",
        subpixel_enabled=False,
        one_euro=OneEuroConstants(beta=0.3),
        kalman=KalmanConstants(noise=2),
    )


def test_the_range_of_a_stabilizer_setting_is_that_of_its_field() -> None:
    assert "allowed: over 0 to 10000" in fault_message("--kalman-noise", "0")
    assert "allowed: 1 to 1000" in fault_message("--scale-lock-warmup-frames", "0")


def test_the_help_describes_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_settings(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in shown
        first_words = " ".join((field.description or "").split()[:3])
        assert first_words in shown, name
