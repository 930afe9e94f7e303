"""The avatars that topics measure with: the demo portrait and the shared talking video."""

from pathlib import Path

from session.film import FilmSpec
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarStore
from warm.engine_factory import make_engine
from warm.engines.base import Engine
from warm.prepare.demo import demo_portrait
from warm.prepare.run import prepare
from warm.settings import Settings

TALKING_VIDEO = Path(__file__).parents[2] / "shared" / "media" / "talking_woman_576x720.mp4"
"""10 s of a speaking woman, next to the repository; not part of it."""


def prepare_demo(results: Path) -> Avatar:
    """Prepare the avatar `demo` from the portrait, as `python -m warm prepare --demo` does."""
    return prepare(demo_portrait(), avatar_id="demo", store=AvatarStore(results))


def prepare_talking_video(results: Path) -> Avatar:
    """Prepare the avatar `video`; raises FileNotFoundError if the video is missing."""
    require_talking_video()
    return prepare(TALKING_VIDEO, avatar_id="video", store=AvatarStore(results))


def require_talking_video() -> None:
    """Raise FileNotFoundError if the shared talking video is missing."""
    if not TALKING_VIDEO.is_file():
        raise FileNotFoundError(f"{TALKING_VIDEO} is missing; this topic measures it")


def film_spec(avatar: Avatar) -> FilmSpec:
    """Return the format of a film of this avatar."""
    width, height = avatar.size
    return FilmSpec(width=width, height=height, fps=avatar.fps)


def load_engine(avatar: Avatar) -> Engine:
    """Return the default engine with the avatar loaded."""
    engine = make_engine(Settings())
    engine.load()
    engine.load_avatar(avatar)
    return engine
