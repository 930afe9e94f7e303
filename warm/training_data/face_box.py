"""Box and 68 landmarks of a face in the form of the training data, both from one mesh.

The reference takes its box from the detector S3FD and its landmarks from DWPose, so that they may
belong to different people. Here both come from the 468 points of one face. Boxes of S3FD, which
learned from WIDER FACE, are annotated to contain forehead, chin and cheeks; the mesh ends at the
same places, so its extent is the box. `warm.face.landmarks.MESH_INDEX` is the table of landmarks.
"""

import numpy as np
from numpy.typing import NDArray

from warm.face.landmarks import to_68

Ints = NDArray[np.int32]


def landmarks_68(mesh: NDArray[np.float32]) -> Ints:
    """(468, k) landmarks to the (68, 2) of the training, truncated to whole pixels."""
    return np.asarray(to_68(mesh)[:, :2], np.int32)


def face_box(mesh: NDArray[np.float32], size: tuple[int, int]) -> Ints:
    """(468, k) landmarks to the (4,) box x1, y1, x2, y2 in a picture of (width, height) `size`."""
    low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    corners = np.concatenate([np.maximum(low, 0), np.minimum(high, np.array(size) - 1)])
    return np.asarray(corners, np.int32)


def crop_box(box: Ints, landmarks: Ints) -> Ints:
    """(…, 4) boxes and (…, 68, 2) landmarks to the (…, 4) boxes that the training crops to."""
    low = np.minimum(box[..., :2], landmarks.min(axis=-2))
    high = np.maximum(box[..., 2:], landmarks.max(axis=-2))
    return np.concatenate([np.maximum(low, 0), high], axis=-1)
