"""Where pictures and AAC packets end together: the lengths at which clips join without drift."""

from fractions import Fraction
from math import gcd

from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET


def alignment_frames(fps: Fraction | int, rate_hz: int = SAMPLE_RATE_HZ) -> int:
    """The fewest frames that last a whole number of packets: 8 at 25 fps, 15 packets."""
    rate = Fraction(fps)
    frame = rate_hz * rate.denominator  # samples, in parts of which a packet has the next line
    packet = SAMPLES_PER_PACKET * rate.numerator
    return packet // gcd(packet, frame)


def frames_to_align(frames: int, grid: int) -> int:
    """Frames that are missing to the next multiple of `grid`."""
    return -frames % grid


def packet_count(frames: int, fps: Fraction | int) -> int:
    """Packets of 48 kHz sound that cover so many frames; on the grid they do so exactly."""
    samples = Fraction(frames * SAMPLE_RATE_HZ) / fps
    return -(-samples // SAMPLES_PER_PACKET)
