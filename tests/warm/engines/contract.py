"""Contract of lip engines: one set of tests that every engine must pass."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tts.speech import Phoneme, Speech
from warm.avatars.avatar import Avatar
from warm.engines.base import Engine, Patch, PatchRequest, StreamingEngine

FPS = 25


@dataclass(frozen=True, kw_only=True)
class EngineUnderTest:
    """A loaded engine, an avatar that is loaded on it, and a sentence."""

    engine: Engine
    avatar: Avatar
    speech: Speech


def spoken_vowels() -> Speech:
    """Return half a second of sound with its phonemes."""
    times = np.arange(12_000) / 24_000
    sound = 0.2 * np.sin(2 * np.pi * 150 * times) * np.sin(2 * np.pi * 4 * times)
    phonemes = (Phoneme("a", 0.0, 0.2), Phoneme("m", 0.2, 0.3), Phoneme("u", 0.3, 0.5))
    return Speech("a mu", sound.astype(np.float32), 24_000, phonemes)


class EngineContract:
    """Tests of an engine; the module of a subclass defines the fixture `under_test`."""

    @pytest.fixture(name="draw")
    def make_draw(self, under_test: EngineUnderTest) -> Callable[..., list[Patch]]:
        engine, avatar = under_test.engine, under_test.avatar

        def draw(rows: NDArray[np.float32], avatar: Avatar = avatar) -> list[Patch]:
            requests = [
                PatchRequest(avatar, number % len(avatar.frames), row)
                for number, row in enumerate(rows)
            ]
            return engine.submit(requests).patches()

        return draw

    @pytest.fixture(name="rows")
    def encode(self, under_test: EngineUnderTest) -> NDArray[np.float32]:
        return under_test.engine.encode_speech(under_test.speech, frames=12, fps=FPS)

    def test_features_have_one_row_of_float32_per_frame(
        self, under_test: EngineUnderTest, rows: NDArray[np.float32]
    ) -> None:
        assert len(rows) == 12
        assert rows.dtype == np.float32
        assert np.array_equal(
            rows, under_test.engine.encode_speech(under_test.speech, frames=12, fps=FPS)
        )

    def test_a_part_of_a_sentence_has_the_rows_of_the_whole(
        self, under_test: EngineUnderTest, rows: NDArray[np.float32]
    ) -> None:
        if not isinstance(under_test.engine, StreamingEngine):
            pytest.skip("the engine encodes whole sentences")
        part = under_test.engine.encode_part(under_test.speech, start=3, stop=9, fps=FPS)
        assert np.allclose(part, rows[3:9], atol=1e-5)

    def test_each_request_gets_a_patch_with_its_mask_inside_the_frame(
        self,
        under_test: EngineUnderTest,
        draw: Callable[..., list[Patch]],
        rows: NDArray[np.float32],
    ) -> None:
        patches = draw(rows[:5])
        assert len(patches) == 5
        width, height = under_test.avatar.size
        for patch in patches:
            assert patch.picture.shape == (*patch.mask.shape, 3)
            assert patch.picture.dtype == patch.mask.dtype == np.uint8
            assert patch.to_frame.shape == (2, 3)
            x, y = patch.to_frame @ [patch.mask.shape[1] / 2, patch.mask.shape[0] / 2, 1]
            assert 0 < x < width and 0 < y < height

    def test_the_same_requests_give_the_same_pictures_in_any_batch(
        self, draw: Callable[..., list[Patch]], rows: NDArray[np.float32]
    ) -> None:
        together = draw(rows[:9])
        alone = draw(rows[:1])[0]
        assert np.abs(together[0].picture.astype(int) - alone.picture).max() <= 2
        assert np.array_equal(together[0].to_frame, alone.to_frame)

    def test_two_batches_may_be_on_their_way(
        self, under_test: EngineUnderTest, rows: NDArray[np.float32]
    ) -> None:
        engine, avatar = under_test.engine, under_test.avatar
        first = engine.submit([PatchRequest(avatar, 0, row) for row in rows[:3]])
        second = engine.submit([PatchRequest(avatar, 0, row) for row in rows[3:5]])
        assert len(second.patches()) == 2
        assert len(first.patches()) == 3

    def test_a_batch_may_mix_avatars(
        self, under_test: EngineUnderTest, rows: NDArray[np.float32]
    ) -> None:
        engine, avatar = under_test.engine, under_test.avatar
        other = replace(avatar, id="other", digest="1" * 64)
        engine.load_avatar(other)
        requests = [PatchRequest(each, 0, rows[4]) for each in (avatar, other, avatar)]
        patches = engine.submit(requests).patches()
        for patch in patches[1:]:
            assert np.abs(patch.picture.astype(int) - patches[0].picture).max() <= 2
        engine.unload_avatar(other)
        engine.unload_avatar(other)

    def test_batch_sizes_are_rounded_up_within_the_limit(self, under_test: EngineUnderTest) -> None:
        engine = under_test.engine
        for frames in (1, 3, 8):
            rounded = engine.round_up_batch(frames)
            assert rounded >= frames
            assert engine.largest_batch is None or rounded <= max(engine.largest_batch, frames)

    def test_the_status_names_the_device(self, under_test: EngineUnderTest) -> None:
        status = under_test.engine.device_status()
        assert isinstance(status["device"], str)
        assert {"memory_used_gb", "memory_total_gb"} <= set(status)
