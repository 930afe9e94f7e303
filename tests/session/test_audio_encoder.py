"""Samples are encoded to AAC packets, which are decoded one after the other."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from session.audio_encoder import AudioEncoder
from tests.session.sample_films import tone

LOOK_AHEAD = 2048


def decode(encoder: AudioEncoder, packets: list[bytes]) -> NDArray[np.float32]:
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = encoder.audio_config
    decoder.sample_rate = 48_000
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet))]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.mark.parametrize("lead_in", [0, 1, 640, 1023, 1024, 2944, 5000])
def test_the_first_packet_begins_with_the_first_zero_of_the_lead_in(lead_in: int) -> None:
    encoder = AudioEncoder(lead_in=lead_in)
    samples = np.zeros(9600, np.float32)
    samples[3000] = 0.9
    heard = decode(encoder, encoder.encode(samples))
    assert abs(int(np.abs(heard).argmax()) - (lead_in + 3000)) <= 1


@pytest.mark.parametrize("lead_in", [0, 640, 2944])
def test_the_encoder_keeps_its_look_ahead_and_a_remainder(lead_in: int) -> None:
    encoder = AudioEncoder(lead_in=lead_in)
    fed = made = 0
    for count in (1, 1920, 500, 19_200, 3, 1024):
        made += 1024 * len(encoder.encode(np.zeros(count, np.float32)))
        fed += count
        assert made == max(0, (lead_in + fed) // 1024 * 1024 - LOOK_AHEAD)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 9600), max_size=8))
def test_packets_do_not_depend_on_how_the_sound_was_divided(cuts: list[int]) -> None:
    samples = tone(0, 9600)
    whole, pieces = AudioEncoder(lead_in=0), AudioEncoder(lead_in=0)
    packets = [
        packet for piece in np.split(samples, sorted(cuts)) for packet in pieces.encode(piece)
    ]
    assert packets == whole.encode(samples)
