"""Contact sheet of drawn and filmed lids: each eye open, of one colour, as drawn and as filmed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.lids.eye_comparison import EyeComparison

CELL_PX = (300, 220)
COLUMNS = 2
"""Eyes side by side."""
ORDER = ("open", "one colour", "drawn")


class DrawnEye(Protocol):
    """One eye with what was drawn on its open frame."""

    @property
    def frame(self) -> int:
        """Filmed frame."""
        ...

    @property
    def closure(self) -> float:
        """0…1."""
        ...

    @property
    def eye(self) -> EyeComparison:
        """The filmed eye."""
        ...

    @property
    def pictures(self) -> Mapping[str, NDArray[np.uint8]]:
        """Pictures of the open frame by name."""
        ...

    def psnr_db(self, name: str) -> float:
        """PSNR of a picture in the eye's region."""
        ...


def write_sheet(eyes: Sequence[DrawnEye], path: Path) -> None:
    """Write all eyes as PNG; raises OSError."""
    rows = [row(eye) for eye in eyes]
    rows += [np.zeros_like(rows[0])] * (-len(rows) % COLUMNS)
    bands = [np.hstack(rows[i : i + COLUMNS]) for i in range(0, len(rows), COLUMNS)]
    if not cv2.imwrite(str(path), np.vstack(bands)):
        raise OSError(f"{path} could not be written.")


def row(eye: DrawnEye) -> NDArray[np.uint8]:
    """Return one eye: the pictures of the open frame, then the filmed one."""
    cells = []
    for name in ORDER:
        label = f"{name} {eye.psnr_db(name):.1f} dB"
        cells.append(cell(eye.eye.view(eye.pictures[name]), label))
    filmed = cell(eye.eye.filmed, f"filmed {eye.frame}, closure {eye.closure:.2f}")
    return np.hstack([*cells, filmed])


def cell(picture: NDArray[np.float32], label: str) -> NDArray[np.uint8]:
    """Return a labelled picture of one size."""
    large = cv2.resize(picture, CELL_PX, interpolation=cv2.INTER_CUBIC)
    result = np.asarray(np.clip(large, 0, 255), np.uint8)
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(
            result, label, (5, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thick, cv2.LINE_AA
        )
    return result
