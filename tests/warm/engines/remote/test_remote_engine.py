"""The embedded engine in actors of a real Ray on this machine."""

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.polling import wait_until
from tests.warm.engines.contract import EngineContract, EngineUnderTest, spoken_vowels
from tests.warm.engines.remote.faulty_engine import PRIORITY, FaultyEngine, start_fault
from tests.warm.portraits import (
    MODELS,
    UPRIGHT,
    build_portrait,
    mouth_shape,
    portrait,
    prepare_and_load,
    rotation_about_face,
)
from warm.avatars.avatar import Avatar
from warm.engines.base import EngineOutOfMemory, Patch, PatchRequest
from warm.engines.remote.engine import RemoteEngine
from warm.engines.remote.errors import ClusterUnreachable, RemoteEngineFailed
from warm.engines.remote.options import ClusterOptions, RemoteOptions
from warm.engines.viseme.engine import VisemeEngine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="requirements-ray.txt is not installed"),
    pytest.mark.skipif(not MODELS.exists(), reason="`make setup` downloads the face models"),
]

ACTORS, SPARES = 2, 1


@dataclass(frozen=True, kw_only=True)
class Rig:
    remote: RemoteEngine
    local: VisemeEngine
    avatar: Avatar
    folder: Path

    def row(self, state: str) -> dict[str, Any]:
        """The row of the first actor in this state."""
        return next(row for row in self.rows if row["state"] == state)

    def state_of(self, pid: int) -> str:
        return next((row["state"] for row in self.rows if row["pid"] == pid), "ended")

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.remote._status["actors"]
        return rows

    def requests(self, frames: int = 8) -> list[PatchRequest]:
        return [
            PatchRequest(self.avatar, number % 2, mouth_shape(open=0.1 * number))
            for number in range(frames)
        ]

    @property
    def states(self) -> list[str]:
        return sorted(row["state"] for row in self.rows)

    def wait_until_all_work(self) -> None:
        wait_until(
            lambda: self.states == ["ready"] * ACTORS + ["spare"] * SPARES, "all actors to be there"
        )

    def assert_draws(self) -> None:
        """Draw a batch in the actors and in this process, and compare."""
        got, expected = self.remote.submit(self.requests()), self.local.submit(self.requests())
        assert_same(got.patches(), expected.patches())


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("remote")
    poses = [UPRIGHT, rotation_about_face(5)]
    avatar, local = prepare_and_load(build_portrait(folder / "avatar", portrait(), poses))
    cluster = ClusterOptions(actors=ACTORS, spares=SPARES, uses_gpu=False)
    make = partial(FaultyEngine, folder)
    remote = RemoteEngine(RemoteOptions(make_inner=make, cluster=cluster))
    remote.load_avatar(avatar)
    remote.load()
    rig = Rig(remote=remote, local=local, avatar=avatar, folder=folder)
    rig.wait_until_all_work()
    yield rig
    remote.unload()


def assert_same(got: list[Patch], expected: list[Patch]) -> None:
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert np.array_equal(one.picture, other.picture)
        assert np.array_equal(one.mask, other.mask)
        assert np.array_equal(one.to_frame, other.to_frame)


@pytest.fixture(scope="module")
def under_test(rig: Rig) -> EngineUnderTest:
    return EngineUnderTest(engine=rig.remote, avatar=rig.avatar, speech=spoken_vowels())


class TestContract(EngineContract):
    """The contract for the remote engine."""


def test_actors_draw_the_pictures_that_the_engine_draws_in_this_process(rig: Rig) -> None:
    got, expected = rig.remote.submit(rig.requests()), rig.local.submit(rig.requests())
    assert_same(got.patches(), expected.patches())


def test_the_status_has_a_row_for_each_actor(rig: Rig) -> None:
    status = rig.remote.device_status()
    assert status["device"] == "2 of 2 actors and 1 spare: cpu"
    assert sorted(row["state"] for row in status["actors"]) == ["ready", "ready", "spare"]
    assert len({row["pid"] for row in status["actors"]} - {os.getpid(), None}) == ACTORS + SPARES


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("memory", EngineOutOfMemory, "17 MB are missing"),
        ("error", RemoteEngineFailed, "ValueError: a bug in the engine"),
    ],
)
def test_errors_of_the_engine_are_raised_here(
    rig: Rig, fault: str, error: type[Exception], message: str
) -> None:
    start_fault(rig.folder, fault)
    with pytest.raises(error, match=message):
        rig.remote.submit(rig.requests()).patches()
    assert_same(
        rig.remote.submit(rig.requests()).patches(), rig.local.submit(rig.requests()).patches()
    )


def test_a_batch_outlives_its_actor_which_starts_again_with_its_avatars(rig: Rig) -> None:
    before = {row["pid"] for row in rig.rows}
    start_fault(rig.folder, "SIGKILL")
    assert_same(
        rig.remote.submit(rig.requests()).patches(), rig.local.submit(rig.requests()).patches()
    )
    wait_until(lambda: len({row["pid"] for row in rig.rows} - before) == 1, "a new process")
    rig.wait_until_all_work()
    wait_until(lambda: [row["avatars"] for row in rig.rows] == [1, 1, 1], "the avatar on all")


def test_a_spare_replaces_an_actor_at_once_and_the_next_one_is_loaded_with_low_priority(
    rig: Rig,
) -> None:
    ended, spare = rig.row("ready"), rig.row("spare")
    before = {row["pid"] for row in rig.rows}
    os.kill(ended["pid"], signal.SIGKILL)
    rig.assert_draws()
    statuses: list[list[dict[str, Any]]] = []

    def is_replaced() -> bool:
        statuses.append(rig.rows)
        return any(row["pid"] == spare["pid"] and row["state"] == "ready" for row in statuses[-1])

    wait_until(is_replaced, "the spare in its place")
    loaded = {row["pid"] for row in statuses[-1] if row["state"] in ("ready", "spare")}
    assert loaded == before - {ended["pid"]}  # it has not waited for the start of another process
    rig.wait_until_all_work()
    new = rig.row("spare")["pid"]
    assert (rig.folder / f"{PRIORITY}-{new}").read_text() == "19"
    assert os.getpriority(os.PRIO_PROCESS, new) == os.getpriority(os.PRIO_PROCESS, spare["pid"])
    rig.assert_draws()


def test_the_end_of_a_spare_is_noticed_and_it_starts_again(rig: Rig) -> None:
    spare, replays = rig.row("spare"), sum(row["replays"] for row in rig.rows)
    os.kill(spare["pid"], signal.SIGKILL)
    wait_until(lambda: rig.states == ["ready", "ready", "waiting"], "the wait for a quiet time")
    rig.assert_draws()
    rig.wait_until_all_work()
    assert rig.row("spare")["pid"] != spare["pid"] and rig.row("spare")["avatars"] == 1
    assert sum(row["replays"] for row in rig.rows) == replays


def test_batches_are_drawn_after_the_end_of_an_actor_whose_spare_is_still_loading(rig: Rig) -> None:
    for state in ("spare", "ready"):
        os.kill(rig.row(state)["pid"], signal.SIGKILL)
        rig.assert_draws()
    rig.wait_until_all_work()


def test_a_batch_is_drawn_by_another_actor_while_one_hangs(rig: Rig) -> None:
    start_fault(rig.folder, "SIGSTOP")
    try:
        assert_same(
            rig.remote.submit(rig.requests()).patches(), rig.local.submit(rig.requests()).patches()
        )
        wait_until(lambda: any(row["replays"] for row in rig.rows), "the count of the replay")
    finally:
        for row in rig.rows:
            os.kill(row["pid"], signal.SIGCONT)


def test_batches_wait_while_no_actor_works_and_after_the_loss_of_the_connection(rig: Rig) -> None:
    engine = rig.remote
    rig.wait_until_all_work()
    for row in rig.rows:
        os.kill(row["pid"], signal.SIGKILL)
    waiting = engine.submit(rig.requests())
    wait_until(lambda: raises_lost(engine), "the loss of all actors in the status")
    engine.unload()  # as the render thread does before it loads a lost engine
    engine.load()
    assert_same(waiting.patches(), rig.local.submit(rig.requests()).patches())
    driver = engine._driver
    assert driver is not None
    os.kill(driver.pid, signal.SIGSTOP)
    waiting = engine.submit(rig.requests())
    os.kill(driver.pid, signal.SIGKILL)
    wait_until(lambda: raises_lost(engine), "the loss of the connection in the status")
    engine.unload()
    wait_until(lambda: not processes_of(driver.pid), "the end of all processes of that Ray")
    engine.load()
    assert_same(waiting.patches(), rig.local.submit(rig.requests()).patches())


def raises_lost(engine: RemoteEngine) -> bool:
    try:
        engine.device_status()
    except ClusterUnreachable:
        return True
    return False


def test_a_cluster_that_cannot_be_reached_is_an_error_that_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    cluster = ClusterOptions(address=address, connect_s=1)
    engine = RemoteEngine(RemoteOptions(make_inner=VisemeEngine, cluster=cluster))
    with pytest.raises(ClusterUnreachable, match=f"ray_address = '{address}' cannot be reached"):
        engine.load()
    assert engine.device_status()["device"] is None


def test_nothing_is_left_after_the_engine_is_unloaded(rig: Rig) -> None:
    rig.remote.load_avatar(rig.avatar)
    assert rig.remote._driver is not None
    session = rig.remote._driver.pid
    assert processes_of(session)
    rig.remote.unload()
    wait_until(lambda: not processes_of(session), "the end of all processes of Ray")
    assert rig.remote.device_status()["device"] is None


def processes_of(session: int) -> list[int]:
    """Running processes of a process session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, owner = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has ended
            continue
        if int(owner) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found
