"""`python -m warm container`: the entry point of the image.

It checks settings and mounted folders, prepares the first start, and becomes the server, or another
command.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from warm.container.addresses import check_addresses, is_exposed, probed_address
from warm.container.errors import ContainerError
from warm.container.first_key import provide_first_key
from warm.container.included import included_face_models, provide_demo
from warm.container.probe import PROBED
from warm.container.storage import check_models, check_storage
from warm.container.variables import Translation, environment_of, name_of, translate
from warm.engine_factory import require_engine_packages
from warm.engines.weights.errors import WeightsError
from warm.installation import PACKAGE, PackageMissing, is_installed
from warm.keys.errors import KeysError
from warm.prepare.demo import demo_portrait
from warm.settings import ENV_PREFIX, BadSettings, Settings, read_settings
from warm.settings.sources import read_command_line, read_yaml

COMMAND = "container"
PROGRAM = "python -m warm container"
SERVE = "serve"
DEFAULTS = {"host": "0.0.0.0", "results_dir": "/app/storage", "models_dir": "/app/models"}
"""Settings that a container has unless the user sets them."""
DOWNLOAD = (
    "Download the weights to the volume of the models with the command `models download`:"
    " docker run --rm -v warmtalk-models:{} … models download"
)
STORAGE, MODELS = "results_dir", "models_dir"


def add_container(command: argparse.ArgumentParser) -> None:
    """Describe `container`, whose words are parsed by the program that it starts."""
    command.add_argument(
        "words", nargs="*", metavar="COMMAND|--SETTING",
        help="a command with its arguments, or flags of the server; default: the server",
    )  # fmt: skip


def run_container(words: Sequence[str]) -> int:
    """Become the server or the command; return 2 if it cannot start."""
    try:
        is_server = not words or words[0] == SERVE or words[0].startswith("-")
        if is_server:
            flags = [word for word in words[:1] if word != SERVE] + list(words[1:])
            start_server(flags)
        start_command(words)
    except (ContainerError, BadSettings, KeysError, PackageMissing) as error:
        print(f"The container cannot start.\n{error}", file=sys.stderr)
        return 2


def start_server(flags: Sequence[str]) -> NoReturn:
    """Become the server; raises ContainerError, BadSettings, KeysError and PackageMissing."""
    origin = Origin.read(flags)
    settings = origin.settings
    notes = [f"Running as uid {os.getuid()}, gid {os.getgid()}.", *origin.translation.notes]
    check_addresses(settings.host, settings.port, origin.label)
    notes += check_storage(
        settings.results_dir, origin.label(STORAGE), is_shared=settings.head is not None
    )
    notes += check_models(settings.models_dir, origin.label(MODELS))
    os.environ.update(environment_of(first_data(settings, origin.label(STORAGE))))
    if is_exposed(settings.host, settings.port, origin.label):
        notes += provide_first_key(settings)
    os.environ[PROBED] = probed_address(settings.host, settings.port)
    notes += provide_temporary_folder(settings.results_dir)
    report(notes)
    become([SERVE, *flags])


def start_command(words: Sequence[str]) -> NoReturn:
    """Become a command other than the server; raises ContainerError and BadSettings."""
    Origin.read(())
    become(words)


def first_data(settings: Settings, name: str) -> dict[str, str]:
    """Settings for a start with the contents of the image.

    Raises ContainerError, and PackageMissing if the image is not made for the engine.
    """
    require_engine_packages(settings)
    try:
        return provide_demo(settings, demo_portrait(), name)
    except WeightsError as error:
        raise ContainerError(f"{error}\n{DOWNLOAD.format(settings.models_dir)}") from None


def report(notes: Sequence[str]) -> None:
    """Write notes to the log of the container."""
    for note in notes:
        print(f"container: {note}", file=sys.stderr)


def become(words: Sequence[str]) -> NoReturn:
    """Replace this process, so that signals reach the server itself."""
    sys.stdout.flush()
    sys.stderr.flush()
    program = ["-m", "warmtalk"] if is_installed() else [str(PACKAGE.parent / "warmtalk.py")]
    os.execv(sys.executable, [sys.executable, *program, *words])


def provide_temporary_folder(storage: Path) -> list[str]:
    """Choose a folder for temporary files if none can be written; return notes for the log."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        folder = storage / "tmp"
        folder.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = str(folder)
        return [f"/tmp cannot be written, so temporary files go to {folder}: add --tmpfs /tmp"]
    return []


class Origin:
    """The settings, and the source of each value."""

    def __init__(
        self, flags: Mapping[str, str], translation: Translation, file: Path | None, named: set[str]
    ) -> None:
        self.translation = translation
        self._flags, self._file, self._named = flags, file, named
        self.defaults: dict[str, str] = {}
        self.settings: Settings

    @classmethod
    def read(cls, flags: Sequence[str]) -> "Origin":
        """Read all sources, and write the settings to the environment for what is started.

        Raises ContainerError and BadSettings.
        """
        given = read_command_line(flags, PROGRAM)
        translation = translate(os.environ, given)
        path = given.get("config", os.environ.get(f"{ENV_PREFIX}CONFIG"))
        content: dict[str, Any] = read_yaml(Path(path)) if path else {}
        origin = cls(given, translation, Path(path) if path else None, set(content))
        origin.defaults = origin.missing_defaults()
        os.environ.update(environment_of({**origin.defaults, **translation.settings}))
        origin.settings = read_settings(flags, program=PROGRAM)
        return origin

    def missing_defaults(self) -> dict[str, str]:
        """The defaults of a container for settings without any other value."""
        face_models = included_face_models()
        added = {} if face_models is None else {"face_models_dir": str(face_models)}
        return {
            name: value
            for name, value in {**DEFAULTS, **added}.items()
            if name not in self._named and f"{ENV_PREFIX}{name.upper()}" not in os.environ
        }

    def label(self, name: str) -> str:
        """A setting with its value, named as the user has set it."""
        value = f"= {str(getattr(self.settings, name))!r}"
        if name in self._flags:
            return f"--{name.replace('_', '-')} {value}"
        if name in self.translation.names:
            return f"{self.translation.names[name]} {value}"
        if name in self.defaults:
            return f"{name_of(name)} {value} (the default)"
        if f"{ENV_PREFIX}{name.upper()}" in os.environ:
            return f"{ENV_PREFIX}{name.upper()} {value}"
        if name in self._named:
            return f"{name} {value} (in {self._file})"
        return f"{name_of(name)} {value} (the default)"
