"""Faces of uploads are deleted when they take too much disk space, the oldest use first."""

import os
from pathlib import Path

import pytest

from tests.warm.avatars.test_store import save
from warm.avatars.store import AvatarStore
from warm.preparer.face_expiry import MIN_AGE_S, FaceExpiry, size_of
from warm.preparer.face_id import face_id

NOW_S = 1_000_000.0
FACES = [face_id(f"{digit}" * 64) for digit in range(4)]


@pytest.fixture
def store(tmp_path: Path) -> AvatarStore:
    """Four faces of uploads, the first of which was used most recently, and another avatar."""
    store = AvatarStore(tmp_path)
    for number, avatar_id in enumerate([*FACES, "anna"]):
        save(store, avatar_id)
        used_s = NOW_S - MIN_AGE_S * (number + 1)
        os.utime(store.folder(avatar_id), (used_s, used_s))
    return store


def expire(store: AvatarStore, faces: float, used: str = "") -> list[str]:
    """Leave room for this number of faces; return the ids of the deleted ones."""
    deleted: list[str] = []
    expiry = FaceExpiry(
        store,
        int(faces * size_of(store.folder(FACES[0]))),
        is_used=lambda avatar_id: avatar_id == used,
        forget=deleted.append,
        clock=lambda: NOW_S,
    )
    expiry.run()
    assert {each.id for each in store.list()} == {*FACES, "anna"} - set(deleted)
    return deleted


def test_the_faces_that_were_not_used_for_the_longest_time_are_deleted(store: AvatarStore) -> None:
    assert expire(store, 4) == []
    assert expire(store, 2.5) == [FACES[3], FACES[2]]


def test_a_face_that_is_in_use_or_was_used_lately_and_named_avatars_stay(
    store: AvatarStore,
) -> None:
    os.utime(store.folder(FACES[2]), (NOW_S - 1, NOW_S - 1))
    assert expire(store, 0.5, used=FACES[3]) == [FACES[1], FACES[0]]


def test_the_use_of_a_face_is_noted_on_disk(store: AvatarStore) -> None:
    FaceExpiry(store, 0, lambda _: False, print, clock=lambda: NOW_S).note_use(FACES[3])
    assert expire(store, 1.5) == [FACES[2], FACES[1], FACES[0]][:3]
