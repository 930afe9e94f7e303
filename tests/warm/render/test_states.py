"""No state of the render thread keeps a request without an answer."""

from collections.abc import Iterator

import pytest

from bench.states.explore import FUTURES, WIDE, Exploration, explore, quiet, sample
from bench.states.fakes import SENTENCE_FRAMES
from bench.states.world import Model, World
from warm.render.background import BackgroundPool
from warm.render.loop import RenderLoop
from warm.render.timeline import Timeline
from warm.render.utterances import TAIL_FRAMES
from warm.render.watchdog import Watchdog

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


def stuck(found: Exploration) -> set[str]:
    """The futures in which a request got no answer."""
    return {future for future, _ in found.stuck}


def test_without_disturbances_the_simulated_world_completes_a_request() -> None:
    """Catches a simulation in which every request fails at once."""
    world = World()
    world.act("speak a")
    assert FUTURES[0].answers(world, set())
    assert world.jobs[0].result().clip.frames == SENTENCE_FRAMES + TAIL_FRAMES


def test_every_state_of_one_request_and_one_disturbance_has_an_exit() -> None:
    found = explore(Model({"speak a": 1}, 1))
    assert found.is_complete
    assert len(found.seen) > 300
    assert found.stuck == []


def test_every_state_of_a_request_and_its_interruption_has_an_exit() -> None:
    found = explore(Model({"speak a": 1, "interrupt a": 1}, 0))
    assert found.is_complete
    assert found.stuck == []


def test_every_state_of_a_text_that_is_written_while_it_is_spoken_has_an_exit() -> None:
    found = explore(Model({"grow a": 1, "pause": 1}, 0), max_states=80)
    assert len(found.seen) > 60
    assert found.stuck == []


def test_random_histories_of_many_requests_and_disturbances_have_an_exit() -> None:
    found = sample(WIDE, histories=60, length=30, seed=7)
    assert len(found.seen) > 40
    assert found.stuck == []


class ForgetfulWorld(World):
    """Only queued requests count as demand for an engine that is not loaded."""

    def __init__(self) -> None:
        super().__init__()
        thread, lifecycle = self.thread, self.thread._lifecycle
        update = lifecycle.update

        def forgetful(*, has_demand: bool, is_busy: bool) -> None:
            del has_demand
            is_queued = bool(thread._queue.jobs())
            update(has_demand=is_queued, is_busy=is_busy and lifecycle.is_awake)

        lifecycle.update = forgetful  # type: ignore[method-assign]


def test_an_engine_that_is_unloaded_while_a_film_is_opened_is_found() -> None:
    """The exploration itself works: it finds requests that no part of the server counts."""
    found = explore(Model({"speak a": 1}, 1), max_states=200, make=ForgetfulWorld)
    assert "everything goes on" in stuck(found)
    assert any("idle" in history for _, history in found.stuck)


@pytest.mark.parametrize(
    ("owner", "name", "future"),
    [
        (Watchdog, "check", "only the render thread goes on"),
        (BackgroundPool, "poll", "everything goes on"),
        (RenderLoop, "_drop_cancelled", "everything goes on"),
    ],
)
def test_a_part_that_does_nothing_is_found(
    owner: type, name: str, future: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, lambda *_: None)
    found = explore(Model({"speak a": 1}, 1), max_states=200)
    assert future in stuck(found)


def test_a_failure_of_the_voice_within_a_sentence_that_goes_unnoticed_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Timeline, "broken_by", None)
    found = explore(Model({"speak a": 1}, 1), max_states=400)
    assert "everything goes on" in stuck(found)
    assert any("fail the voice" in history for _, history in found.stuck)
