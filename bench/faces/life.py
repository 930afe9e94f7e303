"""Movements of a speaking face, on decoded films: steps, sharpness, stress, blinks, drift."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import cv2
import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from bench.avatars import TALKING_VIDEO, film_spec, prepare_demo, prepare_talking_video
from bench.figure import Figure
from session.film import SAMPLE_RATE_HZ
from tts.catalogue import espeak_voices
from tts.speech import Speech
from tts.voice import VoiceChoice, Voices
from warm.avatars.avatar import Avatar
from warm.engine_factory import make_engine
from warm.face.attention_mesh import AttentionMesh
from warm.face.landmarks import inter_ocular
from warm.media.film_audio import film_audio
from warm.motion.footage import bumps
from warm.motion.prosody import prosody_of
from warm.prepare.idle.footage_motion import FAST_S, HEAD, SLOW_S, blinks, eye_openings
from warm.prepare.run import FACE_MODELS
from warm.render.jobs import FragmentCommitted, SpeakResult
from warm.runtime import Runtime
from warm.settings import read_settings

CLIPS, CUT_EVERY = 20, 5
SENTENCES = (
    "Good morning, and thank you for calling.",
    "Would you like to hear about the weather tomorrow?",
    "I think it will be sunny in the morning, and then rather windy in the afternoon.",
    "Please remember to take a coat with you, because the evenings are getting cold.",
    "Is there anything else that you would like to know?",
)
CUT_AFTER_FRAGMENTS, CUT_LEAD_S = 3, 0.4
JOINT_STEPS = 2
"""Steps from the end of a clip into the next one."""
LARGEST_IOD = 0.02
"""Largest step of a nod; the loop of a video may have larger ones of its own."""
ACCENT_SIGMA_S, BLINK_NEAR_S = 0.06, 0.3
MOVING_PERCENTILE, STILL_PERCENTILE = 90, 40
"""Percentiles of the steps beyond which frames count as moving or still."""
TIMEOUT_S = 120
MESH_NOISE_IOD = 0.02
PATCH, SIDE_IOD = 128, 1.6
"""Side of the compared part of the face, in pixels and in IOD."""


@dataclass(slots=True, eq=False)
class Measured:
    """Decoded pictures of one film, measured one by one."""

    steps: list[float] = field(default_factory=list)
    """Movement of the face since the picture before, IOD; from the second picture on."""
    heights: list[float] = field(default_factory=lambda: [0.0])
    """Position down the picture, the sum of these movements, IOD."""
    sharpness: list[float] = field(default_factory=list)
    landmarks: list[NDArray[np.float32]] = field(default_factory=list)

    @property
    def points(self) -> NDArray[np.float32]:
        """(n, 468, 3)."""
        return np.stack(self.landmarks)

    def dips(self, fps: int) -> NDArray[np.float64]:
        """Return (n,) how far the head is below its slow movement, IOD."""
        fast, slow = (gaussian_filter1d(self.heights, sigma * fps) for sigma in (FAST_S, SLOW_S))
        return np.asarray(fast - slow, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A sentence in the film."""

    speech: Speech
    first: int
    """Frame of the film with which it begins."""
    end: int
    """End of its clip, which may have been cut."""

    def frames(self, fps: int) -> int:
        """Return its video frames."""
        return int(np.ceil(self.speech.duration_s * fps))


class RecordingVoices:
    """Voices whose sentences are kept."""

    def __init__(self, voices: Voices) -> None:
        self.spoken: list[Speech] = []
        """In order; the render thread takes each of them."""
        self._voices = voices

    def infos(self) -> Any:
        """Return the voices."""
        return self._voices.infos()

    def choose(self, **named: Any) -> VoiceChoice:
        """Resolve a choice."""
        return self._voices.choose(**named)

    def speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        """Yield the sentences of a text and keep them."""
        for speech in self._voices.speak(text, choice):
            self.spoken.append(speech.completed())
            yield self.spoken[-1]


def measure(out: Path) -> list[Figure]:
    """Measure the demo portrait and, if it is present, the shared talking video."""
    figures = []
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        figures += measure_avatar(prepare_demo(results), "photo", out)
        if TALKING_VIDEO.is_file():
            figures += measure_avatar(prepare_talking_video(results), "video", out)
    return figures


def measure_avatar(avatar: Avatar, kind: str, out: Path) -> list[Figure]:
    """Let an avatar speak, decode its film and its idle film, and compare the two."""
    with closing(espeak_voices()) as espeak:
        voices = RecordingVoices(espeak)
        path, ends, sentences = speak_clips(avatar, voices)
    mesh = AttentionMesh(FACE_MODELS)
    film, idle = (measure_film(file, avatar, mesh) for file in (path, avatar.folder / "idle.mp4"))
    plot_steps(film, ends, out / f"life_{kind}.png")
    return [
        *step_figures(film, idle, ends, kind),
        sharpness_figure(film, kind),
        *speech_figures(film, idle, sentences, avatar.fps, kind),
        drift_figure(film, idle, ends, kind),
    ]


