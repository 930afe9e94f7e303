"""The Dockerfile, its context and compose.yaml, checked without a container engine."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.container.dockerfile import context_files, lineage, matches, read_stages
from tests.setup.documents import ROOT
from warm.container.variables import VARIABLES
from warm.container_command import DEFAULTS

COMPOSE = ROOT / "compose.yaml"
COMPILERS = ("build-essential", "gcc", "g++", "clang", "python3-dev", "cmake", "cargo")
PLAIN = {
    *("ARG", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "RUN", "STOPSIGNAL"),
    *("USER", "VOLUME", "WORKDIR"),
}
PARSE_S = 60


def test_the_image_for_the_cpu_is_the_default() -> None:
    assert list(read_stages())[-1] == "cpu"


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_an_image_runs_as_a_number_other_than_root(target: str) -> None:
    users = [step.value for each in lineage(read_stages(), target) for step in each.steps
             if step.name == "USER"]  # fmt: skip
    uid, _, gid = users[-1].partition(":")
    assert int(uid) > 0 and int(gid) > 0


def test_no_compiler_remains_in_the_image_for_the_cpu() -> None:
    runs = " ".join(step.value for each in lineage(read_stages(), "cpu") for step in each.steps)
    assert [name for name in COMPILERS if f" {name} " in runs] == []


def test_arguments_with_passwords_are_no_part_of_an_image() -> None:
    stages = read_stages()
    for target in ("cpu", "cuda"):
        steps = [step for each in lineage(stages, target) for step in each.steps]
        assert [step.value for step in steps if step.name == "ARG"] == []


def test_only_instructions_that_all_builders_know_are_used() -> None:
    steps = [step for stage in read_stages().values() for step in stage.steps]
    assert {step.name for step in steps} <= PLAIN
    flags = [step.value for step in steps if step.name in ("RUN", "COPY")]
    assert [value for value in flags if "--mount" in value or "--chmod" in value] == []
    assert [value for value in flags if "<<" in value] == []


def test_everything_that_is_copied_exists() -> None:
    files = {str(path) for path in context_files()}
    for stage in read_stages().values():
        for step in stage.steps:
            if step.name == "COPY" and "--from" not in step.value:
                sources = [word for word in step.words()[:-1] if word != "."]
                missing = [
                    name for name in sources if not any(matches(each, name) for each in files)
                ]
                assert missing == []


def test_the_context_has_the_program_and_nothing_private() -> None:
    files = list(context_files())
    tops = {path.parts[0] for path in files}
    assert {"app.py", "warmtalk.py", "api", "warm", "web", "configs", "wheels"} <= tops
    assert tops & {".git", ".venv", "results", "models", "tests", "bench", "keys.json"} == set()
    assert [path for path in files if path.suffix == ".pyc"] == []
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert packages <= tops


def test_the_volumes_of_the_image_are_the_defaults_of_the_entry_point() -> None:
    steps = [step for each in lineage(read_stages(), "cpu") for step in each.steps]
    (volumes,) = [step.value for step in steps if step.name == "VOLUME"]
    assert set(json.loads(volumes)) == {DEFAULTS["results_dir"], DEFAULTS["models_dir"]}


# --- Compose


def composed() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return content


def compose_command() -> list[str] | None:
    """The program of Compose, in its second or first version; neither needs an engine for this."""
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]):
            found = subprocess.run(
                [*words, "version"], capture_output=True, check=False, timeout=PARSE_S
            )
            if found.returncode == 0:
                return words
    return None


def test_compose_itself_accepts_the_file() -> None:
    command = compose_command()
    if command is None:
        pytest.skip("Compose is not installed: apt-get install docker-compose")
    done = subprocess.run(
        [*command, "--file", COMPOSE, "--profile", "gpu", "config"],
        capture_output=True, text=True, check=False, timeout=PARSE_S,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "WARMTALK_CPUS": "1.5",
             "PORT": "8003"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert services["warmtalk"]["environment"]["PORT"] == "8003"
    assert services["warmtalk"]["environment"].get("HOST") is None
    assert services["warmtalk-gpu"]["environment"]["WARMTALK_ENGINE"] == "musetalk"
    assert set(services) == {"warmtalk", "warmtalk-gpu"}
    assert float(services["warmtalk"]["deploy"]["resources"]["limits"]["cpus"]) == 1.5
    (device,) = services["warmtalk-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] in (["gpu"], [["gpu"]])


def test_its_services_build_stages_that_exist_and_mount_the_volumes_of_the_image() -> None:
    content, stages = composed(), read_stages()
    for service in content["services"].values():
        assert service["build"]["target"] in stages
        targets = [each.partition(":")[2] for each in service["volumes"]]
        assert targets == [DEFAULTS["results_dir"], DEFAULTS["models_dir"]]
        assert {each.partition(":")[0] for each in service["volumes"]} <= set(content["volumes"])


def test_only_the_first_service_starts_without_a_profile() -> None:
    services = composed()["services"]
    assert [name for name, each in services.items() if "profiles" not in each] == ["warmtalk"]


@pytest.mark.parametrize("name", ["warmtalk", "warmtalk-gpu"])
def test_a_service_is_limited_and_watched_and_has_time_to_stop(name: str) -> None:
    service = composed()["services"][name]
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])
    assert service["healthcheck"]["test"][1:] == ["python", "-m", "warm.container.probe"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert int(service["stop_grace_period"].removesuffix("s")) > 15
    assert service["ports"] == ["${WARMTALK_PUBLISH:-127.0.0.1:8000}:${PORT:-8000}"]


@pytest.mark.parametrize("name", ["warmtalk", "warmtalk-gpu"])
def test_compose_passes_on_every_variable_of_the_lip_sync_service(name: str) -> None:
    """Compose hands a container only the variables of .env that the file lists."""
    passed = composed()["services"][name]["environment"]
    assert {variable.name for variable in VARIABLES} <= {
        each for each, value in passed.items() if value is None
    }


def test_the_health_check_of_the_image_is_that_of_compose() -> None:
    steps = [step for each in lineage(read_stages(), "cpu") for step in each.steps]
    (check,) = [step.value for step in steps if step.name == "HEALTHCHECK"]
    command = json.loads(check.partition("CMD ")[2])
    assert composed()["services"]["warmtalk"]["healthcheck"]["test"] == ["CMD", *command]
    assert Path(ROOT, *command[-1].split(".")).with_suffix(".py").is_file()
