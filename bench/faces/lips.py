"""The lips on the output picture, read by the landmark model, against what they should do.

Everything is real: the voice, the engine, the composite, and the 468-point mesh that measures the
finished picture. Run alone: `python -m bench.lips --sentences 20 --out /tmp/lips`.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray

from bench.faces.lips_sentences import SENTENCES
from bench.figure import Figure
from session.film import FilmSpec
from tts.espeak import EspeakVoices
from tts.speech import Phoneme, Speech
from warm.__main__ import demo_portrait
from warm.avatars.avatar import Avatar
from warm.avatars.recipe import PreparationSettings
from warm.avatars.store import AvatarStore
from warm.engines.base import Engine
from warm.engines.factory import make_engine
from warm.engines.viseme.ipa_targets import vowel_openness
from warm.engines.viseme.phoneme_curves import mouth_curves
from warm.engines.viseme.shape import CURVE_HZ, FULL_GAP_IOD, Shape
from warm.face.landmarks import CLOSED_GAP_IOD, lip_gap, lip_width
from warm.face.mesh import FaceMesh
from warm.media.resampling import film_audio
from warm.media.video import open_video
from warm.prepare.run import FACE_MODELS, prepare
from warm.render.compositing import composite, patch_requests
from warm.settings import Settings

TALKING_VIDEO = Path("../shared/media/talking_woman_576x720.mp4")

CLOSING = frozenset("pbm")
LONGEST_CONTACT_S = 0.12
"""Lips may part before a long /m/ ends."""
OPEN_VOWEL = 0.8
"""Height from which a vowel counts as open: /æ a ɑ/ and diphthongs that begin there."""
WIDE_VOWELS, ROUND_VOWELS, A_VOWELS = frozenset("i"), frozenset("uʉ"), frozenset("aɑ")
SHORTEST_A_S, SHORTEST_EDGE_S = 0.080, 0.060
"""A shorter vowel does not reach its own shape in anybody's mouth."""
LAGS_S = np.arange(-0.10, 0.1001, 0.005)
BATCH = 16

Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """One sentence as it was shown."""

    speech: Speech
    first_frame: int
    """Frame cursor of its first frame."""
    track: NDArray[np.float32]
    """(n, 7) by Shape: what was asked."""
    gap: Curve
    """(n,) gap of the inner lips in the picture, IOD."""
    width: Curve
    """(n,) distance of the lip corners, IOD."""
    fps: int

    @property
    def middles_s(self) -> Curve:
        """(n,) the middle of each frame's time."""
        return (np.arange(len(self.gap)) + 0.5) / self.fps

    def shown_during(self, start_s: float, end_s: float) -> NDArray[np.intp]:
        """Frames on the screen at any moment of an interval."""
        first, last = int(start_s * self.fps), int(np.ceil(end_s * self.fps))
        return np.arange(first, min(last, len(self.gap)))

    def middle_of(self, phoneme: Phoneme) -> NDArray[np.intp]:
        """Frames whose middle lies in the middle half of a phoneme; at least one."""
        start, length = phoneme.start_s, phoneme.end_s - phoneme.start_s
        inside = np.flatnonzero(
            (self.middles_s >= start + 0.25 * length) & (self.middles_s <= start + 0.75 * length)
        )
        nearest = min(int((start + 0.5 * length) * self.fps), len(self.gap) - 1)
        return inside if len(inside) else np.array([nearest])


@dataclass(frozen=True, slots=True)
class Goals:
    """The figures' names and goals, which differ a little between avatars."""

    prefix: str
    full: bool
    """Whether the measures of shape (/a/, /i/-/u/, silence, lag) are asked for."""


