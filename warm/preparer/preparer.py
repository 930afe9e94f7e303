"""Preparer of a server's avatars: one preparation at a time, and each picture only once."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from warm.avatars.recipe import PreparationSettings, digest_of_content
from warm.avatars.store import AvatarMissing, AvatarStore
from warm.avatars.summary import AvatarSummary
from warm.engine_factory import engine_recipe, make_engine
from warm.preparer.engine_name import EngineFactory, name_of
from warm.preparer.errors import AvatarBeingPrepared, PreparationCancelled
from warm.preparer.face_expiry import FaceExpiry
from warm.preparer.face_id import face_id
from warm.preparer.options import PrepareOptions
from warm.preparer.process import (
    MB,
    OnFace,
    OnProgress,
    PreparationLimits,
    Request,
    run_preparation,
)
from warm.preparer.seen_face import SeenFace
from warm.sessions.limits import require_free_space
from warm.settings import Settings

UNNAMED = "the file"
WAITING = "waiting for another preparation"
POLL_S = 0.05
EMBEDDED_MB, NEURAL_MB = 2000, 16_000
"""Memory of a preparation if the settings give none, by engine."""


log = logging.getLogger(__name__)


class FaceSource(Protocol):
    """A picture or video on disk: an upload."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def sha256(self) -> str:
        """Digest of its content, hex."""
        ...

    @property
    def name(self) -> str:
        """Name that the client gave the file; may be empty."""
        ...


def ignore_face(_face: SeenFace) -> None:
    """Ignore the face."""


