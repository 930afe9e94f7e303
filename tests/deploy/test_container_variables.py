"""Names of another service in the environment of a container."""

import re
from pathlib import Path

import pytest

from tests.setup.documents import ROOT
from warm.container.errors import ContainerError
from warm.container.variables import VARIABLES, environment_of, translate
from warm.settings import Settings, read_settings

GIVEN = {
    "HOST": "0.0.0.0",
    "PORT": "8003",
    "STORAGE_DIR": "/srv/films",
    "MODELS_DIR": "/srv/models",
    "LAZY_LOAD": "True",
    "UNLOAD_IDLE_SECONDS": "300",
    "MAX_VRAM_GB": "14.0",
    "CLEAR_CACHE_AFTER_GENERATION": "true",
    "OUTPUT_RESOLUTION": "256",
    "OUTPUT_FPS": "30",
    "MAX_CONCURRENT_JOBS": "3",
    "JOB_TIMEOUT_SECONDS": "600",
    "MAX_QUEUE_SIZE": "10",
}
MEANT = {
    "host": "0.0.0.0",
    "port": 8003,
    "results_dir": Path("/srv/films"),
    "models_dir": Path("/srv/models"),
    "lazy_load": True,
    "unload_idle_seconds": 300.0,
    "max_vram_gb": 14.0,
    "clear_cache_after_generation": True,
    "max_side": 256,
    "fps": 30,
    "max_concurrent_jobs": 3,
    "job_timeout_seconds": 600.0,
    "max_queue_size": 10,
}


def test_each_variable_of_the_service_sets_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(translate(GIVEN, {}).settings).items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert {name: getattr(settings, name) for name in MEANT} == MEANT


def test_every_variable_is_reported_with_its_setting() -> None:
    notes = translate({**GIVEN, "MUSETALK_DIR": "/app/MuseTalk"}, {}).notes
    for variable in VARIABLES:
        (note,) = [each for each in notes if each.startswith(f"{variable.name} = ")]
        assert (f"sets {variable.setting} " in note) if variable.setting else "no effect" in note


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "abc", "1 to 65535"),
        ("PORT", "0", "1 to 65535"),
        ("PORT", "70000", "1 to 65535"),
        ("PORT", "80.5", "1 to 65535"),
        ("OUTPUT_FPS", "0", "10 to 60"),
        ("OUTPUT_FPS", "29", "25, 30"),
        ("OUTPUT_FPS", "-25", "10 to 60"),
        ("OUTPUT_RESOLUTION", "64", "128 to 4096"),
        ("LAZY_LOAD", "maybe", "true, false"),
        ("CLEAR_CACHE_AFTER_GENERATION", "2", "true, false"),
        ("UNLOAD_IDLE_SECONDS", "-1", "0 to 1000000"),
        ("MAX_VRAM_GB", "0", "over 0 to 1000"),
        ("MAX_VRAM_GB", "nan", "over 0 to 1000"),
        ("MAX_CONCURRENT_JOBS", "0", "1 to 64"),
        ("JOB_TIMEOUT_SECONDS", "ten", "over 0 to 1000000"),
        ("MAX_QUEUE_SIZE", "0", "1 to 10000"),
    ],
)
def test_a_bad_value_is_named_as_the_user_wrote_it(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ContainerError) as refused:
        translate({name: value}, {})
    assert str(refused.value).startswith(f"{name} = {value!r} (the setting ")
    assert allowed in str(refused.value)


def test_all_bad_values_are_reported_at_once() -> None:
    with pytest.raises(ContainerError) as refused:
        translate({"PORT": "abc", "OUTPUT_FPS": "0", "MAX_QUEUE_SIZE": "5"}, {})
    assert [line.split()[0] for line in str(refused.value).splitlines()] == ["PORT", "OUTPUT_FPS"]


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("PORT", '"8003"', "PORT=8003"),
        ("STORAGE_DIR", "'/srv/films'", "STORAGE_DIR=/srv/films"),
        ("HOST", '"0.0.0.0"', "HOST=0.0.0.0"),
    ],
)
def test_a_value_in_quotes_is_refused_with_the_remedy(name: str, value: str, remedy: str) -> None:
    """docker passes on the quotes of `--env-file`, which made a folder with quotes in its name."""
    with pytest.raises(ContainerError) as refused:
        translate({name: value}, {})
    message = f"{name} = {value!r}: the quotes are part of the value; write {remedy}"
    assert str(refused.value) == message


def test_a_setting_of_ours_wins_and_the_conflict_is_reported() -> None:
    found = translate({"PORT": "8003", "WARMTALK_PORT": "9000"}, {})
    assert found.settings == {}
    assert found.notes == [
        "Conflict: PORT = '8003' is ignored, because WARMTALK_PORT = '9000' comes first"
    ]


def test_a_flag_wins_over_both() -> None:
    found = translate({"PORT": "8003", "WARMTALK_PORT": "9000"}, {"port": "9001"})
    assert found.settings == {}
    assert "because --port = '9001' comes first" in found.notes[0]


def test_the_same_value_twice_is_no_conflict() -> None:
    found = translate({"OUTPUT_FPS": "25", "WARMTALK_FPS": "25"}, {})
    assert found.notes == ["OUTPUT_FPS = '25': WARMTALK_FPS has the same value"]


def test_an_overridden_value_may_be_bad() -> None:
    assert translate({"PORT": "abc", "WARMTALK_PORT": "9000"}, {}).settings == {}


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_counts_as_none(value: str) -> None:
    found = translate({"MAX_VRAM_GB": value}, {})
    assert (found.settings, found.notes) == ({}, ["MAX_VRAM_GB is empty, and so has no effect"])


def test_other_variables_are_left_alone() -> None:
    assert translate({"PATH": "/bin", "PORTS": "1", "WARMTALK_FPS": "25"}, {}).notes == []


def test_the_documentation_lists_every_variable_with_its_setting() -> None:
    page = (ROOT / "docs" / "containers.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (\S+) \|", page, re.MULTILINE))
    meant = {each.name: f"`{each.setting}`" if each.setting else "none" for each in VARIABLES}
    assert {name: rows.get(name) for name in meant} == meant
    assert {each.setting for each in VARIABLES} - {None} <= set(Settings.model_fields)