def speak_clips(
    avatar: Avatar, voices: RecordingVoices
) -> tuple[Path, list[int], list["Sentence"]]:
    """Speak CLIPS clips, some of them cut; return the film, their ends and their sentences."""
    settings = read_settings(["--results-dir", str(avatar.folder.parents[1])])
    engine = make_engine(settings)
    runtime = Runtime(settings=settings, avatar=avatar, engine=engine, voices=voices)
    ends, sentences = list[int](), list[Sentence]()
    with closing(runtime):
        runtime.start()
        runtime.wait_until_warm(TIMEOUT_S)
        for number in range(CLIPS):
            said = len(voices.spoken)
            result = speak_clip(runtime, f"life-{avatar.id}", number, voices.choose())
            first, end = result.clip.first_frame, result.session_frames
            for speech in voices.spoken[said:]:
                sentences.append(Sentence(speech, first, end))
                first += len(film_audio(speech, film_spec(avatar))) * avatar.fps // SAMPLE_RATE_HZ
            ends.append(end)
        kept = avatar.folder / "life.mp4"
        kept.write_bytes(result.path.read_bytes())
    return kept, ends, sentences


def speak_clip(runtime: Runtime, session_id: str, number: int, choice: VoiceChoice) -> SpeakResult:
    """Speak one to three sentences; every CUT_EVERY-th clip has one and is interrupted in it."""
    session = runtime.sessions.registry.lookup(session_id)
    is_cut = number % CUT_EVERY == CUT_EVERY - 1
    count = 1 if is_cut else 1 + number % 3
    text = " ".join(SENTENCES[(number + n) % len(SENTENCES)] for n in range(count))
    job = runtime.speak(session, text, choice, lead_s=CUT_LEAD_S if is_cut else None)
    fragments = 0
    for event in job.events():
        fragments += isinstance(event, FragmentCommitted)
        if is_cut and fragments == CUT_AFTER_FRAGMENTS:
            runtime.interrupt(session)
            fragments += 1
    return job.result()


def measure_film(path: Path, avatar: Avatar, mesh: AttentionMesh) -> Measured:
    """Decode a film and measure each picture."""
    measured, points = Measured(), avatar.landmarks[0]
    iod = float(inter_ocular(points))
    window = cv2.createHanningWindow((PATCH, PATCH), cv2.CV_32F)
    before: NDArray[np.uint8] | None = None
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            last, place = points, points[6, :2]
            points = mesh.track(picture, points).points
            if before is not None:
                old, new = (face_patch(one, place, iod) for one in (before, picture))
                (x, y), _ = cv2.phaseCorrelate(old, new, window)
                seen, tracked = float(np.hypot(x, y)) * SIDE_IOD / PATCH, moved_iod(points, last)
                # The match is exact to .0005 IOD, but it may be found in a wrong place, far away.
                measured.steps.append(min(seen, tracked + MESH_NOISE_IOD))
                measured.heights.append(measured.heights[-1] + y * SIDE_IOD / PATCH)
            measured.landmarks.append(points)
            sharp = cv2.Laplacian(face_patch(picture, points[6, :2], iod), cv2.CV_32F)
            measured.sharpness.append(float(sharp.std()))
            before = picture
    return measured


def moved_iod(points: NDArray[np.float32], last: NDArray[np.float32]) -> float:
    """Return the mean movement of the head's landmarks, IOD."""
    moved = points[list(HEAD), :2] - last[list(HEAD), :2]
    return float(np.hypot(*moved.T).mean() / inter_ocular(points))


def face_patch(
    picture: NDArray[np.uint8], place: NDArray[np.float32], iod: float
) -> NDArray[np.float32]:
    """Return the (PATCH, PATCH) grey part around a place between the eyes, on whole pixels."""
    x, y = (float(value) for value in np.rint(place))
    scale = PATCH / (SIDE_IOD * iod)
    to_patch = np.array(
        [[scale, 0, PATCH / 2 - scale * x], [0, scale, PATCH / 2 - scale * y]], np.float64
    )
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.warpAffine(grey, to_patch, (PATCH, PATCH)), np.float32)


def step_figures(film: Measured, idle: Measured, ends: list[int], kind: str) -> Iterator[Figure]:
    """Yield the largest steps where clips begin, end or are cut, and in all of the film."""
    steps, ordinary = np.array(film.steps), max(idle.steps)
    near = np.array([end - 1 + n for end in ends[:-1] for n in range(JOINT_STEPS)])
    name = f"{kind}: largest step at {len(ends) - 1} joints, against the idle loop's largest"
    yield Figure.at_most(name, steps[near].max() / ordinary, "x", 1.0, len(near))
    name = f"{kind}: largest step of the head in speech"
    goal = max(LARGEST_IOD, 1.05 * ordinary)
    yield Figure.at_most(name, 100 * steps.max(), "% IOD", 100 * goal, len(steps))


