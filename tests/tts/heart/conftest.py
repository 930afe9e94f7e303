"""The network and the G2P of `heart`, loaded once."""

import pytest

from tts.heart.g2p import HeartG2p
from tts.heart.network import HeartNetwork


@pytest.fixture(scope="session")
def network() -> HeartNetwork:
    return HeartNetwork()


@pytest.fixture(scope="session")
def g2p() -> HeartG2p:
    return HeartG2p()
