"""Piper voices on disk: pairs of `NAME.onnx` and `NAME.onnx.json` in a folder and below it.

Every file is looked at by itself: a fault of one is the `problem` of that voice and hides no other.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tts.onnx_voices.bad_file import BadVoiceFile
from tts.onnx_voices.model_card import UNKNOWN_CARD, ModelCard
from tts.onnx_voices.onnx_file import check_inside, check_model_file, read_text_file
from tts.onnx_voices.piper_config import PiperConfig

MODEL, CONFIG, CARD = ".onnx", ".onnx.json", "MODEL_CARD"
OTHERS = ("kokoro",)
"""Folders in `voices_dir` that hold voices of other kinds."""
MAX_DEPTH = 5
"""Folders below `voices_dir`; the hub's layout has four: en/en_US/amy/medium."""
MAX_FILES = 2000

_NAME = re.compile(r"\w[\w.+-]{0,99}")

Stamp = tuple[tuple[int, ...], ...]
"""Identifies a state of a voice's files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PiperFile:
    """One voice on disk, usable or not."""

    name: str
    model: Path
    stamp: Stamp
    config: PiperConfig | None = None
    """None if there is a `problem`."""
    card: ModelCard = UNKNOWN_CARD
    is_live: bool = True
    problem: str | None = None

    @property
    def key(self) -> str:
        """Identifies the network in this state."""
        return f"{self.model}:{self.stamp}"


class PiperFolder:
    """The voices of a folder. Files are read again when they change. Used under a lock."""

    def __init__(self, root: Path) -> None:
        """`root` need not exist."""
        self._root = root
        self._known: dict[Path, PiperFile] = {}

    def voices(self) -> Mapping[str, PiperFile]:
        """Return the present voices by name, in order of their names."""
        root = self._root.resolve()
        known = {}
        for model in sorted(_models(root), key=lambda path: (len(path.parts), path)):
            stamp = _stamp(model)
            before = self._known.get(model)
            unchanged = before is not None and before.stamp == stamp
            known[model] = before if unchanged and before else read_voice(model, root, stamp)
        self._known = known
        named: dict[str, PiperFile] = {}
        for voice in known.values():
            named.setdefault(voice.name, voice)
        return dict(sorted(named.items()))


def read_voice(model: Path, root: Path, stamp: Stamp | None = None) -> PiperFile:
    """Check the files of one voice as far as that is quick. `root` must be resolved."""
    name, stamp = model.name.removesuffix(MODEL), stamp or _stamp(model)
    card = UNKNOWN_CARD
    try:
        _check_name(model)
        config_path = model.with_name(name + CONFIG)
        _check_pair(model, config_path, root)
        card = _card(model)
        check_model_file(model)
        config = _config(config_path, name)
    except BadVoiceFile as error:
        return PiperFile(name=name, model=model, stamp=stamp, card=card, problem=str(error))
    return PiperFile(name=name, model=model, stamp=stamp, config=config, card=card)


def _check_name(model: Path) -> None:
    if not model.name.endswith(MODEL):
        raise BadVoiceFile("is a link to a folder, which is not followed: copy its files")
    if not _NAME.fullmatch(model.name.removesuffix(MODEL)):
        raise BadVoiceFile(
            "may have only letters, digits and _ . + - in its name (at most 100): rename its files"
        )


def _config(path: Path, name: str) -> PiperConfig:
    try:
        return PiperConfig.parse(read_text_file(path), name=name)
    except BadVoiceFile as error:
        message = str(error)
        raise BadVoiceFile(
            message if message.startswith(path.name) else f"{path.name} {message}"
        ) from error


def _check_pair(model: Path, config: Path, root: Path) -> None:
    for path, other in ((model, config), (config, model)):
        if not os.path.lexists(path):
            raise BadVoiceFile(
                f"{path.name} is missing next to {other.name}: a voice is a pair of both files"
            )
        check_inside(path, root)


def _card(model: Path) -> ModelCard:
    """Read the card of a voice: its own, or that of a folder that has only this voice."""
    own = model.with_name(f"{model.name.removesuffix(MODEL)}.{CARD}")
    if own.exists():
        paths = [own]
    else:
        is_alone = sum(path.name.endswith(MODEL) for path in model.parent.iterdir()) == 1
        paths = [model.with_name(name) for name in (CARD, f"{CARD}.md") if is_alone]
    for path in paths:
        if path.exists():
            try:
                return ModelCard.parse(read_text_file(path).decode("utf-8", "replace"))
            except BadVoiceFile:  # the licence is then unknown, and is listed so
                break
    return UNKNOWN_CARD


def _models(root: Path) -> Iterator[Path]:
    """Yield the path of each network, also of one whose file is missing, and links to folders."""
    found, folders = set[Path](), [(root, 0)]
    while folders:
        folder, depth = folders.pop()
        for entry in _entries(folder):
            path = Path(entry.path)
            if depth == 0 and entry.name in OTHERS:
                continue
            if entry.name.endswith((MODEL, CONFIG)):
                found.add(path if entry.name.endswith(MODEL) else path.with_suffix(""))
            elif depth < MAX_DEPTH and entry.is_dir(follow_symlinks=False):
                folders.append((path, depth + 1))
            elif entry.is_symlink() and entry.is_dir():
                found.add(path)
            if len(found) >= MAX_FILES:
                break
    yield from found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:  # it does not exist, or may not be read: it has no voices for this user
        return []


def _stamp(model: Path) -> Stamp:
    name = model.name.removesuffix(MODEL)
    others = (name + CONFIG, f"{name}.{CARD}", CARD)
    return tuple(_file_stamp(path) for path in (model, *map(model.with_name, others)))


def _file_stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns
