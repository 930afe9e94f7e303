"""The work of a process that prepares one avatar: the request, and the reports to the server."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from isolation.protocol import Payload, pack_message, write_exactly
from isolation.reading_worker import describe
from warm.avatars.recipe import EnhanceMethod
from warm.avatars.store import AvatarStore
from warm.engine_factory import engine_recipe
from warm.enhance.restorer import FaceRestorer
from warm.media.sniff import sniff
from warm.prepare.action.source import ActionSource
from warm.prepare.run import prepare
from warm.preparer.engine_name import find_factory
from warm.preparer.options import PrepareOptions
from warm.preparer.seen_face import seen_face_message
from warm.preparer.stages import (
    ACTIONS_SHARE,
    FIRST_STAGE,
    STAGE_WORDS,
    SourceKind,
    overall_fraction,
)
from warm.settings import Settings

PROGRESS_EVERY_S, FACE_EVERY_S = 0.1, 0.5
"""Shortest time between two messages of a kind; others are dropped."""


def outcome(request: Mapping[str, Any], reporter: "Reporter") -> dict[str, Any]:
    """Prepare an avatar; return the last message."""
    try:
        prepare_requested(request, reporter)
    except Exception as error:  # noqa: BLE001 - every error is an answer
        return with_file_name(describe(error), request)
    return {"end": True}


def with_file_name(described: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return an error that names the file as the client did, and not its path in the server."""
    if "error" in described:
        names = {request["source"]: request["options"]["source_name"] or "the file"}
        names |= {path: shown or f"the file of {name}" for name, path, shown in request["actions"]}
        for path, shown in names.items():
            described["error"] = described["error"].replace(path or shown, shown)
    return described


def prepare_requested(request: Mapping[str, Any], reporter: "Reporter") -> None:
    """Prepare the avatar of a request."""
    settings = Settings.model_validate(request["settings"])
    options = PrepareOptions(**request["options"])
    recipe = options.applied_to(settings.preparation_settings)
    reporter.bbox_shift = recipe.bbox_shift
    source = None if request["source"] is None else Path(request["source"])
    actions = [
        ActionSource(name=name, path=Path(path), source_name=shown)
        for name, path, shown in request["actions"]
    ]
    kind = "video" if source is None else sniff(source).kind
    reporter.start(kind, base_share=1 - ACTIONS_SHARE if actions else 1.0)
    engine = find_factory(request["engine"])
    prepare(
        source,
        avatar_id=request["avatar_id"],
        store=AvatarStore(settings.results_dir),
        settings=replace(recipe, recipe=engine_recipe(settings)),
        force=options.force,
        actions=actions,
        models=settings.face_models_folder,
        engine=lambda: engine(settings),
        restorer=restorer_of(recipe.enhance, settings),
        progress=reporter.progress,
        observer=reporter.face,
        source_name=options.source_name,
    )


def restorer_of(
    method: EnhanceMethod | None, settings: Settings
) -> Callable[[], FaceRestorer] | None:
    """Return the constructor of a method's restorer."""
    if method is None:
        return None
    from warm.enhance.factory import make_restorer  # noqa: PLC0415  slow

    return partial(make_restorer, method, settings)


class Reporter:
    """Writes progress and faces to the server. Any thread."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self._stage = ""
        self._due_s = {"progress": 0.0, "face": 0.0}
        self._kind: SourceKind = "photo"
        self._base_share = 1.0
        self.bbox_shift = 0

    def start(self, kind: SourceKind, base_share: float) -> None:
        """Report the start of a preparation from a source of this kind.

        `base_share`: share of the time that everything except the actions takes.
        """
        self._kind, self._base_share = kind, base_share
        self._write({"progress": [0.0, FIRST_STAGE]})

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report the progress of a stage; its first and its last report are always sent."""
        if stage != self._stage or done == total or self._is_due("progress", PROGRESS_EVERY_S):
            self._stage = stage
            fraction = overall_fraction(self._kind, stage, done, total, self._base_share)
            self._write({"progress": [round(fraction, 4), STAGE_WORDS[stage]]})

    def face(self, picture: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
        """Report a face."""
        if self._is_due("face", FACE_EVERY_S):
            self._write(*seen_face_message(picture, landmarks, self.bbox_shift))

    def _is_due(self, kind: str, every_s: float) -> bool:
        now_s = time.monotonic()
        if now_s < self._due_s[kind]:
            return False
        self._due_s[kind] = now_s + every_s
        return True

    def _write(self, header: Mapping[str, Any], payload: Payload = b"") -> None:
        with self._lock:
            write_exactly(self._answers, pack_message(header, payload))