def measure(out: Path) -> list[Figure]:
    """All sentences on the demo portrait, a quarter of them on the talking video where it lies."""
    figures = on_portrait(out, len(SENTENCES))
    return figures + (on_video(out, len(SENTENCES) // 4) if TALKING_VIDEO.is_file() else [])


def on_portrait(out: Path, sentences: int) -> list[Figure]:
    """The lips of the demo avatar."""
    with TemporaryDirectory() as folder:
        avatar = prepare(
            demo_portrait(), avatar_id="demo", store=AvatarStore(Path(folder)), force=True
        )
        watched = list(watch(avatar, SENTENCES[:sentences]))
    plot(watched, out / "lips_portrait.png")
    return figures_of(watched, Goals("lips", full=True))


def on_video(out: Path, sentences: int) -> list[Figure]:
    """The lips of the shared talking video, and how much of its own mouth is left."""
    with TemporaryDirectory() as folder:
        avatar = prepare(
            TALKING_VIDEO, avatar_id="video", store=AvatarStore(Path(folder)), force=True
        )
        watched = list(watch(avatar, SENTENCES[:sentences]))
        leak = source_leak(avatar, watched, own_gaps(avatar))
    plot(watched, out / "lips_video.png")
    frames = sum(len(one.gap) for one in watched)
    return [
        *figures_of(watched, Goals("video lips", full=False)),
        figure("video lips: correlation with the source's own mouth", leak, "", 0.10, n=frames),
    ]


def watch(avatar: Avatar, texts: Sequence[str]) -> Iterator[Watched]:
    """Say and show every text in turn, and read the lips of every picture."""
    stage, mesh, cursor = stage_for(avatar), FaceMesh(FACE_MODELS), 0
    for text in texts:
        for speech in stage.voices.speak(text, stage.voices.choose()):
            one = watch_sentence(stage, mesh, speech, cursor)
            cursor += len(one.gap)
            yield one


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stage:
    """What sentences are watched with."""

    avatar: Avatar
    engine: Engine
    voices: EspeakVoices
    spec: FilmSpec


def stage_for(avatar: Avatar) -> Stage:
    """The demo's own settings."""
    engine = make_engine(Settings())
    engine.load()
    engine.load_avatar(avatar)
    _, height, width, _ = avatar.frames.shape
    spec = FilmSpec(width=width, height=height, fps=avatar.fps)
    return Stage(avatar=avatar, engine=engine, voices=EspeakVoices(), spec=spec)


def watch_sentence(stage: Stage, mesh: FaceMesh, speech: Speech, cursor: int) -> Watched:
    """Render one sentence from frame `cursor` on and measure it."""
    frames = len(film_audio(speech, stage.spec)) // stage.spec.samples_per_frame
    track = stage.engine.encode_speech(speech, frames=frames, fps=stage.spec.fps)
    points = [
        mesh.track(picture, stage.avatar.landmarks[stage.avatar.index_at(cursor + index)]).points
        for index, picture in pictures(stage, cursor, track)
    ]
    shown = np.stack(points)
    return Watched(speech, cursor, track, lip_gap(shown), lip_width(shown), stage.spec.fps)


def pictures(
    stage: Stage, cursor: int, track: NDArray[np.float32]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Each frame's index and its (h, w, 3) BGR picture."""
    for start in range(0, len(track), BATCH):
        rows = track[start : start + BATCH]
        patches = stage.engine.submit(patch_requests(stage.avatar, cursor + start, rows)).patches()
        drawn = composite(stage.avatar, cursor + start, patches, mode="feather", subpixel=True)
        yield from enumerate(drawn, start)


def figures_of(watched: Sequence[Watched], goals: Goals) -> list[Figure]:
    """Every lip measure of `docs/VISEME.md`'s table."""
    closed, vowels = bilabials_closed(watched), open_vowels_closed(watched)
    name = goals.prefix
    figures = [
        figure(f"{name}: bilabials closed", share(closed), "%", 100, len(closed), higher=True),
        figure(f"{name}: closed in open vowels", sum(vowels), "", 0, len(vowels)),
        figure(
            f"{name}: correlation with the target curve",
            float(np.corrcoef(pooled_gap(watched), pooled_target(watched))[0, 1]),
            "",
            0.97,
            len(pooled_gap(watched)),
            higher=True,
        ),
    ]
    return figures + (shape_figures(watched, name) if goals.full else [])


def shape_figures(watched: Sequence[Watched], name: str) -> list[Figure]:
    """Lag, the widest /a/, /i/ against /u/, and stillness."""
    a, still = widest_a(watched), silent_gap(watched)
    wide, narrow = vowel_widths(watched, WIDE_VOWELS), vowel_widths(watched, ROUND_VOWELS)
    spread = float(np.mean(wide) - np.mean(narrow))
    frames, edges = len(pooled_gap(watched)), len(wide) + len(narrow)
    return [
        figure(
            f"{name}: lag behind the target curve", abs(lag_s(watched)) * 1000, "ms", 10, frames
        ),
        figure(f"{name}: widest gap in /a/", np.median(a), "IOD", 0.20, len(a), higher=True),
        figure(f"{name}: width of /i/ - width of /u/", spread, "IOD", 0.12, edges, higher=True),
        figure(f"{name}: gap's deviation in silence", still.std(), "IOD", 0.006, len(still)),
    ]


def figure(
    name: str, value: float, unit: str, goal: float, n: int, *, higher: bool = False
) -> Figure:
    """A figure whose goal is an upper bound unless `higher`."""
    return Figure(
        name=name,
        value=float(value),
        unit=unit,
        goal=goal,
        better="higher" if higher else "lower",
        n=n,
    )


def share(hits: Sequence[bool]) -> float:
    """Percent that are true."""
    return 100 * float(np.mean(hits))


def bilabials_closed(watched: Sequence[Watched]) -> list[bool]:
    """Of each /p b m/: whether a frame shown during it has its lips closed."""
    return [
        bool(one.gap[frames].min() < CLOSED_GAP_IOD)
        for one, phoneme in phonemes_of(watched)
        if CLOSING & set(phoneme.symbol)
        and len(frames := one.shown_during(phoneme.start_s, contact_end_s(phoneme)))
    ]


def contact_end_s(phoneme: Phoneme) -> float:
    """When the lips may part."""
    return min(phoneme.end_s, phoneme.start_s + LONGEST_CONTACT_S)


def open_vowels_closed(watched: Sequence[Watched]) -> list[bool]:
    """Of each open vowel: whether a frame of its middle half has its lips closed.

    A vowel shorter than a frame may share its only frame with a closure and is left out.
    """
    return [
        bool(one.gap[one.middle_of(phoneme)].min() < CLOSED_GAP_IOD)
        for one, phoneme in phonemes_of(watched)
        if vowel_openness(phoneme.symbol) >= OPEN_VOWEL and lasts(phoneme, 1 / one.fps)
    ]


def widest_a(watched: Sequence[Watched]) -> Curve:
    """Of each /a ɑ/ that is not fleeting: its widest gap, IOD."""
    return np.array(
        [
            one.gap[one.shown_during(phoneme.start_s, phoneme.end_s)].max()
            for one, phoneme in phonemes_of(watched)
            if begins_with(phoneme, A_VOWELS) and lasts(phoneme, SHORTEST_A_S)
        ]
    )


def vowel_widths(watched: Sequence[Watched], vowels: frozenset[str]) -> Curve:
    """The mouth's width in the middle of each of these vowels, IOD."""
    return np.array(
        [
            one.width[one.middle_of(phoneme)].mean()
            for one, phoneme in phonemes_of(watched)
            if phoneme.symbol in vowels and lasts(phoneme, SHORTEST_EDGE_S)
        ]
    )


def silent_gap(watched: Sequence[Watched]) -> Curve:
    """Gaps of all frames in which the mouth is asked to rest, as are both neighbours."""
    gaps = []
    for one in watched:
        moving = one.track[:, [Shape.OPEN, Shape.PRESS, Shape.TUCK]].max(axis=1) > 0
        near = moving | np.append(moving[1:], False) | np.append(False, moving[:-1])
        gaps.append(one.gap[~near])
    return np.concatenate(gaps)


def lag_s(watched: Sequence[Watched]) -> float:
    """How late the gap follows the continuous target, by the peak of their correlation."""
    score = np.array([lagged_correlation(watched, lag) for lag in LAGS_S])
    best = int(np.clip(score.argmax(), 1, len(score) - 2))
    before, peak, after = score[best - 1 : best + 2]
    step = LAGS_S[1] - LAGS_S[0]
    return float(LAGS_S[best] + step * 0.5 * (before - after) / (before - 2 * peak + after))


def lagged_correlation(watched: Sequence[Watched], lag: float) -> float:
    """Correlation of the gaps with the target as it was `lag` seconds earlier."""
    target = np.concatenate([target_at(one, one.middles_s - lag) for one in watched])
    return float(np.corrcoef(pooled_gap(watched), target)[0, 1])


def target_at(one: Watched, times_s: Curve) -> Curve:
    """The continuous target's OPEN at any times of a sentence."""
    points = int(len(one.gap) * CURVE_HZ / one.fps) + 1
    init_segment = mouth_curves(one.speech, points=points).with_contacts()[:, Shape.OPEN]
    return np.interp(times_s, np.arange(points) / CURVE_HZ, init_segment)


def pooled_gap(watched: Sequence[Watched]) -> Curve:
    """Gaps of all frames of all sentences."""
    return np.concatenate([one.gap for one in watched])


def pooled_target(watched: Sequence[Watched]) -> Curve:
    """The gaps that were asked for, IOD."""
    return np.concatenate([one.track[:, Shape.OPEN] * FULL_GAP_IOD for one in watched])


def phonemes_of(watched: Sequence[Watched]) -> Iterator[tuple[Watched, Phoneme]]:
    """Every phoneme with the sentence it is in."""
    for one in watched:
        for phoneme in one.speech.phonemes or ():
            yield one, phoneme


def begins_with(phoneme: Phoneme, letters: frozenset[str]) -> bool:
    """Whether a phoneme's first letter is one of these."""
    return phoneme.symbol[:1] in letters


def lasts(phoneme: Phoneme, shortest_s: float) -> bool:
    """Whether a phoneme is at least so long."""
    return phoneme.end_s - phoneme.start_s >= shortest_s


def own_gaps(avatar: Avatar) -> Curve:
    """(frames,) gap of the mouth in the source video of an avatar, IOD."""
    mesh, settings = FaceMesh(FACE_MODELS), PreparationSettings()
    with open_video(TALKING_VIDEO, fps=avatar.fps, max_side=settings.max_side) as video:
        points = [
            mesh.track(picture, avatar.landmarks[index]).points
            for index, picture in enumerate(video.frames())
        ]
    return lip_gap(np.stack(points))


def source_leak(avatar: Avatar, watched: Sequence[Watched], own: Curve) -> float:
    """Size of the correlation of the shown gap with the source's own."""
    source = np.concatenate(
        [
            [own[avatar.index_at(one.first_frame + k)] for k in range(len(one.gap))]
            for one in watched
        ]
    )
    return abs(float(np.corrcoef(pooled_gap(watched), source)[0, 1]))


def plot(watched: Sequence[Watched], path: Path) -> None:
    """The first sentence's gap against its target, and all frames against theirs."""
    sheet = Plot(figsize=(12, 4), layout="constrained")
    line, cloud = sheet.subplots(1, 2, width_ratios=(2, 1))
    one = watched[0]
    line.plot(one.middles_s, one.track[:, Shape.OPEN] * FULL_GAP_IOD, label="asked")
    line.plot(one.middles_s, one.gap, label="in the picture")
    line.axhline(CLOSED_GAP_IOD, color="grey", linewidth=0.5)
    line.set(title=one.speech.text, xlabel="s", ylabel="gap, IOD")
    line.legend()
    cloud.plot(pooled_target(watched), pooled_gap(watched), ".", markersize=1)
    cloud.plot([0, FULL_GAP_IOD], [0, FULL_GAP_IOD], color="grey", linewidth=0.5)
    cloud.set(xlabel="asked, IOD", ylabel="in the picture, IOD")
    sheet.savefig(path, dpi=100)


def main() -> None:
    """Measure a subset and print it."""
    parser = argparse.ArgumentParser(description="Measure the lips on the output picture.")
    parser.add_argument("--sentences", type=int, default=20, help="how many of the 200")
    parser.add_argument("--avatar", choices=("portrait", "video"), default="portrait")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the plots")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    run = on_portrait if arguments.avatar == "portrait" else on_video
    for one in run(arguments.out, arguments.sentences):
        sign = ">=" if one.better == "higher" else "<="
        verdict = "ok" if one.reached else "MISSED"
        print(
            f"{one.name:50} {one.value:8.3f} {one.unit:4} {sign} {one.goal:<6g} n={one.n} {verdict}"
        )


if __name__ == "__main__":
    main()
