"""Contents of an avatar's new folder: prepared from a source, or those of the old one, extended."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.face_report import face_report_json
from warm.avatars.manifest import MANIFEST, Manifest
from warm.avatars.mouth_report import mouth_json
from warm.avatars.recipe import PreparationSettings
from warm.avatars.store import AvatarStore
from warm.avatars.verdict import verdict_json
from warm.engines.base import Engine
from warm.prepare.action.extension import Extension
from warm.prepare.action.preparation import ActionTools, add_actions
from warm.prepare.action.source import ActionSource, digest_with_actions
from warm.prepare.build import PreparationJob, Prepared, build_avatar
from warm.prepare.enhanced_source import MakeRestorer, enhanced_source, enhancement_notes
from warm.prepare.progress import FaceObserver, Progress

KEPT_FACTS = ("source", "settings", "verdict", "mouth", "face")
"""Members of the manifest that actions do not change."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rebuild:
    """Writes the new folder of an avatar, and its manifest."""

    avatar_id: str
    store: AvatarStore
    settings: PreparationSettings
    models: Path
    engine: Callable[[], Engine]
    restorer: MakeRestorer
    progress: Progress
    observer: FaceObserver
    actions: tuple[ActionSource, ...]
    """Actions to be added."""

    def from_source(self, source: Path, source_name: str, digest: str, folder: Path) -> None:
        """Prepare the avatar from a photo or video, then its actions."""
        with enhanced_source(
            source, folder, self.settings, self.models, self.restorer, self.progress
        ) as enhanced:
            job = PreparationJob(
                enhanced, folder, self.settings, self.models, self.progress, self.observer
            )
            engine = self.engine()
            prepared = build_avatar(job, engine)
        prepared.notes.extend(enhancement_notes(self.settings))
        extension = Extension(prepared.build)
        self._add_actions(extension, engine, self.settings)
        facts = facts_of(prepared, source_name, self.settings)
        self._write(extension, digest, facts, prepared.notes)

    def extend(self, avatar: Avatar, folder: Path) -> None:
        """Add actions to an avatar that exists; the rest of it is copied."""
        manifest = self.store.manifest(self.avatar_id)
        copy_files(avatar.folder, manifest, folder)
        extension = Extension(
            build_of(avatar, folder), dict(avatar.actions), tuple(manifest.frame_arrays)
        )
        settings = replace(self.settings, background=manifest.settings.get("background"))
        self._add_actions(extension, self.engine(), settings)
        members = manifest.model_dump()
        facts = {name: members[name] for name in KEPT_FACTS if members[name] is not None}
        self._write(extension, avatar.base_digest or avatar.digest, facts, manifest.notes)

    def _add_actions(
        self, extension: Extension, engine: Engine, settings: PreparationSettings
    ) -> None:
        tools = ActionTools(
            engine=engine,
            models=self.models,
            settings=settings,
            progress=self.progress,
            observer=self.observer,
        )
        add_actions(extension, self.actions, tools)

    def _write(
        self, extension: Extension, base: str, facts: Mapping[str, Any], notes: list[str]
    ) -> None:
        """Write the manifest."""
        actions = extension.actions
        if actions:
            facts = {
                **facts,
                "base_digest": base,
                "actions": {name: action.facts() for name, action in actions.items()},
                "frame_arrays": list(extension.frame_arrays),
            }
        self.store.write_manifest(
            extension.build,
            avatar_id=self.avatar_id,
            digest=digest_with_actions(base, actions),
            notes=notes,
            metadata=facts,
        )


def facts_of(prepared: Prepared, source_name: str, settings: PreparationSettings) -> dict[str, Any]:
    """Return the members of the manifest about a preparation from a source."""
    facts = {
        "source": source_name,
        "settings": asdict(settings),
        "verdict": verdict_json(prepared.verdict),
    }
    if prepared.build.mouth is not None:
        facts["mouth"] = mouth_json(prepared.build.mouth)
    if prepared.face is not None:
        facts["face"] = face_report_json(prepared.face)
    return facts


def copy_files(source: Path, manifest: Manifest, folder: Path) -> None:
    """Copy the files of an avatar, except its pictures and its manifest.

    They are copied and not linked, because arrays are rewritten.
    """
    for name in manifest.files:
        if name not in ("frames.npy", MANIFEST):
            shutil.copyfile(source / name, folder / name)


def build_of(avatar: Avatar, folder: Path) -> AvatarBuild:
    """Return an avatar as one under construction in a folder that has its files."""
    return AvatarBuild(
        folder=folder,
        fps=avatar.fps,
        frames=avatar.frames,
        transforms=np.asarray(avatar.transforms),
        landmarks=np.asarray(avatar.landmarks),
        loop=avatar.loop,
        extras=dict(avatar.extras),
    )
