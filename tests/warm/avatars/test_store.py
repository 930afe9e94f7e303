"""Avatars are opened whole or not at all, and replaced in one step."""

import fcntl
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.store import (
    SMALL_BYTES,
    AvatarDamaged,
    AvatarMissing,
    AvatarOutdated,
    AvatarStore,
    BadAvatarId,
)

FRAMES = np.random.default_rng(0).integers(0, 255, (12, 200, 160, 3), np.uint8)
"""More than SMALL_BYTES of them."""


@pytest.fixture
def store(tmp_path: Path) -> AvatarStore:
    return AvatarStore(tmp_path / "results")


def save(
    store: AvatarStore,
    avatar_id: str = "anna",
    *,
    frames: NDArray[np.uint8] = FRAMES,
    extra: NDArray[Any] | None = None,
) -> Avatar:
    """An avatar made of nothing but arrays."""
    count = len(frames)
    with store.building(avatar_id) as folder:
        transforms = np.tile(np.eye(2, 3), (count, 1, 1))
        landmarks = np.ones((count, 468, 3), np.float32)
        build = AvatarBuild(folder, 25, frames, transforms, landmarks, "pingpong", {})
        for name, array in (
            ("frames", frames),
            ("transforms", transforms),
            ("landmarks", landmarks),
            ("teeth", np.arange(5) if extra is None else extra),
        ):
            np.save(folder / f"{name}.npy", array)
        facts = {"source": "anna.jpg"}
        store.write_manifest(
            build, avatar_id=avatar_id, digest="d" * 64, metadata=facts, notes=["One face."]
        )
    return store.open(avatar_id)


def visible(store: AvatarStore) -> list[str]:
    return sorted(path.name for path in store.root.iterdir())


def test_an_opened_avatar_is_what_was_built(store: AvatarStore) -> None:
    avatar = save(store)
    assert np.array_equal(avatar.frames, FRAMES)
    assert avatar.size == (160, 200)
    assert avatar.fps == 25 and avatar.loop == "pingpong" and avatar.digest == "d" * 64
    assert avatar.transforms.shape == (12, 2, 3) and avatar.landmarks.shape == (12, 468, 3)
    assert {name: array.tolist() for name, array in avatar.extras.items()} == {
        "teeth": [0, 1, 2, 3, 4]
    }


