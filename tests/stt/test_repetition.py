"""Loops in recognised text end after their first round."""

import pytest

from stt.repetition import loop_start


@pytest.mark.parametrize(
    ("numbers", "kept"),
    [
        ([], 0),
        ([1, 2, 3], 3),
        ([5] * 11, 11),
        ([5] * 12, 1),
        ([9, 8, *[1, 2, 3] * 4], 5),
        ([9, *[1, 2] * 5], 11),
        ([9, *[1, 2] * 6], 3),
        ([*range(16)] * 4, 16),
        ([*range(17)] * 4, 68),
    ],
)
def test_the_tokens_before_the_first_repetition_are_kept(numbers: list[int], kept: int) -> None:
    assert loop_start(numbers) == kept
