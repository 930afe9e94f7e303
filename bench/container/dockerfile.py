"""The steps of the Dockerfile, and the files of its build context."""

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE, IGNORED = ROOT / "Dockerfile", ROOT / ".dockerignore"
CONTINUED = re.compile(r"\\\n")
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Step:
    """An instruction of a stage."""

    name: str
    value: str

    def words(self) -> list[str]:
        """The value as words; an exec form is JSON."""
        return json.loads(self.value) if self.value.startswith("[") else shlex.split(self.value)


@dataclass(slots=True)
class Stage:
    """A stage of the build."""

    name: str
    base: str
    """The name of an earlier stage, or of an image."""
    steps: list[Step] = field(default_factory=list)


def read_stages(path: Path = DOCKERFILE) -> dict[str, Stage]:
    """The stages by name, in their order."""
    stages: dict[str, Stage] = {}
    defaults: dict[str, str] = {}
    stage: Stage | None = None
    for step in read_steps(path.read_text("utf-8")):
        if step.name == "FROM":
            base, _, name = expanded(step.value, defaults).partition(" AS ")
            stage = stages[name] = Stage(name, base)
        elif stage is None:
            name, _, value = step.value.partition("=")
            defaults[name] = value
        else:
            stage.steps.append(step)
    return stages


def read_steps(text: str) -> Iterator[Step]:
    """Yield the instructions; comments between the lines of one are allowed."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in CONTINUED.sub(" ", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, value = line.strip().partition(" ")
            yield Step(name, value.strip())


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables replaced."""
    return VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def lineage(stages: Mapping[str, Stage], name: str) -> list[Stage]:
    """A stage and the stages that it is based on, the first one first."""
    stage = stages[name]
    return [*(lineage(stages, stage.base) if stage.base in stages else ()), stage]


def context_files() -> Iterator[Path]:
    """Yield the paths of the context, relative to it, that .dockerignore does not leave out."""
    rules = [line for line in IGNORED.read_text("utf-8").split("\n") if line and line[0] != "#"]
    for top in sorted(ROOT.iterdir()):
        if not is_ignored(top.relative_to(ROOT), rules):
            found = [top] if top.is_file() else sorted(top.rglob("*"))
            relative = [path.relative_to(ROOT) for path in found if path.is_file()]
            yield from (path for path in relative if not is_ignored(path, rules))


def is_ignored(path: Path, rules: list[str]) -> bool:
    """True if the last rule that matches the path or a folder of it leaves it out."""
    names = [path.as_posix(), *(parent.as_posix() for parent in path.parents[:-1])]
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        if any(matches(name, pattern) for name in names):
            ignored = not rule.startswith("!")
    return ignored


def matches(name: str, pattern: str) -> bool:
    """True if a path matches a pattern, whose `*` does not cross folders."""
    parts, wanted = name.split("/"), pattern.split("/")
    if wanted[0] == "**":
        parts, wanted = parts[-len(wanted[1:]) :], wanted[1:]
    pairs = zip(parts, wanted, strict=True) if len(parts) == len(wanted) else None
    return pairs is not None and all(fnmatch.fnmatchcase(*pair) for pair in pairs)
