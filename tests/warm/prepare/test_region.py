"""Boxes and the mouth mask of a prepared avatar."""

import numpy as np

from warm.avatars.avatar import Avatar
from warm.face.landmarks import to_68
from warm.prepare.region import face_boxes, mouth_mask, to_canonical


def test_boxes_follow_the_68_point_convention(photo_avatar: Avatar) -> None:
    points = to_68(photo_avatar.landmarks)[..., :2]
    boxes = face_boxes(photo_avatar.landmarks, 0)
    assert np.allclose((boxes[:, 1] + boxes[:, 3]) / 2, points[:, 29, 1], atol=1e-3)
    assert np.allclose(boxes[:, 3], points[..., 1].max(axis=1))
    assert np.allclose(face_boxes(photo_avatar.landmarks, -5)[:, 1], boxes[:, 1] - 10, atol=1e-3)


def test_the_mask_covers_the_mouth_but_not_eyes_and_nose(photo_avatar: Avatar) -> None:
    mask = photo_avatar.extras["mask"]
    points = np.median(to_canonical(to_68(photo_avatar.landmarks), photo_avatar.transforms), axis=0)
    values = mask[points[:, 1].round().astype(int).clip(0, 255), points[:, 0].astype(int)]
    assert (values[48:] > 200).all()
    assert (values[36:48] == 0).all() and values[30] == 0
    assert mask[0].max() == mask[-1].max() == mask[:, 0].max() == mask[:, -1].max() == 0
    lower = mouth_mask(photo_avatar.landmarks, photo_avatar.transforms, 8)
    assert lower.sum() < mask.sum()
