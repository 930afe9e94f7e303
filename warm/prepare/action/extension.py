"""Extension of an avatar by actions: their frames follow all others, in every array."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from warm.avatars.action import Action, loop_frames
from warm.avatars.avatar import MOUTH_SHARES, AvatarBuild
from warm.engines.base import Engine, ExtendableEngine
from warm.prepare.arrays import FrameFile

CORE = ("frames", "transforms", "landmarks")
PART = ".part"

Rows = Mapping[str, NDArray[np.generic]]
"""Rows of arrays with one row per frame, by the name of the array."""


@dataclass(slots=True, eq=False)
class Extension:
    """An avatar under construction, and its actions."""

    build: AvatarBuild
    actions: dict[str, Action] = field(default_factory=dict)
    frame_arrays: tuple[str, ...] = ()
    """Names of the arrays with one row per frame."""

    @property
    def loop(self) -> int:
        """Number of frames before those of the actions."""
        return loop_frames(self.actions, len(self.build.frames))

    def remove(self, name: str) -> None:
        """Remove an action and its frames, if there is one of this name."""
        removed = self.actions.pop(name, None)
        if removed is None:
            return
        keep = np.ones(len(self.build.frames), np.bool_)
        keep[removed.start : removed.end] = False
        self._select(np.flatnonzero(keep))
        self.actions = {
            each.name: moved(each, removed.frames) if each.start > removed.start else each
            for each in self.actions.values()
        }

    def add(
        self, action: Action, part: AvatarBuild, shares: NDArray[np.float32], engine: Engine
    ) -> None:
        """Append the frames of an action; `part` has them, with closed mouths.

        `shares`: (n,) opacities of a drawn mouth, which are 0 if the engine cannot draw on them.
        """
        rows: dict[str, NDArray[np.generic]] = {}
        if isinstance(engine, ExtendableEngine):
            rows = dict(engine.extend(self.build, part))
        else:
            shares = np.zeros_like(shares)
        rows |= {"transforms": part.transforms, "landmarks": part.landmarks, MOUTH_SHARES: shares}
        if MOUTH_SHARES not in self.build.extras:
            ones = np.ones(len(self.build.frames), np.float32)
            self.build.write_array(MOUTH_SHARES, ones)
        self.frame_arrays = tuple(sorted({"frames", *rows}))
        self._append(part.frames, rows)
        self.actions[action.name] = replace(action, mouth_frames=int((shares > 0).sum()))

    def _append(self, frames: NDArray[np.uint8], rows: Rows) -> None:
        build = self.build
        for name, added in rows.items():
            self._replace(name, stacked(self._array(name), added))
        self._write_frames(chained(build.frames, frames))

    def _select(self, keep: NDArray[np.intp]) -> None:
        """Keep some of the frames."""
        build = self.build
        for name in self.frame_arrays:
            if name != "frames":
                self._replace(name, np.asarray(self._array(name))[keep])
        self._write_frames(build.frames[index] for index in keep)

    def _array(self, name: str) -> NDArray[np.generic]:
        if name in CORE:
            return np.asarray(getattr(self.build, name))
        return self.build.extras[name]

    def _replace(self, name: str, array: NDArray[np.generic]) -> None:
        """Write an array with other rows; the file that is mapped stays as it is."""
        build = self.build
        (build.folder / f"{name}.npy").unlink(missing_ok=True)
        if name in CORE:
            np.save(build.folder / f"{name}.npy", array)
            setattr(build, name, array)
        else:
            build.write_array(name, array)

    def _write_frames(self, frames: Iterable[NDArray[np.uint8]]) -> None:
        """Replace the pictures."""
        path = self.build.folder / "frames.npy"
        part = path.with_name(path.name + PART)
        with FrameFile(part) as file:
            for frame in frames:
                file.append(frame)
        part.replace(path)
        self.build.frames = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def chained(*parts: NDArray[np.uint8]) -> Iterable[NDArray[np.uint8]]:
    """Yield the pictures of several arrays."""
    for part in parts:
        yield from part


def stacked(rows: NDArray[np.generic], added: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return both, one after the other; the shorter rows are filled with zeros."""
    shape = tuple(map(max, rows.shape[1:], added.shape[1:]))
    return np.concatenate([padded(rows, shape), padded(added, shape)]).astype(rows.dtype)


def padded(rows: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Return rows with zeros after their ends, so that each has a shape."""
    if rows.shape[1:] == shape:
        return rows
    missing = [(0, 0), *((0, to - has) for has, to in zip(rows.shape[1:], shape, strict=True))]
    return np.pad(rows, missing)


def moved(action: Action, frames: int) -> Action:
    """Return an action that starts a number of frames earlier."""
    return replace(action, start=action.start - frames)
