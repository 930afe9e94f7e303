"""Actions of an avatar: the steps where they begin and end, and the mouth that speaks over them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray

from bench.avatars import TALKING_VIDEO, film_spec, load_engine
from bench.faces.life import LARGEST_IOD, SENTENCES, Measured, measure_film
from bench.faces.waving import write_waving
from bench.figure import Figure
from session.film import FilmSpec
from tts.catalogue import espeak_voices
from warm.avatars.avatar import Avatar, Shown
from warm.avatars.store import AvatarStore
from warm.engine_factory import make_engine
from warm.engines.viseme.shape import Shape
from warm.face.attention_mesh import AttentionMesh
from warm.face.landmarks import lip_gap
from warm.motion.performance import Performance, perform
from warm.offline.mp4_file import Mp4File
from warm.prepare.action.source import ActionSource
from warm.prepare.demo import demo_portrait
from warm.prepare.run import FACE_MODELS, prepare
from warm.render.compositing import composite, patch_requests
from warm.render.planned_action import PlannedAction
from warm.render.spoken_sentence import SpokenSentence
from warm.runtime import Runtime
from warm.settings import read_settings

CLIPS = 6
TIMEOUT_S = 120
NAME = "gesture"
BASE_S, ACTION_S = (0.0, 6.0), (6.3, 9.7)
"""Parts of the talking video that become the loop and the action."""
PICTURE_SLACK = 1.0
"""Largest change of the picture in a glide, relative to those of loop and action."""
STRIDE = 4


def measure(out: Path) -> list[Figure]:
    """Measure the demo portrait with a drawn action, and parts of the talking video."""
    figures = []
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        folder = Path(name)
        wave = write_waving(folder / "wave.mp4")
        figures += measure_avatar(with_action(demo_portrait(), wave, folder, "demo"), "photo", out)
        if TALKING_VIDEO.is_file():
            base, action = (
                write_part(folder / f"{part[0]}.mp4", part) for part in (BASE_S, ACTION_S)
            )
            figures += measure_avatar(with_action(base, action, folder, "video"), "video", out)
    return figures


def with_action(source: Path, action: Path, results: Path, avatar_id: str) -> Avatar:
    """Prepare an avatar and add an action to it in a second step."""
    store = AvatarStore(results)
    prepare(source, avatar_id=avatar_id, store=store)
    films = [ActionSource(name=NAME, path=action)]
    return prepare(None, avatar_id=avatar_id, store=store, actions=films)


def write_part(path: Path, part_s: tuple[float, float]) -> Path:
    """Write a part of the talking video."""
    first, end = (round(time * 25) for time in part_s)
    with av.open(str(TALKING_VIDEO)) as container:
        frames = [
            np.asarray(each.to_ndarray(format="bgr24"), np.uint8)
            for each in container.decode(video=0)
        ]
    height, width = frames[0].shape[:2]
    spec = FilmSpec(width=width, height=height, fps=25)
    with Mp4File(path, spec, comment="") as film:
        for frame in frames[first:end]:
            film.write([frame], np.zeros(spec.samples_per_frame, np.float32))
    return path


def measure_avatar(avatar: Avatar, kind: str, out: Path) -> list[Figure]:
    """Show the action several times in the silence, and speak over it."""
    path, firsts = act_clips(avatar)
    mesh = AttentionMesh(FACE_MODELS)
    film, idle = (measure_film(file, avatar, mesh) for file in (path, avatar.folder / "idle.mp4"))
    shown = [performance(avatar, first) for first in firsts]
    joints = joint_frames(firsts, shown)
    plot_steps(film, joints, out / f"actions_{kind}.png")
    return [
        head_figure(film, idle, joints, kind),
        picture_figure(path, avatar, joints, kind),
        *speech_figures(avatar, mesh, kind),
    ]


def act_clips(avatar: Avatar) -> tuple[Path, list[int]]:
    """Show the action in clips of its own; return the film and their first frames."""
    settings = read_settings(["--results-dir", str(avatar.folder.parents[1])])
    with closing(espeak_voices()) as voices:
        runtime = Runtime(
            settings=settings, avatar=avatar, engine=make_engine(settings), voices=voices
        )
        with closing(runtime):
            runtime.start()
            runtime.wait_until_warm(TIMEOUT_S)
            session = runtime.sessions.registry.lookup(f"actions-{avatar.id}")
            planned = PlannedAction(name=NAME, when="silence")
            results = [runtime.act(session, planned)[0].result() for _ in range(CLIPS)]
            kept = avatar.folder / "actions.mp4"
            kept.write_bytes(results[-1].path.read_bytes())
    return kept, [result.clip.first_frame for result in results]


def performance(avatar: Avatar, first: int) -> Performance:
    """Return the performance of the action in a clip of its own that begins with a frame."""
    return perform(avatar, avatar.actions[NAME], lambda frame: avatar.shown_at(first + frame), 0)


def joint_frames(firsts: list[int], shown: list[Performance]) -> NDArray[np.int64]:
    """Return the frames of the film in which the picture glides, and those next to them."""
    found = set[int]()
    for first, each in zip(firsts, shown, strict=True):
        start, end = first + each.start, first + each.end
        found |= {*range(max(1, start), start + each.entry + 1), *range(end - each.exit, end)}
    return np.array(sorted(found))


def head_figure(film: Measured, idle: Measured, joints: NDArray[np.int64], kind: str) -> Figure:
    """Return the largest step of the head in the glides."""
    steps, ordinary = np.array(film.steps), max(idle.steps)
    name = f"{kind}: largest step of the head at the {2 * CLIPS} ends of actions"
    goal = max(LARGEST_IOD, 1.05 * ordinary)
    return Figure.at_most(
        f"{name}; idle loop: {100 * ordinary:.1f}",
        100 * steps[joints - 1].max(),
        "% IOD",
        100 * goal,
        len(joints),
    )


def picture_figure(path: Path, avatar: Avatar, joints: NDArray[np.int64], kind: str) -> Figure:
    """Return the largest change of the picture in the glides."""
    steps, idle = picture_steps(path), picture_steps(avatar.folder / "idle.mp4")
    inside = np.setdiff1d(np.arange(1, len(steps) + 1), joints)
    own = max(float(idle.max()), float(steps[inside - 1].max()))
    name = f"{kind}: largest change of the picture there, against that of loop and action"
    return Figure.at_most(name, steps[joints - 1].max() / own, "x", PICTURE_SLACK, len(joints))


def picture_steps(path: Path) -> NDArray[np.float64]:
    """Return the mean differences of a film's pictures, (n - 1,) grey levels."""
    with av.open(str(path)) as container:
        small = [
            frame.to_ndarray(format="gray")[::STRIDE, ::STRIDE].astype(np.float32)
            for frame in container.decode(video=0)
        ]
    return np.asarray(np.abs(np.diff(small, axis=0)).mean(axis=(1, 2)), np.float64)


