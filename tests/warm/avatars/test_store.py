"""The avatar store: avatars are opened completely or not at all, and replaced atomically."""

import fcntl
import json
import os
import random
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
    AvatarError,
    AvatarMissing,
    AvatarOutdated,
    AvatarStore,
    BadAvatarId,
)

FRAMES = np.random.default_rng(0).integers(0, 255, (12, 200, 160, 3), np.uint8)
"""More than SMALL_BYTES, so that they are mapped."""


@pytest.fixture
def store(tmp_path: Path) -> AvatarStore:
    return AvatarStore(tmp_path / "results")


def save(
    store: AvatarStore,
    avatar_id: str = "anna",
    *,
    frames: NDArray[np.uint8] = FRAMES,
    extra: NDArray[Any] | None = None,
    members: dict[str, Any] | None = None,
    digest: str = "d" * 64,
) -> Avatar:
    """Store and open an avatar that consists of arrays only."""
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
        metadata = {"source": "anna.jpg", **(members or {})}
        store.write_manifest(
            build, avatar_id=avatar_id, digest=digest, metadata=metadata, notes=["One face."]
        )
    return store.open(avatar_id)


ACTIONS = {
    "base_digest": "b" * 64,
    "actions": {
        "wave": {
            "start": 8, "frames": 4, "digest": "a" * 64, "source": "w.mp4", "mouth_frames": 3,
            "head_step": 0.02, "picture_step": 1.5,
        }
    },
    "frame_arrays": ["frames", "landmarks", "transforms"],
}  # fmt: skip


def test_actions_are_part_of_an_avatar_and_not_of_its_loop(store: AvatarStore) -> None:
    avatar, summary = save(store, members=ACTIONS), store.summary("anna")
    assert avatar.actions == summary.actions
    assert (avatar.actions["wave"].start, avatar.actions["wave"].end) == (8, 12)
    assert (avatar.loop_frames, avatar.period, summary.frames, summary.period) == (8, 16, 8, 16)
    assert (avatar.base_digest, summary.base_digest, avatar.digest) == (
        "b" * 64,
        "b" * 64,
        "d" * 64,
    )
    assert "Action 'wave': 0.2 s; the mouth can speak in 75 % of it." in summary.findings()


def visible(store: AvatarStore) -> list[str]:
    return sorted(path.name for path in store.root.iterdir())


def test_an_opened_avatar_equals_the_build(store: AvatarStore) -> None:
    avatar = save(store)
    assert np.array_equal(avatar.frames, FRAMES)
    assert avatar.size == (160, 200)
    assert avatar.fps == 25 and avatar.loop == "pingpong" and avatar.digest == "d" * 64
    assert avatar.transforms.shape == (12, 2, 3) and avatar.landmarks.shape == (12, 468, 3)
    assert {name: array.tolist() for name, array in avatar.extras.items()} == {
        "teeth": [0, 1, 2, 3, 4]
    }


