"""Preparation into a temporary results folder, with an engine that counts its calls."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.recipe import PreparationSettings
from warm.avatars.store import AvatarStore
from warm.avatars.verdict import Remark
from warm.engines.base import Engine
from warm.prepare.run import prepare

ONE_SECOND = PreparationSettings(max_s=1)


class ArrayEngine:
    """Adds arrays to each avatar, and counts the avatars."""

    name = "counting"

    def __init__(self) -> None:
        self.prepared = 0

    def prepare(self, build: AvatarBuild) -> None:
        self.prepared += 1
        build.write_array("greys", build.frames.mean(axis=(1, 2, 3)))
        if build.filmed is not None:
            build.write_array("filmed", np.stack([build.filmed.frames[0], build.filmed.frames[-1]]))
            build.write_array("opening_field", build.filmed.opening_field(0))


class Preparer:
    """Prepares avatars in a results folder with an engine that counts its calls."""

    def __init__(self, results: Path) -> None:
        self.store = AvatarStore(results)
        self.engine = ArrayEngine()

    def prepare(
        self,
        source: Path,
        settings: PreparationSettings = ONE_SECOND,
        *,
        avatar_id: str = "face",
        force: bool = False,
    ) -> Avatar:
        return prepare(
            source,
            avatar_id=avatar_id,
            store=self.store,
            settings=settings,
            force=force,
            engine=self._engine,
        )

    def stored_names(self) -> list[str]:
        """Return the names in the avatars' folder."""
        root = self.store.root
        return sorted(path.name for path in root.iterdir()) if root.exists() else []

    def notes(self) -> str:
        return " ".join(self.store.summary("face").notes)

    def remarks(self) -> dict[str, Remark]:
        """Return the remarks of the verdict by kind."""
        verdict = self.store.summary("face").verdict
        assert verdict is not None
        return {remark.kind: remark for remark in verdict.remarks}

    def _engine(self) -> Engine:
        return self.engine  # type: ignore[return-value]  # only `prepare` is called


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let the system refuse longer files, as on a full disk or quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
