"""Sound of clients is kept sample for sample until it has been heard."""

import numpy as np
import pytest

from warm.live.socket.kept_sound import KeptSound


@pytest.mark.parametrize("piece_bytes", [1, 3, 7, 1000])
def test_samples_are_the_same_however_their_bytes_are_divided(piece_bytes: int) -> None:
    sent = np.random.default_rng(1).integers(-32768, 32767, 500, np.int16).tobytes()
    sound, taken = KeptSound(24_000), b""
    for start in range(0, len(sent), piece_bytes):
        sound.add(sent[start : start + piece_bytes])
        taken += sound.take(64)
    while piece := sound.take(64):
        taken += piece
    assert taken == sent
    assert sound.read(0, 500) == sent
    assert sound.read(123, 45) == sent[246:336]


def test_places_without_sound_are_silent() -> None:
    sound = KeptSound(16_000)
    sound.add(b"\x01\x02\x03\x04")
    assert sound.read(-2, 6) == bytes(4) + b"\x01\x02\x03\x04" + bytes(4)
    assert sound.read(2, 3) == bytes(6)
    assert sound.read(-5, 2) == bytes(4)


def test_what_was_heard_but_not_taken_is_kept() -> None:
    sound = KeptSound(16_000)
    sound.add(bytes(range(20)))
    sound.take(8)
    sound.drop_before(9)
    assert sound.take(100) == bytes(range(8, 20))
    assert sound.read(3, 2) == bytes([0, 0, 8, 9])
    assert sound.read(4, 2) == bytes([8, 9, 10, 11])


def test_half_a_sample_at_the_end_is_left_out() -> None:
    sound = KeptSound(16_000)
    sound.add(b"\x01\x02\x03")
    sound.end()
    assert sound.has_partial_sample
    assert sound.take(100) == b"\x01\x02"
    assert sound.is_taken
    sound.add(b"\x04")
    assert sound.samples == 1
