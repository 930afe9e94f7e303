"""Environment names of MuseTalk's lip-sync service, as settings of this server.

Variables with the prefix WARMTALK_ and flags take precedence over them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from warm.container.errors import ContainerError
from warm.settings import ENV_PREFIX, Settings, allowed


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and the setting that it sets."""

    name: str
    setting: str | None
    """None: the variable is accepted and has no effect."""
    reason: str = ""
    """The reason why it has no effect."""


VARIABLES = (
    Variable("HOST", "host"),
    Variable("PORT", "port"),
    Variable("STORAGE_DIR", "results_dir"),
    Variable("MODELS_DIR", "models_dir"),
    Variable("MUSETALK_DIR", None, "MuseTalk need not be installed: the engine reads its weights"),
    Variable("LAZY_LOAD", "lazy_load"),
    Variable("UNLOAD_IDLE_SECONDS", "unload_idle_seconds"),
    Variable("MAX_VRAM_GB", "max_vram_gb"),
    Variable("CLEAR_CACHE_AFTER_GENERATION", "clear_cache_after_generation"),
    Variable("OUTPUT_RESOLUTION", "max_side"),
    Variable("OUTPUT_FPS", "fps"),
    Variable("MAX_CONCURRENT_JOBS", "max_concurrent_jobs"),
    Variable("JOB_TIMEOUT_SECONDS", "job_timeout_seconds"),
    Variable("MAX_QUEUE_SIZE", "max_queue_size"),
)


QUOTES = "\"'"


@dataclass(slots=True)
class Translation:
    """The settings that the variables set."""

    settings: dict[str, str] = field(default_factory=dict)
    """Value by setting."""
    names: dict[str, str] = field(default_factory=dict)
    """The variable of each of these settings."""
    notes: list[str] = field(default_factory=list)
    """One line per variable: its effect."""


def translate(environment: Mapping[str, str], flags: Mapping[str, str]) -> Translation:
    """Translate the variables of an environment; raises ContainerError with a line per bad value.

    `flags` are the settings of the command line by name. They and WARMTALK_… variables take
    precedence over other variables, whose values are then not read.
    """
    found = Translation()
    faults: list[str] = []
    for variable in VARIABLES:
        value = environment.get(variable.name)
        if value is None:
            continue
        note, is_used = effect(variable, value, environment, flags)
        found.notes.append(note)
        if is_used and variable.setting:
            faults += quote_faults(variable.name, value) or value_faults(variable, value)
            found.settings[variable.setting] = value
            found.names[variable.setting] = variable.name
    if faults:
        raise ContainerError("\n".join(faults))
    return found


def effect(
    variable: Variable, value: str, environment: Mapping[str, str], flags: Mapping[str, str]
) -> tuple[str, bool]:
    """The effect of a variable in a line, and True if its value is used."""
    given = f"{variable.name} = {value!r}"
    setting = variable.setting
    if not value.strip():
        return f"{variable.name} is empty, and so has no effect", False
    if setting is None:
        return f"{given} has no effect: {variable.reason}", False
    own = f"{ENV_PREFIX}{setting.upper()}"
    winner = next(iter(winners(setting, environment, flags)), None)
    if winner is None:
        return f"{given} sets {setting} (another name for {own})", True
    name, winning = winner
    if winning == value:
        return f"{given}: {name} has the same value", False
    return f"Conflict: {given} is ignored, because {name} = {winning!r} comes first", False


def winners(
    setting: str, environment: Mapping[str, str], flags: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield name and value of sources that take precedence over a variable of another service."""
    if setting in flags:
        yield f"--{setting.replace('_', '-')}", flags[setting]
    own = f"{ENV_PREFIX}{setting.upper()}"
    if own in environment:
        yield own, environment[own]


def quote_faults(name: str, value: str) -> list[str]:
    """A line if a value is in quotes, which `--env-file` and lists of Compose pass on."""
    if len(value) < len(QUOTES) or value[0] != value[-1] or value[0] not in QUOTES:
        return []
    return [f"{name} = {value!r}: the quotes are part of the value; write {name}={value[1:-1]}"]


def value_faults(variable: Variable, value: str) -> Iterator[str]:
    """Yield a line if the setting does not allow the value; it names the variable."""
    setting = str(variable.setting)
    try:
        Settings.model_validate({setting: value})
    except ValidationError as invalid:
        message = invalid.errors()[0]["msg"].removeprefix("Value error, ")
        choice = "" if "allowed" in message else f"; allowed: {allowed(setting).replace('`', '')}"
        yield f"{variable.name} = {value!r} (the setting {setting}): {message}{choice}"


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """The variables of this server for settings."""
    return {f"{ENV_PREFIX}{name.upper()}": value for name, value in settings.items()}


def name_of(setting: str) -> str:
    """The variable that the documentation of the image names for a setting."""
    names = {variable.setting: variable.name for variable in VARIABLES}
    return names.get(setting, f"{ENV_PREFIX}{setting.upper()}")
