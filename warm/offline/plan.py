"""Planning of render tasks: each is checked, and skipped if done, before any work starts."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from session.film import SAMPLE_RATE_HZ
from session.fragmented.journal import journal_path
from tts.registry import AUTO
from tts.styles import check_styles
from tts.text.markup import check_text
from tts.text.plain_text import PlainText
from tts.voice import BadSpeechRequest, VoiceChoice, Voices
from warm.avatars.manifest import MANIFEST
from warm.avatars.recipe import PreparationError, PreparationSettings, preparation_digest
from warm.avatars.store import ID_PATTERN, AvatarError, AvatarStore
from warm.engine_factory import engine_recipe
from warm.engines.weights.digest import sha256_of
from warm.installation import own_command
from warm.media.audio import AudioInfo, examine_audio
from warm.media.sniff import MediaError, sniff
from warm.offline.errors import BadTask, RefusedTasks
from warm.offline.mp4_file import read_comment
from warm.offline.task import RenderTask
from warm.settings import Settings

RECIPE = 2
"""Incremented when the same task would produce a different film."""
NAME_CHARS, DIGEST_CHARS = 40, 12
"""Characters of a video's file name and digest in the name of its avatar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderPlan:
    """A task that passed all checks."""

    task: RenderTask
    avatar_id: str
    preparation: PreparationSettings | None
    """Settings for the task's video; None if the avatar is already prepared."""
    audio: AudioInfo | None
    spoken_text: tuple[PlainText, VoiceChoice] | None
    """The text and its voice; with an audio file, what it says and the voice to compare it with."""
    fingerprint: str
    """Digest of everything that determines the film; kept in its metadata."""
    is_done: bool
    """True if the film exists and has this fingerprint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Checks tasks. Thread-safe."""

    settings: Settings
    store: AvatarStore
    voices: Voices
    force: bool
    """Render existing films again, and replace other films at their paths."""

    def plan_all(self, tasks: Sequence[RenderTask]) -> list[RenderPlan]:
        """Check every task; raises RefusedTasks with one line per invalid task."""
        plans, faults = [], []
        for task in tqdm(tasks, desc="checking", unit=" tasks", leave=False, disable=None):
            try:
                plans.append(self.plan(task))
            except BadTask as fault:
                faults.append(str(fault))
        if faults:
            raise RefusedTasks("\n".join(["No task was started:", *faults]))
        return plans

    def plan(self, task: RenderTask) -> RenderPlan:
        """Check one task; raises BadTask. Decodes the whole audio file."""
        check_result(task)
        avatar_id, avatar_digest, preparation = self._avatar(task)
        audio, spoken_text = self._audio(task), self._spoken_text(task)
        fingerprint = self._fingerprint(task, avatar_digest, spoken_text)
        return RenderPlan(
            task=task,
            avatar_id=avatar_id,
            preparation=preparation,
            audio=audio,
            spoken_text=spoken_text,
            fingerprint=fingerprint,
            is_done=self._is_done(task, fingerprint),
        )

    def _is_done(self, task: RenderTask, fingerprint: str) -> bool:
        """Return True if the film exists; raises BadTask if another one would be overwritten."""
        if self.force or not task.result.exists():
            return False
        if read_comment(task.result) == fingerprint:
            return True
        raise task.error(
            "result",
            f"{task.result} exists and is a different film. Move it, name another file, "
            "or replace it with --force.",
        )

    def _avatar(self, task: RenderTask) -> tuple[str, str, PreparationSettings | None]:
        """Return name and digest of the avatar, and the settings to prepare it with."""
        try:
            if task.avatar is not None:
                return task.avatar, self._check_avatar(task, task.avatar), None
            assert task.video is not None
            sniff(task.video)
            settings = self._preparation(task)
            digest = preparation_digest(task.video, settings)
        except AvatarError as error:
            raise task.error("avatar", str(error)) from error
        except MediaError as error:
            raise task.error("video", str(error)) from error
        except PreparationError as error:
            raise task.error("bbox_shift", str(error)) from error
        return avatar_name(task.video, digest), digest, settings

    def _check_avatar(self, task: RenderTask, avatar_id: str) -> str:
        """Return the digest of a prepared avatar; raises AvatarError, BadTask for a mismatch."""
        avatar = self.store.open(avatar_id)
        manifest = json.loads((avatar.folder / MANIFEST).read_bytes())
        made_with: dict[str, Any] = manifest.get("settings", {})
        prepare_again = own_command("prepare", manifest["source"], "--avatar-id", avatar_id)
        engine = made_with.get("engine", self.settings.lip_engine)
        if engine != self.settings.lip_engine:
            raise task.error(
                "avatar",
                f"{avatar_id!r} was prepared for the engine {engine!r}, but the engine is "
                f"{self.settings.lip_engine!r}. Use --engine {engine}, or prepare it again: "
                f"WARMTALK_ENGINE={self.settings.lip_engine} {prepare_again}",
            )
        shift = made_with.get("bbox_shift", 0)
        if task.bbox_shift is not None and task.bbox_shift != shift:
            raise task.error(
                "bbox_shift",
                f"is {task.bbox_shift}; the avatar {avatar_id!r} was prepared with {shift}. Leave "
                "it out, name the video in place of the avatar, or prepare it again: "
                f"{prepare_again} --bbox-shift {task.bbox_shift}",
            )
        return avatar.digest

    def _preparation(self, task: RenderTask) -> PreparationSettings:
        settings = replace(self.settings.preparation_settings, recipe=engine_recipe(self.settings))
        if task.bbox_shift is None:
            return settings
        return replace(settings, bbox_shift=task.bbox_shift)

    def _audio(self, task: RenderTask) -> AudioInfo | None:
        if task.audio is None:
            return None
        try:
            return examine_audio(
                task.audio, rate_hz=SAMPLE_RATE_HZ, longest_s=self.settings.max_audio_s
            )
        except MediaError as error:
            raise task.error("audio", str(error)) from error

    def _spoken_text(self, task: RenderTask) -> tuple[PlainText, VoiceChoice] | None:
        if task.text is None:
            return None
        voice, language = task.voice, task.language
        speed = self.settings.speed if task.speed is None else task.speed
        if task.audio is not None:
            voice, language, speed = AUTO, language or self.settings.language, 1.0
        elif voice is None and language is None:
            voice, language = self.settings.voice, self.settings.language
        try:
            text = check_text(
                task.text, max_chars=self.settings.max_text_chars, markup=task.markup or "auto"
            )
            choice = self.voices.choose(voice=voice, language=language, speed=speed)
            check_styles(text, self.voices, choice)
        except BadSpeechRequest as error:
            raise task.error(error.field, str(error)) from error
        return text, choice

    def _fingerprint(
        self, task: RenderTask, avatar: str, spoken: tuple[PlainText, VoiceChoice] | None
    ) -> str:
        content = {
            "recipe": RECIPE,
            "avatar": avatar,
            "engine": [self.settings.lip_engine, *engine_recipe(self.settings)],
            "look": [self.settings.blend_mode, self.settings.track.subpixel_enabled],
            "sound": sha256_of(task.audio) if task.audio is not None else None,
            "said": None if spoken is None else said(*spoken),
        }
        digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode())
        return f"warmtalk {digest.hexdigest()}"


def said(text: PlainText, choice: VoiceChoice) -> list[Any]:
    """Return everything about a text that changes its speech, as JSON."""
    spans = [asdict(span) for span in text.spans]
    return [text.text, spans, [asdict(pause) for pause in text.pauses], asdict(choice)]


def avatar_name(video: Path, digest: str) -> str:
    """Return the name of the avatar of a task's video; equal digests give equal names."""
    stem = "".join(sign if ID_PATTERN.fullmatch(sign) else "-" for sign in video.stem)
    return f"{stem[:NAME_CHARS]}-{digest[:DIGEST_CHARS]}"


def check_result(task: RenderTask) -> None:
    """Raise BadTask if the film cannot be written to its path."""
    result = task.result
    if result.is_dir():
        raise task.error("result", f"{result} is a folder; name a file in it.")
    if journal_path(result).exists():
        raise task.error("result", f"{result} is the film of a session; write to another path.")
    for name in ("audio", "video"):
        source: Path | None = getattr(task, name)
        if source is not None and result.exists() and source.exists() and result.samefile(source):
            raise task.error("result", f"{result} is the {name} itself; write to another path.")
    folder = next(each for each in result.absolute().parents if each.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise task.error("result", f"{folder} is not writable. Choose another folder.")
