"""Fixtures of the tests."""

import pytest
from warmtalk_client import face


@pytest.fixture
def without_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make no sessions: the fake server has the live socket only."""

    async def ensure(*_: object) -> None:
        pass

    monkeypatch.setattr(face, "ensure_session", ensure)