def test_nobody_can_write_to_an_avatar_and_its_frames_stay_on_disk(store: AvatarStore) -> None:
    avatar = save(store)
    assert FRAMES.nbytes > SMALL_BYTES
    assert isinstance(avatar.frames.base, np.memmap)
    for array in (avatar.frames, avatar.transforms, avatar.landmarks, avatar.extras["teeth"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_missing_avatar_names_the_command_that_makes_it(store: AvatarStore) -> None:
    with pytest.raises(AvatarMissing, match=r"prepare PHOTO_OR_VIDEO --avatar-id nobody --results"):
        store.open("nobody")
    with pytest.raises(AvatarMissing):
        store.delete("nobody")


@pytest.mark.parametrize("name", ["", ".", "..", "../etc", "a/b", "a b", "é", "a" * 65, "x\n"])
def test_a_name_that_could_leave_the_folder_is_refused(name: str, store: AvatarStore) -> None:
    with pytest.raises(BadAvatarId, match="allowed are 1 to 64 letters"):
        store.open(name)


def test_an_avatar_of_another_version_says_so(store: AvatarStore) -> None:
    manifest = save(store).folder / "avatar.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(AvatarOutdated, match=r"format 99.*reads 1.*Prepare it again"):
        store.open("anna")
    assert store.list()[0].state == "outdated"


def test_a_file_that_is_gone_cut_or_changed_is_named(store: AvatarStore) -> None:
    folder = save(store).folder
    teeth = (folder / "teeth.npy").read_bytes()
    (folder / "teeth.npy").write_bytes(teeth[:-1] + b"\xff")
    with pytest.raises(AvatarDamaged, match=r"teeth\.npy was changed.*--avatar-id anna"):
        store.open("anna")
    (folder / "teeth.npy").write_bytes(teeth[:-1])
    with pytest.raises(AvatarDamaged, match=r"teeth\.npy has \d+ bytes, not \d+"):
        store.open("anna")
    (folder / "teeth.npy").unlink()
    with pytest.raises(AvatarDamaged, match=r"teeth\.npy is gone"):
        store.open("anna")
    (summary,) = store.list()
    assert summary.state == "damaged" and "teeth.npy" in summary.problem


def test_a_changed_byte_in_the_frames_is_found_when_asked_for(store: AvatarStore) -> None:
    avatar = save(store)
    with (avatar.folder / "frames.npy").open("r+b") as file:
        file.seek(1000)
        file.write(b"\x00\x01")
    store.open("anna")
    with pytest.raises(AvatarDamaged, match=r"frames\.npy was changed"):
        store.open("anna", verify=True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "anna"}', '{"format": 1}'])
def test_a_broken_manifest_is_damage(text: str, store: AvatarStore) -> None:
    (save(store).folder / "avatar.json").write_text(text)
    with pytest.raises(AvatarDamaged, match=r"avatar\.json"):
        store.open("anna")


def test_a_manifest_without_the_frames_is_damage(store: AvatarStore) -> None:
    path = save(store).folder / "avatar.json"
    manifest = json.loads(path.read_text())
    del manifest["files"]["frames.npy"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(AvatarDamaged, match=r"does not name frames\.npy"):
        store.open("anna")


def test_a_pickle_is_never_loaded(store: AvatarStore) -> None:
    with pytest.raises(AvatarDamaged, match=r"teeth\.npy cannot be read"):
        save(store, extra=np.array([{"a": 1}], dtype=object))


def test_empty_arrays_and_single_numbers_come_back(store: AvatarStore) -> None:
    assert save(store, extra=np.empty((0, 4))).extras["teeth"].shape == (0, 4)
    assert save(store, extra=np.array(2.5)).extras["teeth"][()] == 2.5


def test_avatars_are_listed_by_name_with_what_preparation_said(store: AvatarStore) -> None:
    assert store.list() == []
    save(store, "zoe")
    save(store, "anna")
    anna, zoe = store.list()
    assert (anna.id, zoe.id) == ("anna", "zoe")
    assert anna.state == "ready" and anna.size == (160, 200) and anna.frames == 12
    assert anna.notes == ("One face.",) and anna.source == "anna.jpg"
    assert anna.bytes > FRAMES.nbytes


def test_a_replaced_avatar_stays_whole_for_whoever_has_it_open(store: AvatarStore) -> None:
    old = save(store)
    new = save(store, frames=FRAMES[::-1].copy())
    assert np.array_equal(old.frames, FRAMES)
    assert np.array_equal(new.frames, FRAMES[::-1])
    assert visible(store) == ["anna"]


def test_a_deleted_avatar_is_gone_but_stays_whole_for_whoever_has_it_open(
    store: AvatarStore,
) -> None:
    avatar = save(store)
    store.delete("anna")
    assert visible(store) == []
    assert np.array_equal(avatar.frames, FRAMES)


def test_a_build_that_fails_leaves_the_old_avatar_and_nothing_else(store: AvatarStore) -> None:
    save(store)
    with pytest.raises(ZeroDivisionError), store.building("anna") as folder:
        (folder / "frames.npy").write_bytes(b"half")
        raise ZeroDivisionError
    assert visible(store) == ["anna"]
    assert np.array_equal(store.open("anna").frames, FRAMES)


def test_what_a_killed_preparation_left_is_swept_but_nothing_in_use(store: AvatarStore) -> None:
    store.root.mkdir(parents=True)
    for name in (".building-killed-x", ".building-busy-x", ".building-young-x", ".old-x"):
        (store.root / name).mkdir()
        (store.root / name / "frames.npy").write_bytes(b"half")
    long_ago = time.time() - 3600
    for name in (".building-killed-x", ".building-busy-x", ".old-x"):
        os.utime(store.root / name, (long_ago, long_ago))
    lock = os.open(store.root / ".building-busy-x", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    save(store)
    os.close(lock)
    assert visible(store) == [".building-busy-x", ".building-young-x", "anna"]


def test_of_avatars_of_one_name_made_at_once_the_last_one_stays_and_none_fails(
    store: AvatarStore,
) -> None:
    def make(grey: int) -> None:
        save(store, frames=np.full((2, 8, 8, 3), grey, np.uint8))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(20)))
    assert visible(store) == ["anna"]
    assert store.open("anna", verify=True).frames.std() == 0
