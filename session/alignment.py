"""Clip lengths at which the last picture and the last AAC packet end together."""

from fractions import Fraction
from math import gcd

from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET


def alignment_frames(fps: Fraction | int, rate_hz: int = SAMPLE_RATE_HZ) -> int:
    """Smallest number of frames that lasts a whole number of packets; at 25 fps 8 frames last 15.

    Clips of a multiple of this length are joined without drift between pictures and sound.
    """
    rate = Fraction(fps)
    frame = rate_hz * rate.denominator  # length of a frame, in samples / rate.numerator
    packet = SAMPLES_PER_PACKET * rate.numerator  # length of a packet, in the same unit
    return packet // gcd(packet, frame)


def frames_to_align(frames: int, alignment: int) -> int:
    """Number of frames to add to reach the next multiple of `alignment`."""
    return -frames % alignment


def packet_count(frames: int, fps: Fraction | int) -> int:
    """Number of 48 kHz AAC packets that cover `frames`; exact if `frames` is aligned."""
    samples = Fraction(frames * SAMPLE_RATE_HZ) / fps
    return -(-samples // SAMPLES_PER_PACKET)
