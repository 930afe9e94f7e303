"""What to make: one film a task, from the command line or from a YAML file of many."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from warm.offline.errors import BadTask, BadTaskFile

BBOX_SHIFTS = (-60, 60)
KINDS: Mapping[str, tuple[type, ...]] = {"bbox_shift": (int,), "speed": (int, float)}
"""What fields hold that are no text."""
PATHS = ("audio", "video", "result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderTask:
    """One film. Raises BadTask where fields contradict one another."""

    number: int | None = None
    """Its place in the file, from 1; None when it came from the command line."""
    audio: Path | None = None
    text: str | None = None
    """Instead of a sound file: what a voice says."""
    avatar: str | None = None
    """The name of a prepared avatar."""
    video: Path | None = None
    """Instead of that: a photo or video, which is prepared first."""
    bbox_shift: int | None = None
    """Of that preparation; none is the setting's."""
    result: Path
    voice: str | None = None
    language: str | None = None
    speed: float | None = None

    def __post_init__(self) -> None:
        self._one_of("audio", "text")
        self._one_of("avatar", "video")
        low, high = BBOX_SHIFTS
        if self.bbox_shift is not None and not low <= self.bbox_shift <= high:
            raise self.fault("bbox_shift", f"is {self.bbox_shift}; allowed are {low} to {high}.")
        if self.text is None:
            for name in ("voice", "language", "speed"):
                if getattr(self, name) is not None:
                    raise self.fault(name, "goes with text only; a sound file has its own voice.")
        if self.result.suffix.lower() != ".mp4":
            raise self.fault("result", f"is {str(self.result)!r}; it must end in .mp4.")

    def fault(self, field: str, words: str) -> BadTask:
        """An error that names the task and the field."""
        place = f"task {self.number}, " if self.number is not None else ""
        return BadTask(f"{place}{field}: {words}")

    def _one_of(self, *names: str) -> None:
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            state = "both are given" if given else "neither is given"
            raise self.fault(" or ".join(names), f"{state}; give one of them.")


NAMES = tuple(field.name for field in fields(RenderTask) if field.name != "number")


def read_tasks(path: Path) -> list[RenderTask]:
    """The tasks of a YAML file, in order; raises BadTaskFile, and BadTask for a bad field."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadTaskFile(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadTaskFile(f"{path} cannot be read as YAML: {error}") from error
    entries = content.get("tasks") if isinstance(content, dict) and len(content) == 1 else None
    if not isinstance(entries, list) or not entries:
        raise BadTaskFile(
            f"{path} must hold `tasks:` with a list of one or more, and no other key."
        )
    tasks = [task_of(number, entry) for number, entry in enumerate(entries, 1)]
    require_own_results(tasks)
    return tasks


def task_of(number: int, entry: object) -> RenderTask:
    """One entry of the list; raises BadTask."""
    if not isinstance(entry, dict):
        raise BadTask(f"task {number}: must be a mapping of fields, received {entry!r}.")
    for name in entry:
        if name not in NAMES:
            raise BadTask(f"task {number}: {unknown(str(name))}")
    if entry.get("result") is None:
        raise BadTask(f"task {number}, result: is missing; name the film, for example talk.mp4.")
    values = {name: value_of(number, name, value) for name, value in entry.items()}
    return RenderTask(number=number, **values)


def unknown(name: str) -> str:
    """What to say of a field that does not exist."""
    close = difflib.get_close_matches(name, NAMES, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(NAMES)}."
    return f"unknown field {name!r}; {hint}"


def value_of(number: int, name: str, value: Any) -> Any:
    """A field's value, of the kind that it must have; raises BadTask."""
    kinds = KINDS.get(name, (str,))
    if value is None:
        return None
    if isinstance(value, bool) or not any(isinstance(value, kind) for kind in kinds):
        wanted = "a number" if name in KINDS else "text"
        raise BadTask(f"task {number}, {name}: is {value!r}; it must be {wanted}.")
    return Path(value) if name in PATHS else value


def require_own_results(tasks: list[RenderTask]) -> None:
    """Raise BadTask when two tasks would write the same film."""
    seen: dict[Path, RenderTask] = {}
    for task in tasks:
        first = seen.setdefault(task.result.absolute(), task)
        if first is not task:
            raise task.fault("result", f"{task.result} is that of task {first.number} too.")


def described(task: RenderTask) -> str:
    """A task for people."""
    return " ".join(words(task))


def words(task: RenderTask) -> Iterator[str]:
    """The parts of its description."""
    if task.number is not None:
        yield f"task {task.number}:"
    yield str(task.audio) if task.audio is not None else "a text"
    yield f"with {task.avatar or task.video} -> {task.result}"
