"""Waiting for a condition by polling."""

import time
from collections.abc import Callable
from typing import Any

POLL_S = 0.1


def wait_until(condition: Callable[[], Any], state: str, *, timeout_s: float) -> Any:
    """Poll until `condition` is neither None nor False and return it.

    Raises TimeoutError, which names the `state` that was not reached.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if (value := condition()) not in (None, False):
            return value
        time.sleep(POLL_S)
    raise TimeoutError(f"{state} was not reached in {timeout_s:g} s")
