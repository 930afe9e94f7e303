"""Unpacking of a wheel into a folder that appears complete or not at all."""

import os
import shutil
import zipfile
from pathlib import Path

from wheels.pinned_wheel import PinnedWheel

BLOCK_BYTES = 1 << 20


def unpack(wheel: PinnedWheel, archive: Path, folder: Path) -> None:
    """Unpack the kept files of a wheel into its folder, replacing what is there.

    Raises OSError.
    """
    staging = folder / f".{wheel.stem}.unpacking"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                if not member.is_dir() and wheel.keeps(member.filename):
                    write_member(opened, member, staging)
        replace_folder(staging, wheel.folder_in(folder))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Write one file of a wheel, and sync it."""
    target = folder / member.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, BLOCK_BYTES)
        file.flush()
        os.fsync(file.fileno())


def replace_folder(staging: Path, target: Path) -> None:
    """Rename a complete folder to its final path; a damaged one there is removed."""
    if target.exists():
        discarded = target.with_name(f".{target.name}.discarded")
        shutil.rmtree(discarded, ignore_errors=True)
        target.rename(discarded)
        shutil.rmtree(discarded, ignore_errors=True)
    staging.rename(target)
