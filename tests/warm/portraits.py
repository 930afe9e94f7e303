"""A real face to draw mouths on: the portrait in a few poses, with its landmarks."""

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
    """(600, 512, 3) BGR."""
    picture = cv2.imread(str(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"))
    assert picture is not None
    return np.asarray(picture, np.uint8)


def rolled(degrees: float, scale: float = 1.0) -> Matrix:
    """(2, 3) a turn about the middle of the face."""
    return np.asarray(cv2.getRotationMatrix2D((266.0, 250.0), degrees, scale), np.float64)


def sit(folder: Path, picture: Picture, poses: Sequence[Matrix] = (UPRIGHT,)) -> AvatarBuild:
    """An avatar under construction: the picture in each pose, (2, 3) picture to frame."""
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
    """(2, 3) the canonical crop to the frame, from the eyes alone."""
    right, left = eye_centres(points)
    x, y = (left - right) / CANONICAL_IOD
    linear = np.array([[x, -y], [y, x]])
    return np.column_stack([linear, (right + left) / 2 - linear @ CANONICAL_EYES])


def prepared(build: AvatarBuild, digest: str = "sitter") -> tuple[Avatar, VisemeEngine]:
    """The finished avatar, its arrays read back from disk, and an engine that has adopted it."""
    engine = VisemeEngine(MODELS)
    engine.prepare(build)
    avatar = opened(build, digest)
    engine.load_avatar(avatar)
    return avatar, engine


def opened(build: AvatarBuild, digest: str) -> Avatar:
    """As a server opens it: read-only memory maps."""
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


def shapes(**amounts: float) -> NDArray[np.float32]:
    """(7,) by Shape, from names in lower case."""
    row = np.zeros(len(Shape), np.float32)
    for name, amount in amounts.items():
        row[Shape[name.upper()]] = amount
    return row


def shown(
    avatar: Avatar, engine: VisemeEngine, mouth: NDArray[np.float32], frame: int = 0
) -> Picture:
    """The finished picture."""
    (patch,) = engine.submit([PatchRequest(avatar, frame, mouth)]).patches()
    picture = avatar.frames[frame].copy()
    paste(picture, patch.picture, patch.mask, patch.to_frame)
    return np.asarray(picture, np.uint8)
