"""Repetitions in recognised text: recognisers of this kind loop on sound that has no words."""

from collections.abc import Sequence

MOST_TOKENS = 16
"""Longest sequence whose repetition is found."""
FEWEST_REPEATED = 12
"""Fewest tokens that the repetitions of a loop have together."""
REPETITIONS = 4
"""Fewest repetitions of a loop; fewer may be meant: people say "no, no, no"."""


def loop_start(numbers: Sequence[int]) -> int:
    """Return the number of tokens to keep: up to the first repetition if the sequence ends with a
    loop, else all."""
    for size in range(1, MOST_TOKENS + 1):
        count = repetitions(numbers, size)
        if count >= REPETITIONS and count * size >= FEWEST_REPEATED:
            return len(numbers) - (count - 1) * size
    return len(numbers)


def repetitions(numbers: Sequence[int], size: int) -> int:
    """Return how often the last `size` tokens stand one after the other at the end."""
    if len(numbers) < size:
        return 0
    last, count = list(numbers[-size:]), 1
    while list(numbers[-(count + 1) * size : -count * size]) == last:
        count += 1
    return count
