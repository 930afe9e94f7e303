"""Benchmark of preprocessing: ten minutes of talking video, and the filter of lips and sound."""

import resource
import subprocess
import sys
import time
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from bench.avatars import TALKING_VIDEO, require_talking_video
from bench.figure import Figure
from warm.installation import default_face_models
from warm.training_data.analysis import ANALYSIS_SIDE, Analyser
from warm.training_data.check import check_clips, listed_stems
from warm.training_data.config import FPS, PreprocessConfig, read_config
from warm.training_data.quality import sync_rejections
from warm.training_data.source_sound import WAV_HZ, SourceSound, write_sound
from warm.training_data.source_video import open_source_video
from warm.training_data.sync import measure_sync

Lips = NDArray[np.float32]
"""(n, 3) as `Analysis.lips`."""
Sound = NDArray[np.int16]
"""(n,) 16 kHz."""
SAMPLES = WAV_HZ // FPS
"""Samples of sound per frame."""
ROOT = Path(__file__).parents[1]
SECONDS, FILES = 600, 4
PICTURE = "crop=400:400:70:30,scale=720:720,pad=1280:720:280:0"
"""Scales the person's face to more than 200 pixels in 1280x720."""
LOOP_S = 10
SYNC_FILES = (
    TALKING_VIDEO,
    TALKING_VIDEO.parent / "faces" / "v01_ls_demo2.mp4",
    TALKING_VIDEO.parent / "faces" / "v04_glasses_old.mp4",
)
"""Recordings with synchronous sound."""
SHIFTS = (-12, -6, 6, 12)
"""Frames by which their sound is shifted."""
OTHER_SPEECH = TALKING_VIDEO.parent / "speech_human_16k.wav"
"""Speech of a further person, 16 kHz."""
WINDOW_FRAMES, WINDOW_STEP = 150, 10
"""Parts of lips and sounds that are combined, 6 s: slightly shorter than the shortest clip."""


@dataclass(frozen=True)
class Cost:
    """One run of the command."""

    wall_s: float
    processor_s: float


def measure(_out: Path) -> list[Figure]:
    """Measure ten minutes; raises FileNotFoundError if the shared video is missing."""
    require_talking_video()
    return [*measure_speed(SECONDS), *measure_sync_filter()]


def measure_speed(seconds: int) -> list[Figure]:
    """Preprocess `seconds` of video in a few files, then read all clips as a training does."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        folder = Path(name)
        write_sources(folder, seconds)
        config = folder / "preprocess.yaml"
        config.write_text(f"output_root: {folder}\n", "utf-8")
        cost = run_command(config)
        again = run_command(config)
        loaded = read_config(config)
        stems = listed_stems(loaded)
        faults = check_clips(stems, loaded, lambda _done, _total: None)
    ten = cost.wall_s * SECONDS / seconds / 60
    return [
        Figure.at_most("preprocess: 10 minutes of video, 1280x720", ten, "min", 10, 1),
        Figure.at_most(
            "preprocess: processor time per second of video", cost.processor_s / seconds, "s", 2, 1
        ),
        Figure.at_most("preprocess: again, when all is done", again.wall_s, "s", 15, 1),
        Figure.at_least("preprocess: clips", len(stems), "", seconds // LOOP_S * 0.8, 1),
        Figure.at_most(
            "preprocess: clips that the training would reject", len(faults), "", 0, len(stems)
        ),
    ]


def write_sources(folder: Path, seconds: int) -> None:
    """Write files of different lengths that repeat the shared video."""
    source = folder / "dataset" / "HDTF" / "source"
    source.mkdir(parents=True)
    once = folder / "once.mp4"
    encode = ["-vf", PICTURE, "-c:v", "libx264", "-preset", "veryfast", "-crf", "20"]
    ffmpeg("-i", str(TALKING_VIDEO), *encode, "-c:a", "copy", str(once))
    lengths = [seconds // FILES + shift for shift in np.arange(FILES) - (FILES - 1) / 2]
    for number, length in enumerate(lengths):
        path = source / f"talk_{number}.mp4"
        ffmpeg("-stream_loop", "-1", "-i", str(once), "-t", str(length), "-c", "copy", str(path))


def ffmpeg(*words: str) -> None:
    """Run FFmpeg."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-loglevel", "error", "-y", *words], check=True)


def run_command(config: Path) -> Cost:
    """Run the command with a configuration."""
    before, begin_s = children_s(), time.perf_counter()
    command = [sys.executable, "-m", "warm", "preprocess", "--config", str(config)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return Cost(time.perf_counter() - begin_s, children_s() - before)


def children_s() -> float:
    """Return the processor time of child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_sync_filter() -> list[Figure]:
    """Shift the sound of recordings, and exchange it; measure the shares that are accepted."""
    clips = [read_lips(path) for path in SYNC_FILES if path.is_file()]
    in_step = [accepted(lips, sound, 0) for lips, sound in clips]
    moved = [accepted(lips, sound, shift) for lips, sound in clips for shift in SHIFTS]
    foreign = [accepted(lips, other, 0) for lips, other in foreign_pairs(clips)]
    name = "preprocess: sync filter: {} that are accepted"
    return [
        Figure.at_least(name.format("recordings"), float(np.mean(in_step)), "", 1, len(in_step)),
        Figure.at_most(
            name.format("sounds 6 or 12 frames off"), float(np.mean(moved)), "", 0.2, len(moved)
        ),
        Figure.at_most(
            name.format("6 s of another person's sound"),
            float(np.mean(foreign)),
            "",
            0.1,
            len(foreign),
        ),
    ]


def foreign_pairs(clips: Sequence[tuple[Lips, Sound]]) -> Iterator[tuple[Lips, Sound]]:
    """Yield parts of the lips of each recording with parts of the sounds of the others."""
    further = read_wav(OTHER_SPEECH)
    for lips, own in clips:
        others = [sound for _, sound in clips if sound is not own]
        for at in starts(len(lips)):
            shown = lips[at : at + WINDOW_FRAMES]
            for sound in (*others, further):
                for begin in starts(len(sound) // SAMPLES):
                    yield shown, sound[begin * SAMPLES :][: WINDOW_FRAMES * SAMPLES]


def starts(frames: int) -> range:
    """Return the first frames of the parts."""
    return range(0, frames - WINDOW_FRAMES + 1, WINDOW_STEP)


def read_wav(path: Path) -> Sound:
    """Return the samples of a mono file of 16 bits."""
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def read_lips(path: Path) -> tuple[Lips, Sound]:
    """Return the (n, 3) measures of the lips in a video, and its 16 kHz sound."""
    analyser = Analyser(default_face_models(), ANALYSIS_SIDE)
    with open_source_video(path, max_side=ANALYSIS_SIDE) as video:
        for frame in video.stored_frames():
            analyser.add(video, frame)
        start_s: Fraction = video.start_s
    lips = analyser.result().lips
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        sound = SourceSound.in_folder(Path(name))
        for _ in write_sound(path, sound, start_s=start_s, notes=[]):
            pass
        return lips, sound.wav_part(0, len(lips))


def accepted(lips: Lips, sound: Sound, shift: int) -> bool:
    """Return True if the filter accepts lips with sound that is `shift` frames late."""
    frames = min(len(lips), len(sound) // SAMPLES) - abs(shift)
    config = PreprocessConfig()
    shown = lips[max(0, shift) :][:frames]
    heard = sound[max(0, -shift) * SAMPLES :][: frames * SAMPLES]
    found = measure_sync(shown, heard, near=config.max_sync_lag_frames)
    return not sync_rejections(found, frames, config)
