"""What the rows of `python -m bench gpu` share: a folder of random models, an avatar, an engine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.drone import hum
from bench.random_models import write_models
from warm.__main__ import demo_portrait
from warm.avatar import Avatar
from warm.engine import PatchJob, Rendering
from warm.engines import make_engine
from warm.musetalk.engine import MuseTalkEngine
from warm.musetalk.options import Options
from warm.musetalk.studio import Studio, open_studio
from warm.pasting import Picture, speaking
from warm.prepare.run import prepare
from warm.settings import Settings
from warm.store import AvatarStore

AVATAR = "demo"
FULL: dict[str, Any] = {"fps": 25, "max_side": 512}
TINY: dict[str, Any] = {"fps": 10, "max_side": 256, "batch_size": 4}
ROOM: dict[str, Any] = {"max_speaking": 128, "max_queue": 128, "max_sessions": 1000}
"""More sessions at once than any row asks for."""


@dataclass(slots=True, eq=False)
class Rig:
    """Everything is made below `folder`."""

    folder: Path
    device: str
    tiny: bool

    def build(self) -> None:
        """Write random checkpoints and prepare an avatar by them."""
        write_models(self.folder / "models", tiny=self.tiny)
        settings = self.settings()
        prepare(
            demo_portrait(),
            avatar_id=AVATAR,
            store=AvatarStore(settings.results_dir),
            settings=settings.preparation_settings,
            engine=self.engine,
        )

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
        engine.adopt(self.avatar())
        engine.load()
        return engine

    def studio(self, **chosen: Any) -> Studio:
        """The networks alone; nothing is compiled or recorded."""
        options = Options.of(self.settings(**chosen))
        return open_studio(options.layout(), options)

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


def said(engine: MuseTalkEngine, avatar: Avatar, frames: int) -> NDArray[np.float32]:
    """(frames, …) what the engine wants for so many frames of humming."""
    speech = hum("hum", seconds=frames / avatar.fps)
    return engine.conditions(speech, frames=frames, fps=avatar.fps)


def pass_of(
    avatar: Avatar, rows: NDArray[np.float32], number: int, size: int, sessions: int = 1
) -> list[PatchJob]:
    """The jobs of the pass `number`: each session goes through the avatar from its own place."""
    jobs = []
    for step in range(size):
        session, frame = step % sessions, number * (size // sessions) + step // sessions
        cursor = frame + session * len(avatar.frames) // sessions
        jobs.append(PatchJob(avatar, avatar.index_at(cursor), rows[frame % len(rows)]))
    return jobs


def pasted(avatar: Avatar, rendering: Rendering) -> list[Picture]:
    """Finished pictures, as the server makes them; waits for the device."""
    return speaking(avatar, 0, rendering.patches(), mode="feather", subpixel=True)
