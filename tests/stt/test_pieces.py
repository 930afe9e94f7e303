"""Recordings are cut into pieces of speech, however they arrive."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt.pieces import (
    END_FRAMES,
    ENOUGH_S,
    LONGEST_S,
    MARGIN_FRAMES,
    Piece,
    PieceCutter,
    as_samples,
    seconds,
)
from stt.recogniser import RATE_HZ, Samples
from stt.voice_activity import FRAME


class ScriptedDetector:
    """A sample is the probability of a voice in its frame."""

    def __init__(self) -> None:
        self._held: Samples = np.zeros(0, np.float32)

    def add(self, samples: Samples) -> Samples:
        self._held = np.concatenate([self._held, samples])
        count = len(self._held) // FRAME
        found = self._held[: count * FRAME : FRAME]
        self._held = self._held[count * FRAME :]
        return found


def recording(*parts: tuple[int, float]) -> Samples:
    """Frames of each probability."""
    return np.concatenate([np.full(count * FRAME, value, np.float32) for count, value in parts])


def cut(sound: Samples, sizes: Sequence[int] = (4000,)) -> tuple[list[Piece], PieceCutter]:
    """Cut a recording that arrives in chunks of these sizes, in turn."""
    cutter = PieceCutter(ScriptedDetector())  # type: ignore[arg-type]
    pieces, at, turn = list[Piece](), 0, 0
    while at < len(sound):
        size = sizes[turn % len(sizes)]
        pieces += cutter.add(sound[at : at + size])
        at, turn = at + size, turn + 1
    pieces += cutter.finish()
    return pieces, cutter


def test_silence_gives_no_piece() -> None:
    pieces, cutter = cut(recording((300, 0.1)))
    assert pieces == []
    assert cutter.speech_frames == 0
    assert cutter.samples == 300 * FRAME


def test_a_click_gives_no_piece() -> None:
    pieces, cutter = cut(recording((30, 0.1), (3, 0.9), (30, 0.1)))
    assert pieces == []
    assert cutter.speech_frames == 0


def test_a_short_word_is_kept_with_a_margin_around_it() -> None:
    ((piece,), cutter) = cut(recording((30, 0.1), (8, 0.9), (30, 0.1)))
    assert len(piece.samples) == (8 + 2 * MARGIN_FRAMES) * FRAME
    assert (piece.start_s, piece.end_s) == (seconds(30), seconds(38))
    assert cutter.speech_frames == 8


def test_speech_from_the_first_to_the_last_sample_is_kept() -> None:
    ((piece,), cutter) = cut(recording((50, 0.9)))
    assert np.array_equal(piece.samples[: 50 * FRAME], recording((50, 0.9)))
    assert piece.end_s == seconds(50)
    assert cutter.samples == 50 * FRAME


def test_a_pause_within_a_piece_is_shortened_to_the_two_margins() -> None:
    sound = recording((20, 0.1), (40, 0.9), (100, 0.1), (40, 0.9), (20, 0.1))
    ((piece,), _) = cut(sound)
    assert len(piece.samples) == (80 + 4 * MARGIN_FRAMES) * FRAME


def test_a_hesitation_does_not_end_a_short_piece() -> None:
    parts = [(40, 0.9), (60, 0.1)] * 3
    pieces, _ = cut(recording(*parts))
    assert len(pieces) == 1


def test_a_long_piece_ends_at_its_next_pause_while_the_recording_goes_on() -> None:
    enough = int(ENOUGH_S * RATE_HZ / FRAME) + 1
    cutter = PieceCutter(ScriptedDetector())  # type: ignore[arg-type]
    assert list(cutter.add(recording((enough, 0.9)))) == []
    (piece,) = cutter.add(recording((END_FRAMES, 0.1)))
    assert piece.end_s == seconds(enough)
    (last,) = [*cutter.add(recording((40, 0.9))), *cutter.finish()]
    assert last.start_s == seconds(enough + END_FRAMES)


def test_speech_without_a_pause_is_cut_at_its_quietest_frame_and_nothing_is_lost() -> None:
    longest = int(LONGEST_S * RATE_HZ / FRAME)
    quiet = longest - 100
    sound = recording((quiet, 0.9), (1, 0.5), (longest, 0.9))
    pieces, _ = cut(sound)
    assert pieces[0].end_s == pieces[1].start_s == seconds(quiet)
    joined = np.concatenate([each.samples for each in pieces])
    assert np.array_equal(joined[: len(sound)], sound)


def test_long_speech_after_a_pause_does_not_lengthen_the_piece_before_it() -> None:
    half = int(0.5 * LONGEST_S * RATE_HZ / FRAME) - 20
    pieces, _ = cut(recording((half, 0.9), (12, 0.1), (2 * half, 0.9)))
    assert [each.end_s for each in pieces] == [seconds(half), seconds(3 * half + 12)]


@settings(max_examples=25, deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.integers(1, 120), st.sampled_from([0.05, 0.4, 0.9])), min_size=1, max_size=6
    ),
    sizes=st.lists(st.integers(1500, 9000), min_size=1, max_size=4),
)
def test_the_pieces_do_not_depend_on_how_a_recording_arrives(
    parts: list[tuple[int, float]], sizes: list[int]
) -> None:
    sound = recording(*parts)
    whole, once = cut(sound, [len(sound)])
    pieces, cutter = cut(sound, sizes)
    assert [(each.start_s, each.end_s) for each in pieces] == [
        (each.start_s, each.end_s) for each in whole
    ]
    assert all(
        np.array_equal(one.samples, other.samples) for one, other in zip(whole, pieces, strict=True)
    )
    assert (cutter.speech_frames, cutter.samples) == (once.speech_frames, once.samples)
    assert all(seconds(1) <= each.end_s - each.start_s <= LONGEST_S + 1 for each in pieces)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_no_sound_become_finite(value: float) -> None:
    found = as_samples(np.array([value, 0.5], np.float32).tobytes())
    assert np.abs(found).max() <= 1
    assert found[1] == 0.5
