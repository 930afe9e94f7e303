"""What the rows of `python -m bench gpu` share: a folder of random models, an avatar, an engine."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.neural.drone import hum
from bench.neural.random_models import write_models
from warm.__main__ import demo_portrait
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.store import AvatarStore
from warm.engine_factory import make_engine, musetalk_options
from warm.engines.base import PatchRequest, PendingPatches
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.engines.musetalk.pipeline import Pipeline, open_pipeline
from warm.media.photo import read_photo
from warm.prepare.build import PreparationJob, build_from_photo, complete_build
from warm.prepare.progress import no_progress
from warm.prepare.run import FACE_MODELS
from warm.prepare.source import Portrait
from warm.render.compositing import Frame, composite
from warm.settings import Settings

AVATAR = "demo"
LANDMARKS = Path(__file__).with_name("demo_landmarks.npy")
"""(468, 3) of the demo portrait, in widths of the picture."""
FULL: dict[str, Any] = {"fps": 25, "max_side": 512}
TINY: dict[str, Any] = {"fps": 10, "max_side": 256, "batch_size": 4}
TINY_FRAMES = 12
"""Of the tiny avatar."""
ROOM: dict[str, Any] = {"max_speaking": 128, "max_queue": 128, "max_sessions": 1000}
"""More sessions at once than any row asks for."""


@dataclass(slots=True, eq=False)
class Rig:
    """Everything is made below `folder`."""

    folder: Path
    device: str
    tiny: bool

    def build(self) -> None:
        """Write random checkpoints and prepare an avatar by them, without the face models."""
        write_models(self.folder / "models", tiny=self.tiny)
        settings = self.settings()
        store, chosen = AvatarStore(settings.results_dir), settings.preparation_settings
        with store.building(AVATAR) as folder:
            job = PreparationJob(demo_portrait(), folder, chosen, FACE_MODELS, no_progress)
            photo = read_photo(job.source, max_side=chosen.max_side)
            points = np.load(LANDMARKS) * photo.picture.shape[1]
            build = build_from_photo(Portrait(photo.picture, points, []), job)
            if self.tiny:
                build = shortened(build)
            complete_build(build, self.engine(), job)
            facts = {"source": str(job.source), "settings": asdict(chosen)}
            store.write_manifest(build, avatar_id=AVATAR, digest="bench", notes=[], metadata=facts)

    def settings(self, **chosen: Any) -> Settings:
        """Those of a server; `chosen` goes first."""
        return Settings(
            **{
                "results_dir": self.folder / "results",
                "models_dir": self.folder / "models",
                "avatar_id": AVATAR,
                "engine": "musetalk",
                "device": self.device,
                **ROOM,
                **(TINY if self.tiny else FULL),
                **chosen,
            }
        )

    def engine(self, **chosen: Any) -> MuseTalkEngine:
        """The engine of such a server, not loaded."""
        engine = make_engine(self.settings(**chosen))
        assert isinstance(engine, MuseTalkEngine)
        return engine

    def warm(self, **chosen: Any) -> MuseTalkEngine:
        """The engine, loaded, with the avatar."""
        engine = self.engine(**chosen)
        engine.load_avatar(self.avatar())
        engine.load()
        return engine

    def pipeline(self, **chosen: Any) -> Pipeline:
        """The networks alone; nothing is compiled or recorded."""
        options = musetalk_options(self.settings(**chosen))
        return open_pipeline(options.layout(), options)

    def avatar(self) -> Avatar:
        """The face that everybody has here."""
        return AvatarStore(self.settings().results_dir).open(AVATAR)

    @property
    def is_gpu(self) -> bool:
        """Whether figures mean anything."""
        return self.device.startswith("cuda")

    def wait(self) -> None:
        """Until the device has nothing left to do."""
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def held(self) -> int:
        """Bytes of the device that this process holds; 0 on the CPU."""
        return int(torch.cuda.memory_reserved(self.device)) if self.is_gpu else 0


def shortened(build: AvatarBuild) -> AvatarBuild:
    """The first frames of an avatar in the making."""
    frames = np.array(build.frames[:TINY_FRAMES])
    np.save(build.folder / "frames.npy", frames)
    return replace(
        build,
        frames=frames,
        transforms=build.transforms[:TINY_FRAMES],
        landmarks=build.landmarks[:TINY_FRAMES],
    )


def conditions_for(engine: MuseTalkEngine, avatar: Avatar, frames: int) -> NDArray[np.float32]:
    """(frames, …) what the engine wants for so many frames of humming."""
    speech = hum("hum", seconds=frames / avatar.fps)
    return engine.encode_speech(speech, frames=frames, fps=avatar.fps)


def batch_jobs(
    avatar: Avatar, rows: NDArray[np.float32], number: int, size: int, sessions: int = 1
) -> list[PatchRequest]:
    """The jobs of the pass `number`: each session goes through the avatar from its own place."""
    jobs = []
    for step in range(size):
        session, frame = step % sessions, number * (size // sessions) + step // sessions
        cursor = frame + session * len(avatar.frames) // sessions
        jobs.append(PatchRequest(avatar, avatar.index_at(cursor), rows[frame % len(rows)]))
    return jobs


def pasted(avatar: Avatar, pending: PendingPatches) -> list[Frame]:
    """Finished pictures, as the server makes them; waits for the device."""
    return composite(avatar, 0, pending.patches(), mode="feather", subpixel=True)