def sharpness_figure(film: Measured, kind: str) -> Figure:
    """Return the sharpness of moving pictures against those that hardly move."""
    steps, sharpness = np.array(film.steps), np.array(film.sharpness[1:])
    moving = steps > np.percentile(steps, MOVING_PERCENTILE)
    still = steps < np.percentile(steps, STILL_PERCENTILE)
    ratio = float(np.median(sharpness[moving]) / np.median(sharpness[still]))
    name = f"{kind}: sharpness of moving frames against still ones, decoded"
    return Figure.at_least(name, ratio, "x", 0.95, int(moving.sum()))


def speech_figures(
    film: Measured, idle: Measured, sentences: list["Sentence"], fps: int, kind: str
) -> Iterator[Figure]:
    """Yield how well the head follows the stress, and the blinks follow the ends of phrases."""
    spoken = [stress_of(one, fps) for one in sentences]
    follow = correlation(film.dips(fps), spoken)
    chance = correlation(idle.dips(fps), spoken)
    name = f"{kind}: correlation of the head's dips with stress; idle loop: {chance:.2f}"
    yield Figure.at_least(name, follow, "", 0.2, len(sentences))
    near, idle_near = (blinks_near_ends(one, sentences, spoken, fps) for one in (film, idle))
    share, idle_share = (100 * float(np.mean(one or [False])) for one in (near, idle_near))
    name = f"{kind}: blinks within {BLINK_NEAR_S:g} s of ends and pauses; idle: {idle_share:.0f} %"
    # The blinks of a video are those of the filmed person; they can be moved only a little.
    yield Figure.at_least(name, share, "%", 70 if kind == "photo" else idle_share, len(near))


def blinks_near_ends(
    film: Measured, sentences: list["Sentence"], spoken: list["Stress"], fps: int
) -> list[bool]:
    """Return for each blink in a sentence whether it is near the end of a phrase."""
    shut, near = blinks(eye_openings(film.points), fps), list[bool]()
    for one, (frames, _) in zip(sentences, spoken, strict=True):
        times = (np.flatnonzero(shut[frames % len(shut)]) + 0.5) / fps
        ends_s = np.array([0.0, *prosody_of(one.speech).phrase_ends_s])
        near += (np.abs(times[:, None] - ends_s).min(axis=1) < BLINK_NEAR_S).tolist()
    return near


Stress = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Frames of a sentence in the film, and the stress in each."""


def stress_of(one: "Sentence", fps: int) -> Stress:
    """Return the stress of a sentence, as far as it was spoken."""
    frames = np.arange(one.first, min(one.first + one.frames(fps), one.end))
    accents = prosody_of(one.speech).accents
    times = (np.arange(len(frames)) + 0.5) / fps
    centres, strengths = [a.time_s for a in accents], [a.strength for a in accents]
    return frames, bumps(times, centres, strengths, ACCENT_SIGMA_S)


def correlation(dips: NDArray[np.float64], spoken: list[Stress]) -> float:
    """Return the mean correlation of the head's height with stress, over all sentences."""
    each = [np.corrcoef(stress, dips[frames % len(dips)])[0, 1] for frames, stress in spoken]
    return float(np.mean(each))


def drift_figure(film: Measured, idle: Measured, ends: list[int], kind: str) -> Figure:
    """Return the largest distance of the head from the idle loop at the ends of clips."""
    iod = float(inter_ocular(idle.landmarks[0]))
    distances = [
        np.abs(
            film.landmarks[end - 1][list(HEAD), :2].mean(axis=0)
            - idle.landmarks[(end - 1) % len(idle.landmarks)][list(HEAD), :2].mean(axis=0)
        ).max()
        / iod
        for end in ends
    ]
    name = f"{kind}: distance from the idle loop at the end of a clip, largest of {len(ends)}"
    return Figure.at_most(name, 100 * max(distances), "% IOD", 2, len(ends))


def plot_steps(film: Measured, ends: list[int], path: Path) -> None:
    """Plot the steps of the head and the ends of the clips."""
    plot = Plot(figsize=(12, 3), layout="constrained")
    axes = plot.subplots()
    axes.plot(np.array(film.steps) * 100, linewidth=0.7)
    for end in ends:
        axes.axvline(end, color="grey", linewidth=0.5)
    axes.set(xlabel="frame", ylabel="step, % IOD", ylim=(0, None))
    plot.savefig(path)