def speech_figures(avatar: Avatar, mesh: AttentionMesh, kind: str) -> Iterator[Figure]:
    """Yield how well the lips follow the speech over the action, against the loop."""
    action = avatar.actions[NAME]
    over = np.arange(action.start, action.end)
    speaking = [int(frame) for frame in over if avatar.mouth_share(int(frame)) >= 1]
    hidden = [int(frame) for frame in over if avatar.mouth_share(int(frame)) == 0]
    loop = [avatar.index_at(cursor) for cursor in range(len(speaking))]
    follow, chance = (lips_follow(avatar, frames, mesh) for frames in (speaking, loop))
    name = f"{kind}: correlation of the lips with the speech over an action; loop: {chance:.2f}"
    yield Figure.at_least(name, follow, "", 0.95 * chance, len(speaking))
    if hidden:
        pictures = spoken(avatar, hidden)[0]
        own = avatar.frames[hidden]
        changed = max(
            float(np.abs(np.subtract(a, b, dtype=np.int16)).max())
            for a, b in zip(pictures, own, strict=True)
        )
        name = f"{kind}: change of the picture where the mouth is hidden"
        yield Figure.at_most(name, changed, "levels", 0, len(hidden))


def lips_follow(avatar: Avatar, frames: list[int], mesh: AttentionMesh) -> float:
    """Return the correlation of the measured gap of the lips with the opening that was asked."""
    pictures, openings = spoken(avatar, frames)
    gaps = [
        float(lip_gap(mesh.track(picture, avatar.landmarks[frame]).points))
        for picture, frame in zip(pictures, frames, strict=True)
    ]
    return float(np.corrcoef(gaps, openings)[0, 1])


def spoken(
    avatar: Avatar, frames: list[int]
) -> tuple[list[NDArray[np.uint8]], NDArray[np.float32]]:
    """Speak over frames of the avatar; return the pictures and the openings of the mouth."""
    engine = load_engine(avatar)
    with closing(espeak_voices()) as voices:
        speeches = voices.speak(" ".join(SENTENCES), voices.choose())
        rows = []
        for speech in speeches:
            whole = SpokenSentence(speech.completed(), film_spec(avatar))
            count = whole.frames
            rows.append(engine.encode_speech(whole.so_far(), frames=count, fps=avatar.fps))
    features = np.concatenate(rows)[: len(frames)]
    shown = [Shown(frame) for frame in frames[: len(features)]]
    patches = engine.submit(patch_requests(avatar, shown, features)).patches()
    pictures = composite(avatar, shown, patches, mode="feather", subpixel=True)
    return pictures, features[:, Shape.OPEN]


def plot_steps(film: Measured, joints: NDArray[np.int64], path: Path) -> None:
    """Plot the steps of the head, and the frames that glide."""
    plot = Plot(figsize=(12, 3), layout="constrained")
    axes = plot.subplots()
    steps = np.array(film.steps) * 100
    axes.plot(steps, linewidth=0.7)
    axes.plot(joints - 1, steps[joints - 1], ".", markersize=3)
    axes.set(xlabel="frame", ylabel="step, % IOD", ylim=(0, None))
    plot.savefig(path)
