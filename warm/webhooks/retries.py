"""Times of the attempts of a delivery: exponential backoff with jitter, for an hour."""

import random
from http import HTTPStatus

FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
GIVE_UP_S = 3600.0
"""Time after the end of the job, after which no further attempt is made."""
JITTER = 0.25
"""Waits vary by this share in both directions, so that a receiver that was down does not get all
deliveries at once."""


def next_attempt_s(
    attempts: int, *, queued_s: float, now_s: float, retry_after_s: float = 0.0
) -> float | None:
    """Return the time of the next attempt after `attempts` have failed; None: give up.

    `retry_after_s` is the wait that the receiver has asked for.
    """
    wait_s = min(FIRST_WAIT_S * 2.0 ** min(attempts - 1, 16), LONGEST_WAIT_S)
    wait_s *= random.uniform(1 - JITTER, 1 + JITTER)
    next_s = now_s + max(wait_s, min(retry_after_s, GIVE_UP_S))
    return next_s if next_s < queued_s + GIVE_UP_S else None


def is_delivered(status: int) -> bool:
    """True for an answer that acknowledges a message."""
    return 200 <= status < 300


def is_final(status: int) -> bool:
    """True for an answer after which no attempt can succeed: the receiver is gone."""
    return status == HTTPStatus.GONE
