"""Checks of one picture of a face: covered mouth, darkness, blur, turned head, cut off edges."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import sample_at
from warm.avatars.verdict import Effect, Remark
from warm.face.landmarks import inter_ocular, lip_gap
from warm.face.mesh import LEFT_EYE, RIGHT_EYE, FaceMesh
from warm.prepare.errors import CutOffFaceError, OpenMouthError
from warm.prepare.idle.lower_face import AROUND_LOWER, AROUND_UPPER, LIPS
from warm.prepare.mouth_cover import LIPS as SAMPLED_LIPS
from warm.prepare.mouth_cover import LIT, lower_face_colours

SURE_EVIDENCE, SURE_OPEN_EVIDENCE, OPEN_IOD = 16.0, 12.0, 0.15
"""The mesh finds more evidence than this of a face whose mouth it sees. The lower limit is for a
mouth that is open wider than `OPEN_IOD`."""
LIT_LEVEL = 130.0
"""Brightness, 0 to 255, to which a dark face is raised before it is checked."""
MAX_GAIN = 12.0
MIN_LIP_CONTRAST = 0.1
"""Lips differ from the skin around them by more than this, in log colour."""
MAX_GREENNESS = 0.06
"""Lips are greener than the skin around them by at most this, in log colour."""
MAX_GAP_IOD = 0.25
"""Lips further apart than this do not look closed when moved together."""
DARK_LEVEL = 40.0
"""Brightness of the nose and cheeks, 0 to 255, below which a face is dark."""
SHARP_IOD_PX = 64.0
"""Eye distance at which sharpness is measured."""
MIN_SHARPNESS = 0.33
"""Minimum contrast of details of 1 px relative to those of 2 px; a sharp face has 0.4 to 1."""
TURNED_DEG, FAR_TURNED_DEG = 25.0, 40.0
"""Yaw of a head above which the mouth is distorted, and badly so."""
CHIN = 152


def check_mouth_in_picture(points: NDArray[np.float32], size: tuple[int, int]) -> None:
    """Raise CutOffFaceError if lips of (468, 3) landmarks are outside a (width, height) picture."""
    lips = points[list(LIPS), :2]
    if (lips < 0).any() or (lips > np.array(size) - 1).any():
        raise CutOffFaceError(
            f"The mouth is cut off at the edge of the picture of {size[0]}x{size[1]}. Send a "
            "picture that shows the whole face with some space around it."
        )


def check_mouth_can_close(points: NDArray[np.float32]) -> None:
    """Raise OpenMouthError if the lips of (468, 3) landmarks are too far apart."""
    if (gap := float(lip_gap(points))) > MAX_GAP_IOD:
        raise OpenMouthError(
            f"The mouth in the photo is open too wide: the lips are {gap:.2f} eye distances apart; "
            f"at most {MAX_GAP_IOD} can be closed. Send a photo with closed lips, or a video."
        )


def face_remarks(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> list[Remark]:
    """Return remarks about the quality of a face with (468, 3) landmarks in a BGR picture."""
    remarks = []
    if (level := brightness(picture, points)) < DARK_LEVEL:
        message = f"The face is dark ({level:.0f} of 255); a brighter picture shows more of it."
        remarks.append(Remark("dark", message))
    if sharpness(picture, points) < MIN_SHARPNESS:
        message = "The face is blurred; the drawn teeth will look sharper than the face."
        remarks.append(Remark("blurred", message))
    if (yaw := abs(yaw_deg(points))) > TURNED_DEG:
        message = f"The head is turned by {yaw:.0f}°; the mouth looks best in a frontal view."
        effect: Effect = "severe" if yaw > FAR_TURNED_DEG else "visible"
        remarks.append(Remark("turned_away", message, effect))
    x, y = points[CHIN, :2]
    if not (0 <= x < picture.shape[1] and 0 <= y < picture.shape[0]):
        message = "The chin is cut off at the edge of the picture; the jaw will not move."
        remarks.append(Remark("cut_off", message))
    return remarks


def is_mouth_covered(
    picture: NDArray[np.uint8], points: NDArray[np.float32], mesh: FaceMesh
) -> bool:
    """Return True if something seems to cover the mouth in a single picture.

    Judged by the mesh's evidence of a face, and by the colour of the lips.
    """
    gain = min(MAX_GAIN, max(1.0, LIT_LEVEL / max(brightness(picture, points), 1.0)))
    lit = np.clip(picture.astype(np.float32) * gain, 0, 255).astype(np.uint8)
    least = SURE_OPEN_EVIDENCE if lip_gap(points) > OPEN_IOD else SURE_EVIDENCE
    if mesh.track(lit, points).logit < least:
        return True
    colours = lower_face_colours(lit, points)
    count = len(SAMPLED_LIPS)
    skin = colours[count : count + len(AROUND_UPPER) + len(AROUND_LOWER)]
    blue, green, red = np.median(colours[:count], axis=0) - np.median(skin, axis=0)
    contrast = float(np.linalg.norm([blue, green, red]))
    return bool(contrast < MIN_LIP_CONTRAST or green - red > MAX_GREENNESS)


def brightness(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> float:
    """Return the median brightness of nose and cheeks, 0…255."""
    at = np.asarray(points[None, list(LIT), :2], np.float32)
    return float(np.median(sample_at(picture, at).mean(axis=-1)))


def sharpness(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> float:
    """Return the contrast of the smallest details relative to that of larger ones."""
    low = np.maximum(points[:, :2].min(axis=0), 0).astype(int)
    high = np.ceil(points[:, :2].max(axis=0)).astype(int)
    face = picture[low[1] : high[1], low[0] : high[0]]
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY).astype(np.float32)
    scale = SHARP_IOD_PX / float(inter_ocular(points))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    sized = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=method)
    fine, coarse = (cv2.GaussianBlur(sized, (0, 0), sigma) for sigma in (1.0, 2.5))
    return float((sized - fine).std() / max(float((fine - coarse).std()), 1e-3))


def yaw_deg(points: NDArray[np.float32]) -> float:
    """Return the yaw of the head of (468, 3) landmarks, degrees."""
    across, down, depth = (points[LEFT_EYE] - points[RIGHT_EYE]).tolist()
    return float(np.degrees(np.arctan2(depth, np.hypot(across, down))))
