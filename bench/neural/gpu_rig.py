"""Test rig of `python -m bench gpu`: random models, an avatar, engines and pipelines."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.neural.random_models import write_models
from bench.neural.synthetic_voice import hum
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.store import AvatarStore
from warm.engine_factory import make_engine, musetalk_options
from warm.engines.base import PatchRequest, PendingPatches
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.engines.musetalk.pipeline import Pipeline, open_pipeline
from warm.media.photo import read_photo
from warm.prepare.build import PreparationJob, build_from_photo, complete_build
from warm.prepare.demo import demo_portrait
from warm.prepare.progress import no_progress
from warm.prepare.run import FACE_MODELS
from warm.prepare.source import Portrait
from warm.render.compositing import Frame, composite, idle_shown
from warm.settings import Settings

AVATAR = "demo"
LANDMARKS = Path(__file__).with_name("demo_landmarks.npy")
"""(468, 3) of the demo portrait, in widths of the picture."""
FULL: dict[str, Any] = {"fps": 25, "max_side": 512}
TINY: dict[str, Any] = {"fps": 10, "max_side": 256, "batch_size": 2}
TINY_FRAMES = 12
"""Frames of the tiny avatar."""
LIMITS: dict[str, Any] = {"max_speaking": 128, "max_queue": 128, "max_sessions": 1000}
"""Limits above the number of sessions in any row."""


@dataclass(slots=True, eq=False)
class Rig:
    """Models, avatar and settings of the benchmark; all files are in `folder`."""

    folder: Path
    device: str
    tiny: bool

    def build(self) -> None:
        """Write random checkpoints and prepare an avatar with them, without the face models."""
        write_models(self.folder / "models", tiny=self.tiny)
        settings = self.settings()
        store, chosen = AvatarStore(settings.results_dir), settings.preparation_settings
        with store.building(AVATAR) as folder:
            job = PreparationJob(demo_portrait(), folder, chosen, FACE_MODELS, no_progress)
            photo = read_photo(job.source, max_side=chosen.max_side)
            points = np.load(LANDMARKS) * photo.picture.shape[1]
            build = build_from_photo(Portrait(photo.picture, points, []), job)
            if self.tiny:
                build = first_frames_of(build)
            complete_build(build, self.engine(), job)
            facts = {"source": str(job.source), "settings": asdict(chosen)}
            store.write_manifest(build, avatar_id=AVATAR, digest="bench", notes=[], metadata=facts)

    def settings(self, **chosen: Any) -> Settings:
        """Settings of a server; `chosen` overrides them."""
        return Settings(
            **{
                "results_dir": self.folder / "results",
                "models_dir": self.folder / "models",
                "avatar_id": AVATAR,
                "engine": "musetalk",
                "device": self.device,
                **LIMITS,
                **(TINY if self.tiny else FULL),
                **chosen,
            }
        )

    def engine(self, **chosen: Any) -> MuseTalkEngine:
        """Engine with these settings, not loaded."""
        engine = make_engine(self.settings(**chosen))
        assert isinstance(engine, MuseTalkEngine)
        return engine

    def loaded_engine(self, **chosen: Any) -> MuseTalkEngine:
        """Engine with these settings, loaded, with the avatar."""
        engine = self.engine(**chosen)
        engine.load_avatar(self.avatar())
        engine.load()
        return engine

    def pipeline(self, **chosen: Any) -> Pipeline:
        """Pipeline with these settings; nothing is compiled or captured."""
        options = musetalk_options(self.settings(**chosen))
        return open_pipeline(options.layout(), options)

    def avatar(self) -> Avatar:
        """The avatar of all sessions."""
        return AvatarStore(self.settings().results_dir).open(AVATAR)

    @property
    def is_gpu(self) -> bool:
        """True on a GPU; figures measured on a CPU mean nothing."""
        return self.device.startswith("cuda")

    def synchronize(self) -> None:
        """Wait until the device is idle."""
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def reserved(self) -> int:
        """Bytes of the device that this process has reserved; 0 on the CPU."""
        return int(torch.cuda.memory_reserved(self.device)) if self.is_gpu else 0


def first_frames_of(build: AvatarBuild) -> AvatarBuild:
    """First frames of an avatar under construction, without the motion that needs the others."""
    for name in build.extras:
        (build.folder / f"{name}.npy").unlink()
    frames = np.array(build.frames[:TINY_FRAMES])
    np.save(build.folder / "frames.npy", frames)
    return replace(
        build,
        frames=frames,
        transforms=build.transforms[:TINY_FRAMES],
        landmarks=build.landmarks[:TINY_FRAMES],
        extras={},
    )


def speech_features(engine: MuseTalkEngine, avatar: Avatar, frames: int) -> NDArray[np.float32]:
    """(frames, …) features of humming for this number of frames."""
    speech = hum("hum", seconds=frames / avatar.fps)
    return engine.encode_speech(speech, frames=frames, fps=avatar.fps)


def batch_requests(
    avatar: Avatar, rows: NDArray[np.float32], number: int, size: int, sessions: int = 1
) -> list[PatchRequest]:
    """Requests of batch `number`: each session starts at another frame of the avatar."""
    requests = []
    for step in range(size):
        session, frame = step % sessions, number * (size // sessions) + step // sessions
        cursor = frame + session * len(avatar.frames) // sessions
        requests.append(PatchRequest(avatar, avatar.index_at(cursor), rows[frame % len(rows)]))
    return requests


def composite_patches(avatar: Avatar, pending: PendingPatches) -> list[Frame]:
    """Frames as the server composites them; waits for the device."""
    patches = pending.patches()
    shown = idle_shown(avatar, 0, len(patches))
    return composite(avatar, shown, patches, mode="feather", subpixel=True)
