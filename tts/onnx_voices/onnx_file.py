"""Quick check that an ONNX file is complete. Reads a few bytes, so that listing voices is fast."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from tts.onnx_voices.bad_file import BadVoiceFile

MAX_MODEL_BYTES = 600_000_000
"""The largest voices have 330 MB."""
MAX_TEXT_BYTES = 4_000_000
"""Limit of the files of text next to a network."""

_GRAPH_FIELD = 7
_WIRE_VARINT, _WIRE_BYTES = 0, 2
_MAX_FIELDS = 1000
_HEAD_BYTES = 24
"""More than the longest key and size of a field."""
_DOWNLOADED_INSTEAD = {
    b"version https://git-lfs": "is a pointer of Git LFS instead of the file",
    b"<!doctype": "is a web page instead of the file",
    b"<html": "is a web page instead of the file",
    b"{": "is JSON instead of an ONNX model",
}


def check_inside(path: Path, root: Path) -> None:
    """Raise BadVoiceFile for a link that leads out of the folder `root` or nowhere.

    `root` must be resolved.
    """
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise BadVoiceFile(f"{path.name} is a link that leads nowhere ({error})") from error
    if not target.is_relative_to(root):
        raise BadVoiceFile(
            f"{path.name} is a link to {target}, outside of {root}: copy the file instead"
        )


def read_text_file(path: Path) -> bytes:
    """Return the content of a small regular file; raises BadVoiceFile."""
    with _open(path, MAX_TEXT_BYTES) as file:
        return file.read(MAX_TEXT_BYTES + 1)


def read_model(path: Path) -> bytes:
    """Return the content of an ONNX file; raises BadVoiceFile."""
    with _open(path, MAX_MODEL_BYTES) as file:
        return file.read()


def check_model_file(path: Path) -> None:
    """Raise BadVoiceFile if a file is not an ONNX model, or is shorter than it announces."""
    with _open(path, MAX_MODEL_BYTES) as file:
        start = file.read(64).lstrip().lower()
        for beginning, reason in _DOWNLOADED_INSTEAD.items():
            if start.startswith(beginning):
                raise BadVoiceFile(f"{path.name} {reason}: download it again")
        size = os.fstat(file.fileno()).st_size
        numbers = _field_numbers(file, size, path.name)
        if _GRAPH_FIELD not in numbers:
            raise BadVoiceFile(f"{path.name} is not an ONNX model: download it again")


def _open(path: Path, max_bytes: int) -> BinaryIO:
    """Open a regular file of a permitted size; never waits, even for a pipe."""
    try:
        file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: PTH123, SIM115
    except OSError as error:
        raise BadVoiceFile(f"{path.name} cannot be opened: {error.strerror}") from error
    status = os.fstat(file.fileno())
    reason = ""
    if not stat.S_ISREG(status.st_mode):
        reason = "is not a regular file: remove it"
    elif status.st_size > max_bytes:
        reason = f"has {status.st_size} bytes, at most {max_bytes} are allowed: it is not a voice"
    elif status.st_size == 0:
        reason = "is empty: download it again"
    if reason:
        file.close()
        raise BadVoiceFile(f"{path.name} {reason}")
    return file


def _field_numbers(file: BinaryIO, size: int, name: str) -> set[int]:
    """Return the numbers of the outermost fields; their content is skipped."""
    numbers, position = set[int](), 0
    while position < size:
        file.seek(position)
        head = file.read(_HEAD_BYTES)
        key, used = _varint(head, 0)
        value, used = _varint(head, used)
        is_known = key & 7 in (_WIRE_VARINT, _WIRE_BYTES) and used <= len(head)
        if not is_known or len(numbers) > _MAX_FIELDS:
            raise BadVoiceFile(f"{name} is not an ONNX model: download it again")
        position += used + (value if key & 7 == _WIRE_BYTES else 0)
        numbers.add(key >> 3)
    if position != size:
        raise BadVoiceFile(
            f"{name} is truncated: it has {size} of {position} bytes; download it again"
        )
    return numbers


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return an integer and the position after it, past the end if it is incomplete."""
    value = 0
    for index, byte in enumerate(data[position:]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, position + index + 1
    return value, len(data) + 1
