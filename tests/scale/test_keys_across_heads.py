"""Keys and logins of two real heads: what ends at one ends at the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.keys.conftest import make_key
from tests.polling import wait_until
from tests.scale.heads import Cluster, cluster
from warm.keys.key_file import remove_from_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the keys, which the heads share."""
    folder = tmp_path_factory.mktemp("heads") / "results"
    folder.mkdir()
    return folder / "keys.json"


@pytest.fixture(scope="module")
def key(keys: Path) -> str:
    """A key."""
    return make_key(keys, "anna", "watch", "speak")


@pytest.fixture(scope="module")
def found(keys: Path, key: str) -> Iterator[Cluster]:
    assert key
    with cluster(keys.parent, ("a", "b")) as started:
        yield started


def statuses(found: Cluster, **headers: str) -> list[int]:
    """The statuses with which the heads answer a request."""
    return [head.ask("GET", "/sessions", **headers).status for head in found.heads.values()]


def wait_for_end(found: Cluster, **headers: str) -> None:
    """Wait until no head accepts a key or a login."""
    wait_until(lambda: statuses(found, **headers) == [401, 401], "the end at both heads")


def log_in(found: Cluster, name: str, key: str) -> str:
    """Log in at a head; return the cookie."""
    answer = found[name].ask("POST", "/login", {"key": key})
    assert answer.status == 200, answer.content
    return answer.headers["Set-Cookie"].partition(";")[0]


def test_a_login_is_valid_and_ends_at_both_heads(found: Cluster, key: str) -> None:
    cookies = [log_in(found, name, key) for name in ("a", "b")]
    for cookie in cookies:
        assert statuses(found, Cookie=cookie) == [200, 200]
    for name, cookie in zip("ba", cookies, strict=True):
        assert found[name].ask("POST", "/logout", Cookie=cookie).status == 204
        wait_for_end(found, Cookie=cookie)
    assert statuses(found, Cookie=cookies[0]) == [401, 401]


def test_a_removed_key_ends_with_its_logins_at_both_heads(
    found: Cluster, keys: Path, key: str
) -> None:
    cookie = log_in(found, "a", key)
    bearer = f"Bearer {key}"
    assert statuses(found, Authorization=bearer) == statuses(found, Cookie=cookie) == [200, 200]
    remove_from_file(keys, "anna")
    wait_for_end(found, Authorization=bearer)
    assert statuses(found, Cookie=cookie) == [401, 401]
