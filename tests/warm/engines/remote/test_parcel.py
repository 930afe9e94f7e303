"""Avatars and patches that are sent to other processes."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.tiny_face import acting_avatar, tiny_avatar
from warm.engines.base import Patch
from warm.engines.remote.packing import pack, unpack
from warm.engines.remote.parcel import FileArray, parcel_of


def opened(path: Path, content: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    np.save(path, content)
    return np.asarray(np.load(path, mmap_mode="r"))  # as the store opens it


def open_all(array: object) -> object:
    return array.open() if isinstance(array, FileArray) else array


def test_an_avatar_arrives_as_it_was_sent(tmp_path: Path) -> None:
    avatar = acting_avatar(tmp_path)
    avatar = replace(avatar, frames=opened(tmp_path / "frames.npy", avatar.frames))
    parcel = parcel_of(avatar)
    assert isinstance(parcel.arrays["frames"], FileArray)
    sent = pickle.dumps(parcel)
    assert len(sent) < avatar.frames.nbytes
    got = pickle.loads(sent).with_arrays(open_all).avatar()
    assert np.array_equal(got.frames, avatar.frames)
    assert (got.id, got.digest, got.loop, got.actions) == (
        avatar.id, avatar.digest, avatar.loop, avatar.actions,
    )  # fmt: skip
    assert set(got.extras) == set(avatar.extras)


def test_an_array_whose_file_was_replaced_is_sent_itself(tmp_path: Path) -> None:
    avatar, path = tiny_avatar(tmp_path), tmp_path / "frames.npy"
    avatar = replace(avatar, frames=opened(path, avatar.frames))
    before = np.array(avatar.frames)
    np.save(tmp_path / "new.npy", 255 - before)
    (tmp_path / "new.npy").replace(path)
    got = pickle.loads(pickle.dumps(parcel_of(avatar))).with_arrays(open_all).avatar()
    assert np.array_equal(got.frames, before)
    path.unlink()
    got = pickle.loads(pickle.dumps(parcel_of(avatar))).with_arrays(open_all).avatar()
    assert np.array_equal(got.frames, before)


def test_parts_of_files_and_unusual_orders_are_sent_themselves(tmp_path: Path) -> None:
    avatar = tiny_avatar(tmp_path)
    frames = opened(tmp_path / "frames.npy", avatar.frames)
    points = opened(tmp_path / "points.npy", np.asfortranarray(avatar.landmarks + 1))
    changed = replace(avatar, frames=frames[2:5], landmarks=points, transforms=frames[:, 0, 0])
    got = pickle.loads(pickle.dumps(parcel_of(changed))).with_arrays(open_all).avatar()
    assert np.array_equal(got.frames, avatar.frames[2:5])
    assert np.array_equal(got.landmarks, avatar.landmarks + 1)
    assert np.array_equal(got.transforms, avatar.frames[:, 0, 0])


def test_patches_of_any_size_are_packed_without_loss() -> None:
    rng = np.random.default_rng(1)
    patches = [
        Patch(
            rng.integers(0, 256, (height, width, 3), np.uint8),
            rng.integers(0, 256, (height, width), np.uint8),
            rng.normal(size=(2, 3)),
        )
        for height, width in ((1, 1), (24, 31), (256, 256), (0, 5))
    ]
    patches.append(replace(patches[1], picture=patches[1].picture[::-1, ::-1]))
    for got, expected in zip(unpack(pack(patches)), patches, strict=True):
        assert np.array_equal(got.picture, expected.picture)
        assert np.array_equal(got.mask, expected.mask)
        assert np.array_equal(got.to_frame, expected.to_frame)
    assert unpack(pack([])) == []
