"""The folders that are mounted into a container."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.server.folder_lock import lock_folder
from warm.container.errors import ContainerError
from warm.container.storage import check_models, check_storage
from warm.heads.head import Head
from warm.keys.errors import KeysError
from warm.keys.key_file import read_key_file

NAME = "STORAGE_DIR = '/somewhere'"
OTHER_UID, OTHER_GID = 12345, 12346
root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount and change users")


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory; skips where mounts are forbidden."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def other_user() -> Iterator[None]:
    """Let this process be another user during the block."""
    os.setresgid(OTHER_GID, OTHER_GID, 0)
    os.setresuid(OTHER_UID, OTHER_UID, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


def checked_as_other_user(folder: Path) -> str:
    """The notes or the refusal that another user gets."""
    try:
        with other_user():
            return "\n".join(check_storage(folder, NAME))
    except ContainerError as error:
        return str(error)


def opened_for_all(path: Path) -> Path:
    """Let every user pass through the folders of pytest."""
    for each in (path, *path.parents):
        if "pytest" in str(each):
            each.chmod(0o755)
    return path


def test_a_missing_folder_is_created(tmp_path: Path) -> None:
    notes = check_storage(tmp_path / "a" / "b", NAME)
    assert (tmp_path / "a" / "b").is_dir()
    assert list((tmp_path / "a" / "b").iterdir()) == []
    assert all("no volume is mounted" in note for note in notes)


@root_only
def test_a_relative_folder_is_refused_with_an_absolute_place_for_the_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_for_all(tmp_path)
    monkeypatch.chdir(tmp_path)
    shown = checked_as_other_user(Path("films/all"))
    assert f"{NAME}: {tmp_path} belongs to uid 0" in shown
    assert f"docker run -v warmtalk-storage:{tmp_path}/films/all …" in shown


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ContainerError, match="STORAGE_DIR = '/somewhere': is not a folder"):
        check_storage(tmp_path / "file", NAME)
    with pytest.raises(ContainerError, match="STORAGE_DIR = '/somewhere': cannot be written"):
        check_storage(tmp_path / "file" / "below", NAME)


@root_only
def test_a_read_only_volume_is_refused_with_the_option_to_remove(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", "size=1m,ro") as disk,
        pytest.raises(ContainerError, match=r"is on a read-only file system.* without `:ro`"),
    ):
        check_storage(disk, NAME)


@root_only
def test_a_folder_that_is_missing_on_a_read_only_disk_is_refused(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", "size=1m,ro") as disk,
        pytest.raises(ContainerError, match="read-only file system"),
    ):
        check_storage(disk / "storage", NAME)


@root_only
def test_a_full_volume_is_refused_with_its_free_space_at_the_first_start(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=128k") as disk:
        (disk / "film").write_bytes(bytes(120_000))
        with pytest.raises(ContainerError) as refused:
            check_storage(disk, NAME)
    assert str(refused.value) == (
        f"{NAME}: the disk is full (0.0 MB free). Make room, or mount a larger volume."
    )


@root_only
def test_films_on_a_full_volume_can_still_be_served(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=128k") as disk:
        (disk / ".server-lock").touch()
        (disk / "film").write_bytes(bytes(120_000))
        (note,) = check_storage(disk, NAME)
    assert note.startswith(f"{NAME}: the disk is full (0.0 MB free)")


@root_only
def test_a_mounted_volume_is_recognised(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        assert check_storage(disk / "below", NAME) == []


@root_only
def test_a_folder_of_another_user_is_refused_with_both_remedies(tmp_path: Path) -> None:
    opened_for_all(tmp_path)
    (tmp_path / "storage").mkdir(mode=0o755)
    os.chown(tmp_path / "storage", 1000, 1001)
    shown = checked_as_other_user(tmp_path / "storage")
    assert f"{NAME}: {tmp_path / 'storage'} belongs to uid 1000, gid 1001 (mode 755)" in shown
    assert "docker run --user 1000:1001" in shown
    assert f"chown -R {OTHER_UID}:{OTHER_GID} FOLDER" in shown


@root_only
def test_nobody_is_advised_to_run_the_container_as_root(tmp_path: Path) -> None:
    opened_for_all(tmp_path)
    (tmp_path / "storage").mkdir(mode=0o755)
    shown = checked_as_other_user(tmp_path / "storage")
    assert "belongs to uid 0" in shown and "--user" not in shown and "chown -R" in shown


@root_only
def test_any_user_may_use_an_open_folder(tmp_path: Path) -> None:
    opened_for_all(tmp_path)
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage").chmod(0o1777)
    assert "chown" not in checked_as_other_user(tmp_path / "storage")


@root_only
@pytest.mark.parametrize("name", ["avatars/demo", "sessions/a", "jobs.sqlite3", "keys.json"])
def test_files_of_an_earlier_user_are_refused_at_the_start(tmp_path: Path, name: str) -> None:
    opened_for_all(tmp_path)
    storage = tmp_path / "storage"
    storage.mkdir()
    storage.chmod(0o1777)
    path = storage / name
    path.parent.mkdir(exist_ok=True)
    path.mkdir() if "/" in name else path.touch()
    path.chmod(0o700)
    shown = checked_as_other_user(storage)
    assert f"{storage / name.split('/', maxsplit=1)[0]}" in shown
    assert "belongs to uid 0" in shown


@root_only
def test_nobody_is_advised_to_remove_the_keys_of_another_user(tmp_path: Path) -> None:
    opened_for_all(tmp_path)
    path = tmp_path / "keys.json"
    path.touch(mode=0o600)
    with other_user(), pytest.raises(KeysError) as refused:
        read_key_file(path)
    assert f"{path}: cannot be read by uid {OTHER_UID}" in str(refused.value)
    assert "remove" not in str(refused.value)


@root_only
def test_foreign_files_that_are_not_of_the_server_do_not_matter(tmp_path: Path) -> None:
    opened_for_all(tmp_path)
    storage = tmp_path / "storage"
    storage.mkdir()
    storage.chmod(0o1777)
    (storage / "lost+found").mkdir(mode=0o700)
    assert "belongs" not in checked_as_other_user(storage)


def test_a_storage_that_a_server_uses_is_refused(tmp_path: Path) -> None:
    with lock_folder(tmp_path), pytest.raises(ContainerError, match="another server uses it"):
        check_storage(tmp_path, NAME)
    check_storage(tmp_path, NAME)
    lock_folder(tmp_path).close()


def test_heads_may_share_a_storage_but_not_with_other_servers(tmp_path: Path) -> None:
    one = Head(name="a", url="http://127.0.0.1:1")
    with lock_folder(tmp_path, one):
        check_storage(tmp_path, NAME, is_shared=True)
        with pytest.raises(ContainerError, match="WARMTALK_HEAD"):
            check_storage(tmp_path, NAME)
    with lock_folder(tmp_path), pytest.raises(ContainerError, match="another server uses it"):
        check_storage(tmp_path, NAME, is_shared=True)


def test_models_may_be_missing_or_read_only_but_no_file(tmp_path: Path) -> None:
    name = "MODELS_DIR = '/somewhere'"
    assert check_models(tmp_path, name) == []
    assert "does not exist" in check_models(tmp_path / "models", name)[0]
    (tmp_path / "file").touch()
    with pytest.raises(ContainerError, match="MODELS_DIR = '/somewhere': is not a folder"):
        check_models(tmp_path / "file", name)
