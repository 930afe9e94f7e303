"""Loading, unloading and reloading of an engine, on a clock that the test moves."""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import pytest

from tests.sessions import session_of
from tests.tiny_face import LoudnessEngine, tiny_avatar
from tts.registry import VoiceRegistry
from warm.engines.base import EngineLost, EngineOutOfMemory, PatchRequest, PendingPatches
from warm.engines.lifecycle import EngineLifecycle, LoadPolicy
from warm.render.jobs import SpeakJob
from warm.runtime import Runtime
from warm.settings import Settings


class GatedEngine(LoudnessEngine):
    """Counts loads; a load waits for `gate`."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = self.unloads = self.cache_releases = 0
        self.gate = Event()
        self.gate.set()
        self.faults: list[BaseException] = []
        """Errors of the next loads."""
        self.is_lost = False

    def load(self) -> None:
        assert self.gate.wait(60)
        self.loads += 1
        if self.faults:
            raise self.faults.pop(0)

    def unload(self) -> None:
        self.unloads += 1
        if self.is_lost:
            raise EngineLost("the GPU does not answer")

    def release_cached_memory(self) -> None:
        self.cache_releases += 1


class Harness:
    """An engine with its lifecycle and a clock that the test moves."""

    def __init__(self, load_policy: LoadPolicy) -> None:
        self.now_s = 1000.0
        self.engine = GatedEngine()
        self.notified = Event()
        self.lifecycle = EngineLifecycle(
            self.engine, load_policy, clock=lambda: self.now_s, notify=self.notified.set
        )

    def update(
        self, *, has_demand: bool = False, is_busy: bool = False, after_s: float = 0.0
    ) -> str:
        self.now_s += after_s
        self.lifecycle.update(has_demand=has_demand, is_busy=is_busy)
        return self.lifecycle.state

    def wait(self) -> str:
        """Return the state after the current load has ended."""
        assert self.notified.wait(60)
        self.notified.clear()
        return self.update()


POLICY = LoadPolicy(unload_idle_s=60.0, retry_delays_s=(0.0, 5.0), long_retry_delay_s=60.0)


@pytest.fixture
def harness() -> Iterator[Harness]:
    harness = Harness(POLICY)
    yield harness
    harness.engine.gate.set()


def test_it_stays_unloaded_until_there_is_demand_and_loads_off_the_render_thread(
    harness: Harness,
) -> None:
    assert harness.update() == "asleep"
    harness.engine.gate.clear()
    assert harness.update(has_demand=True) == "loading"
    assert not harness.lifecycle.is_awake
    assert "is being loaded" in harness.lifecycle.reason
    harness.now_s += 2.5
    harness.engine.gate.set()
    assert harness.wait() == "awake"
    assert (harness.lifecycle.reason, harness.lifecycle.load_s) == ("", 2.5)


def test_work_in_progress_counts_as_demand(harness: Harness) -> None:
    """Catches a clip that begins while the engine is unloaded."""
    assert harness.update(is_busy=True) == "loading"
    assert harness.wait() == "awake"


def test_a_load_that_ends_with_a_base_exception_is_retried(harness: Harness) -> None:
    """Catches a panic of native code, which is not an Exception: requests would wait forever."""
    harness.engine.faults = [SystemExit("a panic")]
    harness.update(has_demand=True)
    assert harness.wait() == "reloading"
    harness.update()
    assert harness.wait() == "awake"


def test_it_is_unloaded_after_the_idle_time_and_not_before(harness: Harness) -> None:
    harness.lifecycle.load()
    assert harness.update(after_s=59) == "awake"
    assert harness.update(is_busy=True, after_s=100) == "awake"
    assert harness.update(after_s=59) == "awake"
    assert harness.engine.unloads == 0
    assert harness.update(after_s=1) == "asleep"
    assert (harness.engine.unloads, harness.lifecycle.unloads) == (1, 1)
    assert harness.update(has_demand=True) == "loading"
    assert harness.wait() == "awake"


def test_an_idle_time_of_zero_never_unloads() -> None:
    harness = Harness(LoadPolicy())
    harness.lifecycle.load()
    assert harness.update(after_s=1e9) == "awake"
    assert harness.engine.unloads == 0


@pytest.mark.parametrize("clears", [True, False])
def test_cached_memory_is_released_once_after_the_last_speech(
    clears: bool,
) -> None:
    harness = Harness(LoadPolicy(clear_cache=clears))
    harness.lifecycle.load()
    for is_busy in (False, True, True, False, False):
        harness.update(is_busy=is_busy)
    assert harness.engine.cache_releases == int(clears)


def test_a_lost_engine_is_unloaded_and_reloaded(harness: Harness) -> None:
    harness.lifecycle.load()
    harness.engine.is_lost = True
    harness.lifecycle.report_error(EngineLost("the GPU failed"))
    assert harness.lifecycle.state == "reloading"
    assert "the GPU failed" in harness.lifecycle.reason
    harness.lifecycle.report_error(EngineLost("another frame of the same pass"))
    assert harness.lifecycle.losses == 1
    harness.update()
    assert harness.wait() == "awake"
    assert (harness.engine.loads, harness.engine.unloads) == (2, 1)


def test_a_kept_error_does_not_keep_the_lost_networks(harness: Harness) -> None:
    """Catches weights that are still on the device when the new ones are loaded."""
    harness.lifecycle.load()
    with pytest.raises(EngineLost) as kept:
        lose(networks := [LoudnessEngine()])
    held = weakref.ref(networks.pop())
    assert held() is not None
    harness.lifecycle.report_error(kept.value)
    assert held() is None


def lose(networks: list[LoudnessEngine]) -> None:
    network = networks[0]
    raise EngineLost(f"the GPU failed under {network.name}")


def test_other_errors_change_nothing(harness: Harness) -> None:
    harness.lifecycle.load()
    harness.lifecycle.report_error(EngineOutOfMemory("no memory for one frame"))
    harness.lifecycle.report_error(ValueError("a bug"))
    assert harness.update() == "awake"


def test_attempts_are_counted_and_their_delays_grow(harness: Harness) -> None:
    harness.lifecycle.load()
    harness.engine.faults = [RuntimeError(f"fault {number}") for number in range(3)]
    harness.lifecycle.report_error(EngineLost("the GPU failed"))
    assert "attempt 1 of 2" in harness.lifecycle.reason
    harness.update()
    assert harness.wait() == "reloading"
    assert "fault 0" in harness.lifecycle.reason
    assert "attempt 2 of 2" in harness.lifecycle.reason
    harness.update(after_s=4.9)
    assert harness.engine.loads == 2
    harness.update(after_s=0.1)
    assert harness.wait() == "broken"
    assert harness.lifecycle.retry_after_s == 60
    assert "fault 1" in harness.lifecycle.reason
    assert "restart of the server" in harness.lifecycle.reason
    harness.update(has_demand=True, after_s=59)
    assert harness.engine.loads == 3
    harness.update(after_s=1)
    assert harness.wait() == "broken"
    harness.update(after_s=60)
    assert harness.wait() == "awake"
    assert harness.lifecycle.retry_after_s == 1


def test_a_device_that_fails_at_the_start_is_retried(harness: Harness) -> None:
    harness.engine.faults = [EngineLost("the GPU is not there yet")]
    harness.lifecycle.load()
    assert harness.lifecycle.state == "reloading"
    harness.update()
    assert harness.wait() == "awake"
    assert harness.engine.loads == 2


def test_nothing_is_retried_in_a_process_that_can_never_use_its_device_again(
    harness: Harness,
) -> None:
    harness.lifecycle.load()
    assert not harness.lifecycle.needs_new_process
    harness.lifecycle.report_error(EngineLost("an illegal address", needs_new_process=True))
    assert harness.lifecycle.needs_new_process
    assert harness.update(has_demand=True, after_s=1e6) == "broken"
    assert harness.engine.loads == 1
    assert harness.lifecycle.retry_after_s == 5
    assert "an illegal address" in harness.lifecycle.reason


def test_an_engine_that_fails_to_load_on_demand_is_retried(harness: Harness) -> None:
    harness.engine.faults = [EngineOutOfMemory("another program uses the GPU")]
    harness.update(has_demand=True)
    assert harness.wait() == "reloading"
    assert "another program" in harness.lifecycle.reason
    harness.update()
    assert harness.wait() == "awake"


def test_a_device_lost_while_idle_is_noticed_at_the_unload() -> None:
    harness = Harness(LoadPolicy(unload_idle_s=10.0))
    harness.lifecycle.load()
    harness.engine.is_lost = True
    assert harness.update(after_s=10) == "reloading"
    assert harness.lifecycle.losses == 1


class LostEngine(GatedEngine):
    """Its device fails once, as soon as every one of `jobs` has a fragment on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[SpeakJob] = []

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        jobs = self.jobs
        if jobs and all(job.timings.first_fragment_s is not None for job in jobs):
            self.jobs = []
            self.gate.clear()
            raise EngineLost("the GPU failed")
        return super().submit(requests)


