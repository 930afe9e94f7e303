"""Sources of the settings: defaults < YAML file < `WARMTALK_…` environment < command line."""

import argparse
import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)

from warm.installation import shipped
from warm.settings.fields import ENV_PREFIX, Settings, allowed
from warm.settings.speech_server import shown_value

SESSION = "session"
"""Section of the YAML file in which settings of sessions may be placed."""
DEFAULT_CONFIG = shipped("configs/live.yaml")


class BadSettings(ValueError):
    """The settings cannot be used; the message has one line per fault."""


def read_settings(argv: Sequence[str] = (), *, program: str = "app.py") -> Settings:
    """Read the settings from all sources; raises BadSettings.

    The file is `--config`, else `WARMTALK_CONFIG`, else the shipped `configs/live.yaml`.
    `program` is the name in the usage message.
    """
    from_arguments = read_command_line(argv, program)
    default_path = os.environ.get(f"{ENV_PREFIX}CONFIG", DEFAULT_CONFIG)
    path = Path(from_arguments.pop("config", default_path))
    from_file = read_yaml(path)
    check_environment()
    try:
        settings = with_sources(from_arguments, from_file)()
    except ValidationError as invalid:
        sources = {
            "the command line": from_arguments,
            "the environment": environment_values(),
            str(path): from_file,
        }
        faults = "\n".join(fault_message(error, sources) for error in invalid.errors())
        raise BadSettings(faults) from None
    return Settings.model_construct(**dict(settings))


def with_sources(from_arguments: Mapping[str, str], from_file: Mapping[str, Any]) -> type[Settings]:
    """A class of settings that takes its values from arguments, environment and file."""

    class SourcedSettings(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            *_sources: PydanticBaseSettingsSource,
            **_named: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (
                InitSettingsSource(settings_cls, dict(from_arguments)),
                EnvSettingsSource(settings_cls),
                InitSettingsSource(settings_cls, dict(from_file)),
            )

    return SourcedSettings


class ArgumentParser(argparse.ArgumentParser):
    """A parser that raises BadSettings instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise BadSettings."""
        raise BadSettings(f"command line: {message}")


def read_command_line(argv: Sequence[str], program: str) -> dict[str, str]:
    """The values of the command line by setting, and `config`; raises BadSettings."""
    parser = ArgumentParser(prog=program, description="Warmtalk server.", allow_abbrev=False)
    parser.add_argument("--config", metavar="FILE", help="YAML file of settings")
    for name, field in Settings.model_fields.items():
        text = (field.description or "").replace("%", "%%")
        parser.add_argument(flag(name), dest=name, metavar="VALUE", help=text)
    known, unknown = parser.parse_known_args(list(argv))
    for word in unknown:
        flags = [flag(name) for name in (*Settings.model_fields, "config")]
        raise BadSettings(f"command line: {unknown_setting(word.split('=')[0], flags)}")
    return {name: value for name, value in vars(known).items() if value is not None}


def flag(name: str) -> str:
    """The command line flag of a setting."""
    return f"--{name.replace('_', '-')}"


def read_yaml(path: Path) -> dict[str, Any]:
    """The values of the file by setting; raises BadSettings."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read: {error.strerror}; check the path") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadSettings(f"{path}: cannot be read as YAML: {yaml_fault(error)}") from None
    if not isinstance(content, dict):
        raise BadSettings(
            f"{path}: must be a mapping of settings, received a {type(content).__name__}"
        )
    named = list(flattened(content))
    for key, _ in named:
        if key not in Settings.model_fields:
            raise BadSettings(f"{path}: {unknown_setting(str(key), Settings.model_fields)}")
        if sum(key == other for other, _ in named) > 1:
            raise BadSettings(f"{path}: {key} is set twice; keep one")
    return dict(named)


def yaml_fault(error: Exception) -> str:
    """Describe a fault of a file and its place, without the file's text, which may be secret."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    return f"{getattr(error, 'problem', None)} in line {mark.line + 1}, column {mark.column + 1}"


def flattened(content: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield name and value of each setting, including those in the section `session`."""
    for key, value in content.items():
        if key == SESSION and isinstance(value, dict):
            yield from value.items()
        else:
            yield str(key).removeprefix(f"{SESSION}."), value


def check_environment() -> None:
    """Raise BadSettings for a variable that has the prefix of a setting but is not one."""
    known = [f"{ENV_PREFIX}{name.upper()}" for name in (*Settings.model_fields, "config")]
    for name in os.environ:
        if name.startswith(ENV_PREFIX) and name not in known:
            raise BadSettings(f"environment: {unknown_setting(name, known)}")


def environment_values() -> dict[str, str]:
    """The values of the environment by setting."""
    return {
        name: os.environ[variable]
        for name in Settings.model_fields
        if (variable := f"{ENV_PREFIX}{name.upper()}") in os.environ
    }


def unknown_setting(name: str, known: Iterable[str]) -> str:
    """Message about an unknown name, with the closest known one."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(known)}"
    return f"unknown setting {name!r}; {hint}"


def fault_message(error: ErrorDetails, sources: Mapping[str, Mapping[str, Any]]) -> str:
    """Message about a bad value: setting, value, source, allowed values."""
    name = str(error["loc"][0])
    source = next((each for each, values in sources.items() if name in values), "the defaults")
    message = error["msg"].removeprefix("Value error, ")
    names_allowed = "allowed" in message or error["type"] == "literal_error"
    choice = "" if names_allowed else f"; allowed: {allowed(name).replace('`', '')}"
    fault = f"{name} = {shown_value(name, error['input'])} (from {source}): {message}"
    return f"{fault}{choice}{spelling_hint(name, error['input'])}"


def spelling_hint(name: str, value: object) -> str:
    """A hint at the allowed word closest to `value`, if one is close."""
    words = [str(word) for word in getattr(Settings.model_fields[name].annotation, "__args__", ())]
    close = difflib.get_close_matches(str(value), words, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