def test_an_avatar_is_read_only_and_its_frames_are_mapped(store: AvatarStore) -> None:
    avatar = save(store)
    assert FRAMES.nbytes > SMALL_BYTES
    assert isinstance(avatar.frames.base, np.memmap)
    for array in (avatar.frames, avatar.transforms, avatar.landmarks, avatar.extras["teeth"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_error_for_a_missing_avatar_names_the_command_to_run(store: AvatarStore) -> None:
    with pytest.raises(AvatarMissing, match="prepare PHOTO_OR_VIDEO --avatar-id unknown --"):
        store.open("unknown")
    with pytest.raises(AvatarMissing):
        store.delete("unknown")


@pytest.mark.parametrize("name", ["", ".", "..", "../etc", "a/b", "a b", "é", "a" * 65, "x\n"])
def test_an_invalid_id_is_refused(name: str, store: AvatarStore) -> None:
    with pytest.raises(BadAvatarId, match="allowed are 1 to 64 letters"):
        store.open(name)


def test_an_avatar_of_another_format_is_outdated(store: AvatarStore) -> None:
    manifest = save(store).folder / "avatar.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(AvatarOutdated, match=r"format 99.*reads 1.*Prepare it again"):
        store.open("anna")
    assert store.list()[0].state == "outdated"


def test_a_missing_truncated_or_changed_file_is_named(store: AvatarStore) -> None:
    folder = save(store).folder
    teeth = (folder / "teeth.npy").read_bytes()
    (folder / "teeth.npy").write_bytes(teeth[:-1] + b"\xff")
    with pytest.raises(AvatarDamaged, match=r"teeth\.npy was changed.*--avatar-id anna"):
        store.open("anna")
    (folder / "teeth.npy").write_bytes(teeth[:-1])
    with pytest.raises(AvatarDamaged, match=r"teeth\.npy has \d+ bytes, not \d+"):
        store.open("anna")
    (folder / "teeth.npy").unlink()
    with pytest.raises(AvatarDamaged, match=r"teeth\.npy is missing"):
        store.open("anna")
    (summary,) = store.list()
    assert summary.state == "damaged" and "teeth.npy" in summary.problem


def test_a_changed_byte_in_the_frames_is_found_when_the_avatar_is_opened(
    store: AvatarStore, caplog: pytest.LogCaptureFixture
) -> None:
    save(store, "zoe")
    avatar = save(store)
    with (avatar.folder / "frames.npy").open("r+b") as file:
        file.seek(1000)
        file.write(b"\x00\x01")
    store.verify_all()
    assert "avatar unusable" in caplog.text
    assert [(each.id, each.state) for each in store.list()] == [
        ("anna", "damaged"),
        ("zoe", "ready"),
    ]
    for verify in (False, True):
        with pytest.raises(AvatarDamaged, match=r"frames\.npy was changed"):
            store.open("anna", verify=verify)


def test_every_inverted_bit_is_found_when_the_avatar_is_opened(store: AvatarStore) -> None:
    folder = save(store).folder
    source, files = random.Random(9), sorted(folder.iterdir())
    for index in range(60):
        path = files[index % len(files)]
        intact = path.read_bytes()
        changed = bytearray(intact)
        changed[source.randrange(len(intact))] ^= 1 << source.randrange(8)
        path.write_bytes(changed)
        with pytest.raises((AvatarDamaged, AvatarOutdated)):
            store.open("anna")
        path.write_bytes(intact)
    store.open("anna")


def test_an_avatar_of_an_older_version_without_checksums_is_opened_and_verified(
    store: AvatarStore,
) -> None:
    folder = save(store).folder
    manifest = json.loads((folder / "avatar.json").read_text())
    del manifest["checksum"]
    for file in manifest["files"].values():
        del file["crc32"]
    (folder / "avatar.json").write_text(json.dumps(manifest))
    assert np.array_equal(store.open("anna").frames, FRAMES)
    with (folder / "frames.npy").open("r+b") as file:
        file.seek(1000)
        file.write(b"\x00\x01")
    with pytest.raises(AvatarDamaged, match=r"frames\.npy was changed"):
        store.open("anna")


BAD_REMARK = {"remarks": [{"kind": "dark", "message": "", "effect": "none at all"}]}
LIES: dict[str, Any] = {
    "format": [True, "1", None, 1.0e400, []],
    "id": [None, 5, [], {}],
    "digest": [None, 0],
    "fps": [0, -1, "25", None, 1e9, 10**400],
    "loop": ["circle", None, 1],
    "frames": [0, -3, 10**12, "12", None, 1.5, 13],
    "width": [0, -1, 10**9, None, "160", 161],
    "height": [0, True, None, [], 1],
    "source": [None, 1, {}],
    "created": [None, 1],
    "notes": [None, "note", [1], {}],
    "files": [None, [], {}, {"frames.npy": None}, {"../frames.npy": {"bytes": 1, "sha256": ""}}],
    "settings": [1, "x"],
    "verdict": [1, {"summary": 1}, {"remarks": None}, {"remarks": [5]}, BAD_REMARK],
    "unknown": [1],
}


@pytest.mark.parametrize("name", LIES)
def test_an_avatar_whose_manifest_lies_is_listed_as_unusable_and_the_others_work(
    store: AvatarStore, name: str
) -> None:
    save(store, "zoe")
    path = save(store).folder / "avatar.json"
    manifest = json.loads(path.read_text())
    del manifest["checksum"]
    for lie in LIES[name]:
        path.write_text(json.dumps(manifest | {name: lie}))
        anna, zoe = store.list()
        assert anna.state in {"damaged", "outdated"}, lie
        assert anna.problem and zoe.state == "ready"
        with pytest.raises(AvatarError):
            store.open("anna")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "anna"}', '{"format": 1}'])
def test_an_avatar_with_an_invalid_manifest_is_damaged(text: str, store: AvatarStore) -> None:
    (save(store).folder / "avatar.json").write_text(text)
    with pytest.raises(AvatarDamaged, match=r"avatar\.json"):
        store.open("anna")


def test_an_avatar_with_a_manifest_without_frames_is_damaged(store: AvatarStore) -> None:
    path = save(store).folder / "avatar.json"
    manifest = json.loads(path.read_text())
    del manifest["files"]["frames.npy"], manifest["checksum"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(AvatarDamaged, match=r"does not name frames\.npy"):
        store.open("anna")


def test_a_pickle_is_never_loaded(store: AvatarStore) -> None:
    with pytest.raises(AvatarDamaged, match=r"teeth\.npy cannot be read"):
        save(store, extra=np.array([{"a": 1}], dtype=object))


def test_empty_arrays_and_scalars_are_restored(store: AvatarStore) -> None:
    assert save(store, extra=np.empty((0, 4))).extras["teeth"].shape == (0, 4)
    assert save(store, extra=np.array(2.5)).extras["teeth"][()] == 2.5


def test_avatars_are_listed_by_id_with_their_notes(store: AvatarStore) -> None:
    assert store.list() == []
    save(store, "zoe")
    save(store, "anna")
    anna, zoe = store.list()
    assert (anna.id, zoe.id) == ("anna", "zoe")
    assert anna.state == "ready" and anna.size == (160, 200) and anna.frames == 12
    assert anna.notes == ("One face.",) and anna.source == "anna.jpg"
    assert anna.bytes > FRAMES.nbytes


def test_an_open_avatar_stays_valid_after_it_is_replaced(store: AvatarStore) -> None:
    old = save(store)
    new = save(store, frames=FRAMES[::-1].copy())
    assert np.array_equal(old.frames, FRAMES)
    assert np.array_equal(new.frames, FRAMES[::-1])
    assert visible(store) == ["anna"]


def test_an_open_avatar_stays_valid_after_it_is_deleted(
    store: AvatarStore,
) -> None:
    avatar = save(store)
    store.delete("anna")
    assert visible(store) == []
    assert np.array_equal(avatar.frames, FRAMES)


def test_a_failed_build_leaves_the_old_avatar_and_nothing_else(store: AvatarStore) -> None:
    save(store)
    with pytest.raises(ZeroDivisionError), store.building("anna") as folder:
        (folder / "frames.npy").write_bytes(b"half")
        raise ZeroDivisionError
    assert visible(store) == ["anna"]
    assert np.array_equal(store.open("anna").frames, FRAMES)


def test_abandoned_folders_are_deleted_and_folders_in_use_are_not(store: AvatarStore) -> None:
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


def test_concurrent_builds_of_one_avatar_all_succeed(
    store: AvatarStore,
) -> None:
    def make(grey: int) -> None:
        save(store, frames=np.full((2, 8, 8, 3), grey, np.uint8))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(20)))
    assert visible(store) == ["anna"]
    assert store.open("anna", verify=True).frames.std() == 0
