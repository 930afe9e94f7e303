"""An avatar with the movements of a portrait and nearly empty pictures, and sentences for it."""

from pathlib import Path

import numpy as np

from tts.speech import Phoneme, Speech
from warm.avatars.avatar import Avatar
from warm.prepare.idle.motion import PortraitMotion, portrait_motion

FPS, RATE_HZ = 25, 16000


def portrait_avatar(folder: Path, motion: PortraitMotion | None = None) -> Avatar:
    """Frames of 2x2 pixels; everything that moves is that of a portrait."""
    motion = motion or portrait_motion(FPS)
    count = len(motion.poses)
    return Avatar(
        id="portrait",
        digest="0" * 64,
        fps=FPS,
        frames=np.zeros((count, 2, 2, 3), np.uint8),
        transforms=np.tile(np.eye(2, 3), (count, 1, 1)),
        landmarks=np.zeros((count, 468, 3), np.float32),
        loop="forward",
        extras={"idle_path": motion.path, "gestures": motion.gestures},
        folder=folder,
    )


def sentence(text: str, *, words: int, pause_after: int = 0) -> Speech:
    """A sentence of two-syllable words, stressed on the first; with a pause after some of them."""
    phonemes, at = [Phoneme("", 0.0, 0.06)], 0.06
    for word in range(words):
        for symbol, length_s, stress in (
            ("m", 0.08, 0),
            ("a", 0.14, 2),
            ("n", 0.07, 0),
            ("ə", 0.08, 0),
        ):
            phonemes.append(Phoneme(symbol, at, at + length_s, stress))
            at += length_s
        if word + 1 == pause_after:
            phonemes.append(Phoneme("", at, at + 0.25))
            at += 0.25
    phonemes.append(Phoneme("", at, at + 0.32))
    samples = np.zeros(round((at + 0.32) * RATE_HZ), np.float32)
    return Speech(text, samples, RATE_HZ, tuple(phonemes))


def frames_of(speech: Speech) -> int:
    """Video frames of a sentence."""
    return int(np.ceil(speech.duration_s * FPS))
