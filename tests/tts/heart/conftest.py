"""The network of `heart`, loaded once."""

import pytest

from tts.heart.network import HeartNetwork


@pytest.fixture(scope="session")
def network() -> HeartNetwork:
    return HeartNetwork()