class Preparer:
    """Prepares avatars into a store. All methods may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        store: AvatarStore,
        *,
        engine: EngineFactory = make_engine,
        expiry: FaceExpiry | None = None,
    ) -> None:
        """`engine` must be at the top level of a module, because another process calls it.

        `expiry` deletes unused faces of uploads; None: they are kept.
        """
        self._expiry = expiry
        self._settings, self._store, self._engine = settings, store, engine
        self._limits = PreparationLimits(
            memory_bytes=memory_mb(settings) * MB,
            time_s=settings.preparation_timeout_s,
            niceness=settings.preparation_niceness,
        )
        self._turn = threading.Lock()
        """Held by the running preparation."""
        self._lock = threading.Lock()
        self._in_progress: set[str] = set()
        """Ids of the avatars that are being prepared, or are waiting for it."""

    @property
    def face_models(self) -> Path:
        """Folder of the face models."""
        return self._settings.face_models_folder

    def prepare(
        self,
        source: Path | None,
        avatar_id: str,
        options: PrepareOptions,
        progress: OnProgress,
        is_cancelled: Callable[[], bool],
        *,
        on_face: OnFace = ignore_face,
    ) -> AvatarSummary:
        """Prepare an avatar from a photo or video; return it unchanged if it is up to date.

        Without a source, the actions of the options are added to an avatar that exists.
        `progress` is called with the finished share, 0 to 1, and the stage in words. On any error
        the old avatar stays and no other file is left. Raises BadAvatarId, BadPreparationSettings,
        AvatarBeingPrepared, PreparationCancelled, DiskNearlyFull, the errors of `run_preparation`,
        and what the callbacks raise.
        """
        self._store.folder(avatar_id)
        self.settings_of(options)

        def should_stop() -> bool:
            require_free_space(self._store.results, min_free_mb=self._settings.min_free_mb)
            return is_cancelled()

        with (
            self._reserved(avatar_id),
            self._taking_turn(should_stop, partial(progress, 0.0, WAITING)),
        ):
            request = self._request(source, avatar_id, options)
            try:
                run_preparation(
                    request,
                    self._limits_of(options),
                    on_progress=progress,
                    on_face=on_face,
                    is_cancelled=should_stop,
                )
            finally:
                self._store.delete_unfinished(avatar_id)
        return self._store.summary(avatar_id)

    def _limits_of(self, options: PrepareOptions) -> PreparationLimits:
        """Return the limits of a preparation; they are higher for the network of `gfpgan`."""
        if options.enhance != "gfpgan" or self._settings.preparation_memory_mb is not None:
            return self._limits
        return replace(self._limits, memory_bytes=NEURAL_MB * MB)

    def ensure(
        self, upload: FaceSource, progress: OnProgress, is_cancelled: Callable[[], bool]
    ) -> str:
        """Return the id of the avatar of a picture or video, which is prepared at most once.

        Of two callers at once, the second waits for the first. Raises the errors of `prepare`
        except AvatarBeingPrepared.
        """
        avatar_id = face_id(upload.sha256)
        options = PrepareOptions(source_name=upload.name or UNNAMED)
        while not self.is_ready(avatar_id, upload.sha256):
            try:
                self.prepare(upload.path, avatar_id, options, progress, is_cancelled)
            except AvatarBeingPrepared:
                progress(0.0, WAITING)
                self._wait(lambda: not self.is_preparing(avatar_id), is_cancelled)
            else:
                self._expire()
        if self._expiry is not None:
            self._expiry.note_use(avatar_id)
        return avatar_id

    def _expire(self) -> None:
        """Make room for the next face; an error while doing so does not affect the present one."""
        if self._expiry is None:
            return
        try:
            self._expiry.run()
        except Exception:
            log.exception("unused faces could not be deleted")

    def is_ready(self, avatar_id: str, sha256: str) -> bool:
        """Return True if an avatar was prepared from this content with the present settings."""
        try:
            summary = self._store.summary(avatar_id)
        except AvatarMissing:
            return False
        digest = digest_of_content(sha256, self.settings_of(PrepareOptions()))
        return summary.state == "ready" and summary.digest == digest

    def is_preparing(self, avatar_id: str) -> bool:
        """Return True if an avatar is being prepared, or is waiting for it."""
        with self._lock:
            return avatar_id in self._in_progress

    def settings_of(self, options: PrepareOptions) -> PreparationSettings:
        """Return the settings of a preparation; raises BadPreparationSettings and WeightsError."""
        chosen = options.applied_to(self._settings.preparation_settings)
        return replace(chosen, recipe=engine_recipe(self._settings))

    def _request(self, source: Path | None, avatar_id: str, options: PrepareOptions) -> Request:
        return {
            "source": None if source is None else str(source),
            "actions": [[each.name, str(each.path), each.source_name] for each in options.actions],
            "avatar_id": avatar_id,
            "options": asdict(replace(options, actions=())),
            "settings": shared_settings(self._settings),
            "engine": name_of(self._engine),
        }

    @contextmanager
    def _reserved(self, avatar_id: str) -> Iterator[None]:
        """Keep other preparations of this avatar out; raises AvatarBeingPrepared."""
        with self._lock:
            if avatar_id in self._in_progress:
                raise AvatarBeingPrepared(avatar_id)
            self._in_progress.add(avatar_id)
        try:
            yield
        finally:
            with self._lock:
                self._in_progress.discard(avatar_id)

    @contextmanager
    def _taking_turn(
        self, is_cancelled: Callable[[], bool], on_wait: Callable[[], None]
    ) -> Iterator[None]:
        """Wait until no other preparation runs, and keep others out.

        `on_wait` is called first if another one runs.
        """
        if not self._turn.acquire(blocking=False):
            on_wait()
            self._wait(lambda: self._turn.acquire(blocking=False), is_cancelled)
        try:
            yield
        finally:
            self._turn.release()

    def _wait(self, condition: Callable[[], bool], is_cancelled: Callable[[], bool]) -> None:
        """Wait for a condition; raises PreparationCancelled.

        Every preparation has a time limit, so this ends too.
        """
        while not condition():
            if is_cancelled():
                raise PreparationCancelled("the preparation was cancelled")
            time.sleep(POLL_S)


def memory_mb(settings: Settings) -> int:
    """Return the memory that a preparation may take, MB."""
    if settings.preparation_memory_mb is not None:
        return settings.preparation_memory_mb
    return EMBEDDED_MB if settings.lip_engine == "viseme" else NEURAL_MB


def shared_settings(settings: Settings) -> dict[str, object]:
    """Return the settings as JSON for the process of a preparation, without secrets."""
    secrets = {name for name, value in settings if isinstance(value, SecretStr)}
    return settings.model_dump(mode="json", exclude=secrets)
