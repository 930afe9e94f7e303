"""Quality of a clip, and the reasons for which it is left out."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from warm.training_data.analysis import Analysis
from warm.training_data.config import FPS, PreprocessConfig
from warm.training_data.face_box import crop_box
from warm.training_data.segments import Segment
from warm.training_data.source_sound import WAV_HZ, Pcm
from warm.training_data.sync import NO_SYNC, Sync, least_correlation, measure_sync

LOUD_PERCENTILE = 95
"""Of the loudness of the clip's frames."""
CLEARLY = 0.05
"""A correlation at a distant lag that exceeds those near 0 by this much shows an offset."""
_SILENCE_DBFS = -120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Measurements of one clip."""

    frames: int
    face_px: int
    """Least width of the crop."""
    sharpness: float
    loudness_dbfs: float
    sync: Sync

    def as_json(self) -> dict[str, Any]:
        """Return the measurements as JSON values."""
        return asdict(self)


def measure_quality(
    analysis: Analysis, segment: Segment, sound: Pcm, config: PreprocessConfig
) -> Quality:
    """Measure a clip with its 16 kHz sound."""
    part = slice(segment.start, segment.stop)
    crops = crop_box(analysis.box[part], analysis.landmarks[part])
    loudness = loudness_dbfs(sound)
    is_loud = loudness >= config.min_loudness_dbfs
    near = config.max_sync_lag_frames
    lips = analysis.lips[part]
    return Quality(
        frames=segment.frames,
        face_px=int((crops[:, 2] - crops[:, 0]).min()),
        sharpness=round(median(analysis.sharpness[part]), 4),
        loudness_dbfs=round(loudness, 1),
        sync=measure_sync(lips, sound, near=near) if is_loud else NO_SYNC,
    )


def median(values: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
    """Return the median of the values that are known; 0 if none is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0


def loudness_dbfs(sound: Pcm) -> float:
    """Return the loudness of the loud moments of 16 kHz sound, dB of full scale."""
    frame = WAV_HZ // FPS
    blocks = sound[: len(sound) // frame * frame].reshape(-1, frame).astype(np.float64) / 32768
    loud = np.percentile((blocks**2).mean(axis=1), LOUD_PERCENTILE)
    return float(10 * np.log10(loud)) if loud > 0 else _SILENCE_DBFS


def rejections(quality: Quality, config: PreprocessConfig) -> list[str]:
    """Return the reasons for which a clip is left out; empty for a good one."""
    reasons = []
    if quality.sharpness < config.min_sharpness:
        reasons.append(
            f"blurred: sharpness {quality.sharpness:.2f}, at least {config.min_sharpness:g} needed"
        )
    if quality.loudness_dbfs < config.min_loudness_dbfs:
        least = f"{config.min_loudness_dbfs:g}"
        reasons.append(f"silent: {quality.loudness_dbfs:.0f} dBFS, at least {least} needed")
    elif config.min_sync > -1:
        reasons += sync_rejections(quality.sync, quality.frames, config)
    return reasons


def sync_rejections(sync: Sync, frames: int, config: PreprocessConfig) -> list[str]:
    """Return the reasons that concern lips and sound of a clip."""
    if sync.lag_frames and sync.best > sync.correlation + CLEARLY:
        word = "late" if sync.lag_frames > 0 else "early"
        away = abs(sync.lag_frames)
        return [
            f"out of sync: the sound is {away} frames ({away / FPS:.2f} s) {word}, correlation "
            f"{sync.best:.2f} against {sync.correlation:.2f} in step"
        ]
    least = least_correlation(config.min_sync, frames)
    if sync.correlation < least:
        return [
            f"lips and sound do not agree: correlation {sync.correlation:.2f}, at least "
            f"{least:.2f} needed in {frames / FPS:.1f} s"
        ]
    return []
