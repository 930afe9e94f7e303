"""Syncs of large files."""

import errno
import os
from pathlib import Path

import pytest

from session.disk import PIECE_BYTES, sync_in_pieces
from session.errors import SyncFailedError


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES + 4097])
def test_a_file_of_any_size_is_synced_whole_and_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = tmp_path / "file"
    content = os.urandom(size)
    path.write_bytes(content)
    synced: list[int] = []
    sync = os.fsync

    def noted_sync(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)
        sync(fd)

    monkeypatch.setattr(os, "fsync", noted_sync)
    sync_in_pieces(path)
    assert synced == [path.stat().st_ino]
    assert path.read_bytes() == content


def test_a_failed_sync_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(PIECE_BYTES + 1))

    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SyncFailedError):
        sync_in_pieces(path)
