"""A real face to draw mouths on: a portrait in several poses, with its landmarks."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from stabilizers.blend import paste
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD, Avatar, AvatarBuild
from warm.engines.base import PatchRequest
from warm.engines.viseme.engine import VisemeEngine
from warm.engines.viseme.shape import Shape
from warm.face.finder import FaceFinder
from warm.face.landmarks import eye_centres

MODELS = Path(__file__).parents[2] / "models" / "face"
UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

Picture = NDArray[np.uint8]
Matrix = NDArray[np.float64]


def portrait() -> Picture:
    """(600, 512, 3) BGR portrait of one face."""
    picture = cv2.imread(str(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"))
    assert picture is not None
    return np.asarray(picture, np.uint8)


def rotation_about_face(degrees: float, scale: float = 1.0) -> Matrix:
    """(2, 3) rotation and scaling about the middle of the face."""
    return np.asarray(cv2.getRotationMatrix2D((266.0, 250.0), degrees, scale), np.float64)


def build_portrait(
    folder: Path, picture: Picture, poses: Sequence[Matrix] = (UPRIGHT,)
) -> AvatarBuild:
    """Build an avatar with the picture in each pose ((2, 3) picture to frame), not prepared."""
    points = FaceFinder(MODELS).find(picture)[0].mesh.points
    height, width = picture.shape[:2]
    frames = [
        cv2.warpAffine(
            picture,
            pose,
            (width, height),
            flags=cv2.INTER_LANCZOS4,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for pose in poses
    ]
    turned = [
        np.column_stack([points[:, :2] @ pose[:, :2].T + pose[:, 2], points[:, 2]])
        for pose in poses
    ]
    landmarks = np.array(turned, np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    return AvatarBuild(
        folder=folder,
        fps=25,
        frames=np.array(frames, np.uint8),
        transforms=np.stack([face_transform(face) for face in landmarks]),
        landmarks=landmarks,
        loop="forward",
        extras={},
    )


def face_transform(points: NDArray[np.float32]) -> Matrix:
    """(2, 3) canonical crop to frame, from the eye centres alone."""
    right, left = eye_centres(points)
    x, y = (left - right) / CANONICAL_IOD
    linear = np.array([[x, -y], [y, x]])
    return np.column_stack([linear, (right + left) / 2 - linear @ CANONICAL_EYES])


def prepare_and_load(build: AvatarBuild, digest: str = "portrait") -> tuple[Avatar, VisemeEngine]:
    """Return the prepared avatar, read back from disk, and an engine that has loaded it."""
    engine = VisemeEngine(MODELS)
    engine.prepare(build)
    avatar = open_build(build, digest)
    engine.load_avatar(avatar)
    return avatar, engine


def open_build(build: AvatarBuild, digest: str) -> Avatar:
    """Open the avatar as a server does: read-only memory maps."""
    return Avatar(
        id=digest,
        digest=digest,
        fps=build.fps,
        frames=build.frames,
        transforms=build.transforms,
        landmarks=build.landmarks,
        loop=build.loop,
        extras={path.stem: np.load(path, mmap_mode="r") for path in build.folder.glob("*.npy")},
        folder=build.folder,
    )


def mouth_shape(**numbers: float) -> NDArray[np.float32]:
    """Return the (7,) mouth shape with these values, named in lower case; the others are 0."""
    row = np.zeros(len(Shape), np.float32)
    for name, number in numbers.items():
        row[Shape[name.upper()]] = number
    return row


def draw_frame(
    avatar: Avatar, engine: VisemeEngine, features: NDArray[np.float32], frame: int = 0
) -> Picture:
    """Return the frame with the mouth pasted in."""
    (patch,) = engine.submit([PatchRequest(avatar, frame, features)]).patches()
    picture = avatar.frames[frame].copy()
    paste(picture, patch.picture, patch.mask, patch.to_frame)
    return np.asarray(picture, np.uint8)
