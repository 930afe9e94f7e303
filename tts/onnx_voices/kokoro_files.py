"""Files of Kokoro-82M in `voices_dir/kokoro`: one network, and a style file for each voice."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tts.onnx_voices.bad_file import BadVoiceFile
from tts.onnx_voices.onnx_file import check_inside, check_model_file

FOLDER, MODEL, STYLE, STYLES_FOLDER = "kokoro", ".onnx", ".bin", "voices"
STYLE_BYTES = 4 * 510 * 256
_NAME = re.compile(r"[a-z][fm]_[a-z0-9_]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KokoroFiles:
    """The present files."""

    model: Path | None = None
    styles: Mapping[str, Path] = field(default_factory=dict)
    """By the name of the voice, in order."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Faults of styles, by the name of the voice."""
    problem: str | None = None
    """Fault of the network."""

    @property
    def key(self) -> str:
        """Identifies the network in its present state."""
        return "" if self.model is None else f"{self.model}:{_stamp(self.model)}"


def find_kokoro(voices_dir: Path) -> KokoroFiles:
    """Look for the files; only their sizes and the outer structure of the network are checked."""
    root = (voices_dir / FOLDER).resolve()
    models = sorted(root.glob(f"*{MODEL}"))
    if not models:
        return KokoroFiles()
    styles = dict(sorted((path.stem, path) for path in _style_files(root)))
    problems = {name: fault for name, path in styles.items() if (fault := _fault(path, root))}
    problem = None
    try:
        _check_alone(models)
        check_inside(models[0], root)
        check_model_file(models[0])
    except BadVoiceFile as error:
        problem = str(error)
    return KokoroFiles(model=models[0], styles=styles, problems=problems, problem=problem)


def _check_alone(models: Sequence[Path]) -> None:
    if len(models) > 1:
        names = ", ".join(path.name for path in models)
        raise BadVoiceFile(f"{models[0].parent} has several networks, {names}: keep one")


def _style_files(root: Path) -> Iterator[Path]:
    for folder in (root / STYLES_FOLDER, root):
        yield from (path for path in folder.glob(f"*{STYLE}") if _NAME.fullmatch(path.stem))


def _fault(path: Path, root: Path) -> str:
    """Return what is wrong with a style file; empty if nothing is."""
    try:
        check_inside(path, root)
        size = path.stat().st_size if path.is_file() else 0
    except (BadVoiceFile, OSError) as error:
        return str(error)
    if size == STYLE_BYTES:
        return ""
    return f"{path.name} has {size} bytes, the style of a voice has {STYLE_BYTES}: fetch it again"


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns
