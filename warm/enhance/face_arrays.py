"""Steady faces and frame times of a film as arrays, for the work folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warm.enhance.steady_faces import SteadyFace


@dataclass(frozen=True, slots=True, eq=False)
class FoundFaces:
    """Result of the first pass over a film."""

    times: NDArray[np.int64]
    """(n, 2): presentation time and duration of each frame, in units of the film's time base."""
    faces: list[SteadyFace]
    notes: tuple[str, ...]
    """Remarks about the film and its faces."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return it as arrays."""
        lengths = [len(face.weights) for face in self.faces]
        return {
            "times": self.times,
            "firsts": np.array([face.first for face in self.faces], np.int64),
            "lengths": np.array(lengths, np.int64),
            "transforms": joined([face.transforms for face in self.faces], (2, 3)),
            "weights": joined([face.weights for face in self.faces], ()),
            "gaps": joined([face.gaps for face in self.faces], ()),
            "notes": np.array(self.notes, np.str_),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "FoundFaces":
        """Restore the result of `to_arrays`; raises KeyError and ValueError for other arrays."""
        lengths = arrays["lengths"]
        ends = np.cumsum(lengths)
        faces = [
            SteadyFace(
                int(first),
                *(arrays[name][end - length : end] for name in ("transforms", "weights", "gaps")),
            )
            for first, length, end in zip(arrays["firsts"], lengths, ends, strict=True)
        ]
        return cls(arrays["times"], faces, tuple(map(str, arrays["notes"])))


def joined(arrays: Sequence[NDArray[np.float64]], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Concatenate arrays of (n, *shape); `arrays` may be empty."""
    return np.concatenate([np.empty((0, *shape)), *arrays])
