"""Waiting with a limit for what another thread or process does."""

import time
from collections.abc import Callable

POLL_S = 0.01


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    """Return once `condition()` is true; fail with `what` was expected after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}"
        time.sleep(POLL_S)
