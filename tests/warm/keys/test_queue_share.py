"""Places of the queue that a key may take."""

from dataclasses import dataclass

import pytest

from warm.render.shares import FairShares, QueueFull
from warm.sessions.shares import Client


@dataclass(eq=False)
class Waiting:
    """A request of a key."""

    session_id: str
    client: Client


def test_a_key_takes_no_more_places_than_its_limit() -> None:
    shares = FairShares(20, lambda: 1)
    few = Client(address="192.0.2.7", key="few", max_queued=2)
    other = Client(address="192.0.2.7", key="other")
    speaking = [Waiting("s", other)]
    queued = [Waiting(f"s{number}", few) for number in range(2)]
    with pytest.raises(QueueFull, match=r"2 requests are waiting for client 'key few'") as raised:
        shares.check(Waiting("s2", few), queued, speaking)
    assert (raised.value.limit.share, raised.value.limit.scope) == (2, "client")
    shares.check(Waiting("s2", other), queued, speaking)
