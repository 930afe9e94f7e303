"""The unit of systemd."""

import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.setup.documents import ROOT
from warm.settings import ENV_PREFIX, Settings

UNIT = ROOT / "configs" / "deploy" / "warmtalk.service"
FOLDER = "/srv/warmtalk"
PATIENCE_S = 120


def options() -> dict[str, list[str]]:
    """The values of each option of the service."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in UNIT.read_text("utf-8").splitlines():
        if re.match(r"\w+=", line):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def environment() -> dict[str, str]:
    return dict(each.split("=", 1) for each in options()["Environment"])


def test_systemd_accepts_the_unit_with_a_program_that_exists(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    own = tmp_path / UNIT.name
    own.write_text(UNIT.read_text("utf-8").replace(f"{FOLDER}/.venv/bin/python", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", own], capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    about = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert about == []


def test_the_service_can_do_little_besides_its_task() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", UNIT],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    if "unrecognized option" in done.stderr or "Unknown" in done.stderr:
        pytest.skip("this systemd-analyze cannot read a file")
    assert done.returncode == 0, done.stdout[-500:]


def test_its_environment_has_settings_only() -> None:
    names = {name.removeprefix(ENV_PREFIX).lower() for name in environment()
             if name.startswith(ENV_PREFIX)}  # fmt: skip
    assert names <= set(Settings.model_fields)


def test_the_folders_that_it_may_write_are_those_of_its_settings() -> None:
    found, values = options(), environment()
    assert found["ProtectSystem"] == ["strict"]
    assert values["WARMTALK_RESULTS_DIR"].startswith(f"/var/lib/{found['StateDirectory'][0]}/")
    assert values["WARMTALK_MODELS_DIR"].startswith(f"/var/lib/{found['StateDirectory'][0]}/")
    assert values["WARMTALK_HOST"].startswith(f"unix:/run/{found['RuntimeDirectory'][0]}/")
    assert values["HOME"] == f"/var/cache/{found['CacheDirectory'][0]}"


def test_a_stop_leaves_the_time_that_the_server_takes() -> None:
    stop_s = Settings().stop_s + 5
    assert int(options()["TimeoutStopSec"][0]) > stop_s


@pytest.mark.slow
def test_its_command_starts_the_server_with_these_settings(tmp_path: Path) -> None:
    for name in ("state", "run", "cache"):
        (tmp_path / name).mkdir()
    places = {"/var/lib/warmtalk": "state", "/run/warmtalk": "run", "/var/cache/warmtalk": "cache"}
    values = environment()
    for place, name in places.items():
        values = {key: each.replace(place, str(tmp_path / name)) for key, each in values.items()}
    program, *rest = shlex.split(options()["ExecStart"][0])
    assert program == f"{FOLDER}/.venv/bin/python"
    done = subprocess.run(
        [sys.executable, *rest],
        cwd=options()["WorkingDirectory"][0].replace(FOLDER, str(ROOT)),
        env={**values, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    # There is no avatar yet, which is found out after all settings and the folders.
    assert done.returncode == int(options()["RestartPreventExitStatus"][0])
    assert done.stderr.startswith("Warmtalk cannot start.")
    assert str(tmp_path / "state" / "results" / "avatars") in done.stderr
