"""The text of an audio file, compared with its sound."""

from pathlib import Path

import numpy as np

from tts.alignment.recording import RecordingTimes, align_recording
from tts.styles import read_text
from tts.text.plain_text import PlainText
from tts.voice import VoiceChoice, Voices
from warm.media.audio import open_audio

RATE_HZ = 16_000
"""Rate at which the sound is compared."""
PRECISION_S = 0.1


def find_times(path: Path, text: PlainText, choice: VoiceChoice, voices: Voices) -> RecordingTimes:
    """Find the phonemes of a text in an audio file; `choice` is the voice to compare it with.

    Raises MediaError, BadSpeechRequest and VoiceUnavailable.
    """
    with open_audio(path, rate_hz=RATE_HZ) as audio:
        return align_recording(audio.chunks(), RATE_HZ, read_text(text, choice, voices))


def describe_unknown(times: RecordingTimes, duration_s: float) -> str | None:
    """Return a note on the parts of an audio file that its text does not describe, if any."""
    moments_s = np.arange(0.0, duration_s, PRECISION_S)
    unknown_s = PRECISION_S * float(np.count_nonzero(~times.is_known(moments_s)))
    if unknown_s <= PRECISION_S:
        return None
    reason = f": from {times.end_s:.1f} s on, it {times.problem}" if times.problem else ""
    return (
        f"the lips follow the sound alone in {unknown_s:.1f} of {duration_s:.1f} s, "
        f"where it is not what the text says{reason}"
    )
