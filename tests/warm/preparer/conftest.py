"""Fixtures of preparations in a process of their own."""

import pytest

import warm.preparer.process


@pytest.fixture(autouse=True)
def usual_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, a process of the lowest priority may take minutes."""
    monkeypatch.setattr(warm.preparer.process, "NICENESS", 0)
