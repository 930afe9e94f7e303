"""Sound line of a feed."""

import numpy as np

from warm.live.feed.sound_line import DECAY, SoundLine


def test_a_packet_takes_speech_and_silence_in_their_order() -> None:
    line = SoundLine()
    line.rest(300)
    line.say(np.full(1000, 0.5, np.float32), "u", 0)
    line.rest(1920)
    first, second = line.take(), line.take()
    assert (first.sample, first.offset, first.position, first.utterance) == (0, 300, 0, "u")
    assert not first.is_silent
    assert np.all(first.samples[:300] == 0) and np.all(first.samples[300:] == 0.5)
    assert (second.sample, second.offset, second.position) == (960, 0, 660)
    assert np.all(second.samples[:340] == 0.5)


def test_sound_that_breaks_off_decays_without_a_click() -> None:
    line = SoundLine()
    line.say(np.full(480, 0.8, np.float32), "u", 0)
    line.rest(960)
    samples = line.take().samples
    assert np.abs(np.diff(samples)).max() < 0.02
    assert np.all(samples[480 + DECAY :] == 0)


def test_silence_is_reported_as_such() -> None:
    line = SoundLine()
    line.rest(960)
    packet = line.take()
    assert packet.is_silent and packet.utterance is None and packet.position is None


def test_the_samples_that_come_out_are_those_that_went_in() -> None:
    line, speech = SoundLine(), np.random.default_rng(0).uniform(-1, 1, 4800).astype(np.float32)
    for start in range(0, 4800, 1600):  # pictures of 30 a second
        line.say(speech[start : start + 1600], "u", start)
    packets = [line.take() for _ in range(5)]
    assert np.array_equal(np.concatenate([each.samples for each in packets]), speech)
    assert [each.position for each in packets] == [0, 960, 1920, 2880, 3840]


def test_replacing_and_skipping_drop_what_was_not_taken() -> None:
    line = SoundLine()
    line.say(np.ones(1920, np.float32), "u", 0)
    line.replace(np.zeros(480, np.float32))
    assert line.end == 480
    line.skip_to(9600)
    line.rest(10560)
    assert line.take().sample == 9600
