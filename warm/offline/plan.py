"""What can be known of a task before any work: whether it can be done, and whether it is done."""

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
from tts.sentences import check_text
from tts.voice import BadSpeechRequest, VoiceChoice, Voices
from warm.avatars.recipe import PreparationError, PreparationSettings, preparation_digest
from warm.avatars.store import ID_PATTERN, MANIFEST, AvatarError, AvatarStore
from warm.engines.factory import engine_recipe
from warm.engines.weights.digest import sha256_of
from warm.installation import own_command
from warm.media.audio import AudioInfo, examine_audio
from warm.media.sniff import MediaError, sniff
from warm.offline.errors import BadTask, RefusedTasks
from warm.offline.mp4_file import read_comment
from warm.offline.task import RenderTask
from warm.settings import Settings

RECIPE = 1
"""Goes up when the same task makes another film."""
NAME_CHARS, DIGEST_CHARS = 40, 12
"""Of a video's file name and digest, in the name of its avatar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderPlan:
    """A task that can be done."""

    task: RenderTask
    avatar_id: str
    preparation: PreparationSettings | None
    """What the task's video is prepared with; None when the avatar is ready."""
    sound: AudioInfo | None
    said: tuple[str, VoiceChoice] | None
    """The text and its voice, where there is no sound file."""
    key: str
    """Stands for everything that the film is made of; kept in it."""
    is_done: bool
    """Whether the film is there and was made of just this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Looks at tasks. Any thread may use it."""

    settings: Settings
    store: AvatarStore
    voices: Voices
    force: bool
    """Make what is done again, and replace what is something else."""

    def plan_all(self, tasks: Sequence[RenderTask]) -> list[RenderPlan]:
        """Every task checked; raises RefusedTasks with a line for each that cannot be done."""
        plans, faults = [], []
        for task in tqdm(tasks, desc="checking", unit=" tasks", leave=False, disable=None):
            try:
                plans.append(self.plan(task))
            except BadTask as fault:
                faults.append(str(fault))
        if faults:
            raise RefusedTasks("\n".join(["Nothing was begun:", *faults]))
        return plans

    def plan(self, task: RenderTask) -> RenderPlan:
        """One task; raises BadTask. Reads the sound to its end."""
        check_result(task)
        avatar_id, avatar_digest, preparation = self._face(task)
        sound, said = self._sound(task), self._said(task)
        key = self._key(task, avatar_digest, said)
        is_done = task.result.exists() and read_comment(task.result) == key
        if task.result.exists() and not is_done and not self.force:
            raise task.fault(
                "result",
                f"{task.result} exists, and was made of something else. Move it, name another "
                "file, or replace it with --force.",
            )
        return RenderPlan(
            task=task,
            avatar_id=avatar_id,
            preparation=preparation,
            sound=sound,
            said=said,
            key=key,
            is_done=is_done and not self.force,
        )

    def _face(self, task: RenderTask) -> tuple[str, str, PreparationSettings | None]:
        """Name, digest, and what the avatar has to be prepared with."""
        try:
            if task.avatar is not None:
                return task.avatar, self._ready_avatar(task, task.avatar), None
            assert task.video is not None
            sniff(task.video)
            settings = self._preparation(task)
            digest = preparation_digest(task.video, settings)
        except AvatarError as error:
            raise task.fault("avatar", str(error)) from error
        except MediaError as error:
            raise task.fault("video", str(error)) from error
        except PreparationError as error:
            raise task.fault("bbox_shift", str(error)) from error
        return avatar_name(task.video, digest), digest, settings

    def _ready_avatar(self, task: RenderTask, avatar_id: str) -> str:
        """The digest of a prepared avatar that fits the task; raises AvatarError, BadTask."""
        avatar = self.store.open(avatar_id)
        manifest = json.loads((avatar.folder / MANIFEST).read_bytes())
        made_with: dict[str, Any] = manifest.get("settings", {})
        again = own_command("prepare", manifest["source"], "--avatar-id", avatar_id)
        engine = made_with.get("engine", self.settings.engine)
        if engine != self.settings.engine:
            raise task.fault(
                "avatar",
                f"{avatar_id!r} was prepared for the engine {engine!r}, and the engine is "
                f"{self.settings.engine!r}. Choose that (--engine {engine}), or prepare it again: "
                f"WARMTALK_ENGINE={self.settings.engine} {again}",
            )
        shift = made_with.get("bbox_shift", 0)
        if task.bbox_shift is not None and task.bbox_shift != shift:
            raise task.fault(
                "bbox_shift",
                f"is {task.bbox_shift}; the avatar {avatar_id!r} was prepared with {shift}. Leave "
                "it out, name the video in place of the avatar, or prepare it again: "
                f"{again} --bbox-shift {task.bbox_shift}",
            )
        return avatar.digest

    def _preparation(self, task: RenderTask) -> PreparationSettings:
        settings = replace(self.settings.preparation_settings, recipe=engine_recipe(self.settings))
        return (
            settings if task.bbox_shift is None else replace(settings, bbox_shift=task.bbox_shift)
        )

    def _sound(self, task: RenderTask) -> AudioInfo | None:
        if task.audio is None:
            return None
        try:
            return examine_audio(
                task.audio, rate_hz=SAMPLE_RATE_HZ, longest_s=self.settings.max_audio_s
            )
        except MediaError as error:
            raise task.fault("audio", str(error)) from error

    def _said(self, task: RenderTask) -> tuple[str, VoiceChoice] | None:
        if task.text is None:
            return None
        voice, language = task.voice, task.language
        if voice is None and language is None:
            voice, language = self.settings.voice, self.settings.language
        speed = self.settings.speed if task.speed is None else task.speed
        try:
            said = check_text(task.text, max_chars=self.settings.max_text_chars)
            return said, self.voices.choose(voice=voice, language=language, speed=speed)
        except BadSpeechRequest as error:
            raise task.fault(error.field, str(error)) from error

    def _key(self, task: RenderTask, avatar: str, said: tuple[str, VoiceChoice] | None) -> str:
        content = {
            "recipe": RECIPE,
            "avatar": avatar,
            "engine": [self.settings.engine, *engine_recipe(self.settings)],
            "look": [self.settings.blend_mode, self.settings.track.subpixel_enabled],
            "sound": sha256_of(task.audio) if task.audio is not None else None,
            "said": [said[0], asdict(said[1])] if said is not None else None,
        }
        digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode())
        return f"warmtalk {digest.hexdigest()}"


def avatar_name(video: Path, digest: str) -> str:
    """The avatar that a task's video becomes: found again when nothing has changed."""
    stem = "".join(sign if ID_PATTERN.fullmatch(sign) else "-" for sign in video.stem)
    return f"{stem[:NAME_CHARS]}-{digest[:DIGEST_CHARS]}"


def check_result(task: RenderTask) -> None:
    """Raise BadTask when the film could not be put in its place."""
    result = task.result
    if result.is_dir():
        raise task.fault("result", f"{result} is a folder; name a file in it.")
    if journal_path(result).exists():
        raise task.fault("result", f"{result} is the film of a session; write to another path.")
    for name in ("audio", "video"):
        source: Path | None = getattr(task, name)
        if source is not None and result.exists() and source.exists() and result.samefile(source):
            raise task.fault("result", f"{result} is the {name} itself; write to another path.")
    folder = next(each for each in result.absolute().parents if each.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise task.fault("result", f"{folder} may not be written. Choose another folder.")