LONG = "This is a sentence that takes a while. It is followed by another one. And that by a third."


@contextmanager
def one_of_two_speeches_lost(
    settings: Settings, voices: VoiceRegistry, folder: Path
) -> Iterator[tuple[Runtime, LostEngine, SpeakJob, SpeakJob]]:
    """A server whose device failed during two speeches: the failed job and the waiting one."""
    engine = LostEngine()
    runtime = Runtime(settings=settings, avatar=tiny_avatar(folder), engine=engine, voices=voices)
    runtime.start()
    try:
        assert runtime.wait_until_warm(30)
        engine.jobs = jobs = [
            runtime.speak(session_of(runtime, name), LONG, runtime.choose()) for name in ("a", "b")
        ]
        lost, errors = follow_until_one_fails(jobs)
        assert [type(error) for error in errors] == [EngineLost]
        (other,) = (job for job in jobs if job is not lost)
        yield runtime, engine, lost, other
    finally:
        engine.gate.set()
        runtime.close()


def test_a_clip_without_a_frame_in_the_lost_pass_waits_and_is_completed(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> None:
    with one_of_two_speeches_lost(settings, voices, tmp_path) as (
        runtime,
        engine,
        lost,
        other,
    ):
        assert runtime.health().state == "reloading"
        engine.gate.set()
        spoken = other.result()
        assert not spoken.interrupted
        assert spoken.clip.frames > 100
        assert runtime.health().losses == 1
        again = runtime.speak(
            session_of(runtime, lost.session_id), "Again.", runtime.choose()
        ).result()
        assert again.session_frames > again.clip.frames


def test_a_clip_that_waits_for_a_lost_engine_is_interrupted_once_it_is_back(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path
) -> None:
    """Catches closing frames requested from an engine that is not loaded."""
    with one_of_two_speeches_lost(settings, voices, tmp_path) as (runtime, engine, _, other):
        stopping = Thread(target=runtime.interrupt, args=(other.session,))
        stopping.start()
        engine.gate.set()
        stopping.join(60)
        assert other.result().interrupted


def follow_until_one_fails(jobs: list[SpeakJob]) -> tuple[SpeakJob, list[Exception]]:
    """Return the failed job and its error; the other may still run."""
    ended: Queue[tuple[SpeakJob, Exception | None]] = Queue()

    def follow(job: SpeakJob) -> None:
        try:
            job.result()
            ended.put((job, None))
        except EngineLost as error:
            ended.put((job, error))

    for job in jobs:
        Thread(target=follow, args=(job,), daemon=True).start()
    job, error = ended.get(timeout=60)
    return job, [error] if error is not None else []
