"""Render tasks, one per film, from the command line or from a YAML file."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

import yaml

from tts.text.markup import Markup
from warm.offline.errors import BadTask, BadTaskFile

BBOX_SHIFTS = (-60, 60)
NUMBER_TYPES: Mapping[str, tuple[type, ...]] = {"bbox_shift": (int,), "speed": (int, float)}
"""Types of the numeric fields; all others are text."""
PATHS = ("audio", "video", "result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderTask:
    """One film to render. Raises BadTask if fields contradict one another."""

    number: int | None = None
    """Position in the file, from 1; None on the command line."""
    audio: Path | None = None
    text: str | None = None
    """Text for a voice; with an audio file, the text that it says."""
    markup: Markup | None = None
    """Markup of the text; None: `auto`."""
    avatar: str | None = None
    """Name of a prepared avatar."""
    video: Path | None = None
    """Photo or video that is prepared first, instead of an avatar."""
    bbox_shift: int | None = None
    """For that preparation; None uses the setting."""
    result: Path
    voice: str | None = None
    language: str | None = None
    speed: float | None = None

    def __post_init__(self) -> None:
        if self.audio is None and self.text is None:
            raise self.error("audio or text", "neither is given; give one of them, or both.")
        self._require_one_of("avatar", "video")
        low, high = BBOX_SHIFTS
        if self.bbox_shift is not None and not low <= self.bbox_shift <= high:
            raise self.error("bbox_shift", f"is {self.bbox_shift}; allowed are {low} to {high}.")
        if self.markup not in (None, *get_args(Markup)):
            allowed = ", ".join(get_args(Markup))
            raise self.error("markup", f"is {self.markup!r}; allowed are {allowed}.")
        self._refuse_choices_with_audio()
        if self.result.suffix.lower() != ".mp4":
            raise self.error("result", f"is {str(self.result)!r}; it must end in .mp4.")

    def error(self, field: str, message: str) -> BadTask:
        """Return an error that names the task and the field."""
        prefix = f"task {self.number}, " if self.number is not None else ""
        return BadTask(f"{prefix}{field}: {message}")

    def _refuse_choices_with_audio(self) -> None:
        """Raise BadTask if a voice is chosen for an audio file, or a language without a text."""
        names = () if self.audio is None else ("voice", "speed")
        for name in (*names, *(() if self.text else ("language", "markup"))):
            if getattr(self, name) is not None:
                raise self.error(
                    name, "is allowed with text only; an audio file has its own voice."
                )

    def _require_one_of(self, *names: str) -> None:
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            state = "both are given" if given else "neither is given"
            raise self.error(" or ".join(names), f"{state}; give one of them.")


FIELD_NAMES = tuple(field.name for field in fields(RenderTask) if field.name != "number")


def read_tasks(path: Path) -> list[RenderTask]:
    """Read the tasks of a YAML file in order; raises BadTaskFile, and BadTask for a bad field."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadTaskFile(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadTaskFile(f"{path} cannot be read as YAML: {error}") from error
    entries = content.get("tasks") if isinstance(content, dict) and len(content) == 1 else None
    if not isinstance(entries, list) or not entries:
        raise BadTaskFile(
            f"{path} must contain `tasks:` with a list of one or more, and no other key."
        )
    tasks = [parse_task(number, entry) for number, entry in enumerate(entries, 1)]
    check_results_differ(tasks)
    return tasks


def parse_task(number: int, entry: object) -> RenderTask:
    """Parse one entry of the list; raises BadTask."""
    if not isinstance(entry, dict):
        raise BadTask(f"task {number}: must be a mapping of fields, received {entry!r}.")
    for name in entry:
        if name not in FIELD_NAMES:
            raise BadTask(f"task {number}: {unknown_field_message(str(name))}")
    if entry.get("result") is None:
        raise BadTask(f"task {number}, result: is missing; name the film, for example talk.mp4.")
    values = {name: parse_value(number, name, value) for name, value in entry.items()}
    return RenderTask(number=number, **values)


def unknown_field_message(name: str) -> str:
    """Return the message for a field that does not exist."""
    close = difflib.get_close_matches(name, FIELD_NAMES, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(FIELD_NAMES)}."
    return f"unknown field {name!r}; {hint}"


def parse_value(number: int, name: str, value: Any) -> Any:
    """Check the type of a field's value; raises BadTask."""
    types = NUMBER_TYPES.get(name, (str,))
    if value is None:
        return None
    if isinstance(value, bool) or not any(isinstance(value, each) for each in types):
        required = "a number" if name in NUMBER_TYPES else "text"
        raise BadTask(f"task {number}, {name}: is {value!r}; it must be {required}.")
    return Path(value) if name in PATHS else value


def check_results_differ(tasks: list[RenderTask]) -> None:
    """Raise BadTask if two tasks would write the same film."""
    seen: dict[Path, RenderTask] = {}
    for task in tasks:
        first = seen.setdefault(task.result.absolute(), task)
        if first is not task:
            raise task.error("result", f"{task.result} is also the result of task {first.number}.")


def describe(task: RenderTask) -> str:
    """Return a short description of a task for messages."""
    return " ".join(description_parts(task))


def description_parts(task: RenderTask) -> Iterator[str]:
    """Yield the parts of a task's description."""
    if task.number is not None:
        yield f"task {task.number}:"
    yield str(task.audio) if task.audio is not None else "a text"
    yield f"with {task.avatar or task.video} -> {task.result}"
