"""When an engine is loaded, unloaded and loaded anew; the clock is moved by hand."""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import pytest

from tests.tiny_face import LoudnessEngine, tiny_avatar
from tts.espeak import EspeakVoices
from warm.engines.base import EngineLost, EngineOutOfMemory, PatchRequest, PendingPatches
from warm.engines.lifecycle import EngineLifecycle, LoadPolicy
from warm.render.jobs import SpeakJob
from warm.runtime import Runtime
from warm.settings import Settings


class GatedEngine(LoudnessEngine):
    """Counts loads, and loads when it is let to."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = self.unloads = self.given_back = 0
        self.gate = Event()
        self.gate.set()
        self.faults: list[BaseException] = []
        """What the next loads fail with."""
        self.has_nothing_to_give = False

    def load(self) -> None:
        assert self.gate.wait(30)
        self.loads += 1
        if self.faults:
            raise self.faults.pop(0)

    def unload(self) -> None:
        self.unloads += 1
        if self.has_nothing_to_give:
            raise EngineLost("the GPU does not answer")

    def release_cached_memory(self) -> None:
        self.given_back += 1


class Living:
    """An engine with its life, and a hand on the clock."""

    def __init__(self, load_policy: LoadPolicy) -> None:
        self.now_s = 1000.0
        self.engine = GatedEngine()
        self.rung = Event()
        self.lifecycle = EngineLifecycle(
            self.engine, load_policy, clock=lambda: self.now_s, ring=self.rung.set
        )

    def tend(self, *, wanted: bool = False, busy: bool = False, after_s: float = 0.0) -> str:
        self.now_s += after_s
        self.lifecycle.tend(wanted=wanted, busy=busy)
        return self.lifecycle.state

    def wait(self) -> str:
        """The state when the load that is under way has ended."""
        assert self.rung.wait(30)
        self.rung.clear()
        return self.tend()


HABITS = LoadPolicy(unload_idle_s=60.0, tries_s=(0.0, 5.0), later_s=60.0)


@pytest.fixture
def living() -> Iterator[Living]:
    made = Living(HABITS)
    yield made
    made.engine.gate.set()


def test_it_sleeps_until_it_is_wanted_and_loads_beside_the_render_thread(living: Living) -> None:
    assert living.tend() == "asleep"
    living.engine.gate.clear()
    assert living.tend(wanted=True) == "loading"
    assert not living.lifecycle.is_awake
    assert "is being loaded" in living.lifecycle.reason
    living.now_s += 2.5
    living.engine.gate.set()
    assert living.wait() == "awake"
    assert (living.lifecycle.reason, living.lifecycle.load_s) == ("", 2.5)


def test_it_is_loaded_for_what_is_being_made_too(living: Living) -> None:
    """Would miss a clip that begins, for whatever reason, while the engine is unloaded."""
    assert living.tend(busy=True) == "loading"
    assert living.wait() == "awake"


def test_a_load_that_ends_by_no_ordinary_error_is_tried_again(living: Living) -> None:
    """Would miss a panic of native code, which is no Exception: everybody would wait for ever."""
    living.engine.faults = [SystemExit("a panic")]
    living.tend(wanted=True)
    assert living.wait() == "reloading"
    living.tend()
    assert living.wait() == "awake"


def test_it_is_unloaded_when_nothing_was_said_for_long_and_not_before(living: Living) -> None:
    living.lifecycle.load()
    assert living.tend(after_s=59) == "awake"
    assert living.tend(busy=True, after_s=100) == "awake"
    assert living.tend(after_s=59) == "awake"
    assert living.engine.unloads == 0
    assert living.tend(after_s=1) == "asleep"
    assert (living.engine.unloads, living.lifecycle.unloads) == (1, 1)
    assert living.tend(wanted=True) == "loading"
    assert living.wait() == "awake"


def test_zero_seconds_never_unload() -> None:
    living = Living(LoadPolicy())
    living.lifecycle.load()
    assert living.tend(after_s=1e9) == "awake"
    assert living.engine.unloads == 0


@pytest.mark.parametrize("clears", [True, False])
def test_what_is_kept_for_the_next_pass_is_given_back_once_when_nobody_speaks(
    clears: bool,
) -> None:
    living = Living(LoadPolicy(clear_cache=clears))
    living.lifecycle.load()
    for busy in (False, True, True, False, False):
        living.tend(busy=busy)
    assert living.engine.given_back == int(clears)


def test_a_lost_engine_is_unloaded_and_loaded_anew(living: Living) -> None:
    living.lifecycle.load()
    living.engine.has_nothing_to_give = True
    living.lifecycle.note(EngineLost("the GPU failed"))
    assert living.lifecycle.state == "reloading"
    assert "the GPU failed" in living.lifecycle.reason
    living.lifecycle.note(EngineLost("another frame of the same pass"))
    assert living.lifecycle.losses == 1
    living.tend()
    assert living.wait() == "awake"
    assert (living.engine.loads, living.engine.unloads) == (2, 1)


def test_an_error_that_somebody_keeps_does_not_keep_the_lost_networks(living: Living) -> None:
    """Would miss weights that still lie on the device when the new ones come."""
    living.lifecycle.load()
    with pytest.raises(EngineLost) as kept:
        lose(networks := [LoudnessEngine()])
    held = weakref.ref(networks.pop())
    assert held() is not None
    living.lifecycle.note(kept.value)
    assert held() is None


def lose(networks: list[LoudnessEngine]) -> None:
    network = networks[0]
    raise EngineLost(f"the GPU failed under {network.name}")


def test_what_is_no_loss_changes_nothing(living: Living) -> None:
    living.lifecycle.load()
    living.lifecycle.note(EngineOutOfMemory("no memory for one frame"))
    living.lifecycle.note(ValueError("a bug"))
    assert living.tend() == "awake"


def test_the_tries_are_counted_rest_longer_and_go_on_rarely(living: Living) -> None:
    living.lifecycle.load()
    living.engine.faults = [RuntimeError(f"fault {number}") for number in range(3)]
    living.lifecycle.note(EngineLost("the GPU failed"))
    assert "try 1 of 2" in living.lifecycle.reason
    living.tend()
    assert living.wait() == "reloading"
    assert "fault 0" in living.lifecycle.reason
    assert "try 2 of 2" in living.lifecycle.reason
    living.tend(after_s=4.9)
    assert living.engine.loads == 2
    living.tend(after_s=0.1)
    assert living.wait() == "broken"
    assert living.lifecycle.retry_after_s == 60
    assert "fault 1" in living.lifecycle.reason
    assert "restart of the server" in living.lifecycle.reason
    living.tend(wanted=True, after_s=59)
    assert living.engine.loads == 3
    living.tend(after_s=1)
    assert living.wait() == "broken"
    living.tend(after_s=60)
    assert living.wait() == "awake"
    assert living.lifecycle.retry_after_s == 1


def test_a_device_that_fails_at_the_start_is_tried_again(living: Living) -> None:
    living.engine.faults = [EngineLost("the GPU is not there yet")]
    living.lifecycle.load()
    assert living.lifecycle.state == "reloading"
    living.tend()
    assert living.wait() == "awake"
    assert living.engine.loads == 2


def test_nothing_is_tried_again_in_a_process_that_has_lost_its_device_for_good(
    living: Living,
) -> None:
    living.lifecycle.load()
    assert not living.lifecycle.needs_new_process
    living.lifecycle.note(EngineLost("an illegal address", needs_new_process=True))
    assert living.lifecycle.needs_new_process
    assert living.tend(wanted=True, after_s=1e6) == "broken"
    assert living.engine.loads == 1
    assert living.lifecycle.retry_after_s == 5
    assert "an illegal address" in living.lifecycle.reason


def test_an_engine_that_does_not_load_when_it_is_wanted_is_tried_again(living: Living) -> None:
    living.engine.faults = [EngineOutOfMemory("another program uses the GPU")]
    living.tend(wanted=True)
    assert living.wait() == "reloading"
    assert "another program" in living.lifecycle.reason
    living.tend()
    assert living.wait() == "awake"


def test_a_device_that_is_lost_at_rest_is_noticed_when_memory_is_given_back() -> None:
    living = Living(LoadPolicy(unload_idle_s=10.0))
    living.lifecycle.load()
    living.engine.has_nothing_to_give = True
    assert living.tend(after_s=10) == "reloading"
    assert living.lifecycle.losses == 1


class LostEngine(GatedEngine):
    """Its device fails once, when so many frames were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.lost_after: int | None = None

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        if self.lost_after is not None and self.rendered >= self.lost_after:
            self.lost_after = None
            self.gate.clear()
            raise EngineLost("the GPU failed")
        return super().submit(requests)


LONG = "This is a sentence that takes a while. It is followed by another one. And that by a third."


@contextmanager
def two_of_which_one_is_lost(
    settings: Settings, voices: EspeakVoices, folder: Path
) -> Iterator[tuple[Runtime, LostEngine, SpeakJob, SpeakJob]]:
    """A server whose device failed while two spoke: the one that failed, and the one that waits."""
    engine = LostEngine()
    runtime = Runtime(settings=settings, avatar=tiny_avatar(folder), engine=engine, voices=voices)
    runtime.start()
    try:
        assert runtime.wait_until_warm(30)
        engine.lost_after = engine.rendered + 30
        jobs = [runtime.speak(LONG, runtime.choose(), session_id=name) for name in ("a", "b")]
        lost, errors = follow_until_one_fails(jobs)
        assert [type(error) for error in errors] == [EngineLost]
        (other,) = (job for job in jobs if job is not lost)
        yield runtime, engine, lost, other
    finally:
        engine.gate.set()
        runtime.close()


def test_a_clip_that_had_no_frame_in_the_lost_pass_waits_and_is_said_whole(
    settings: Settings, voices: EspeakVoices, tmp_path: Path
) -> None:
    with two_of_which_one_is_lost(settings, voices, tmp_path) as (runtime, engine, lost, other):
        assert runtime.health().state == "reloading"
        engine.gate.set()
        spoken = other.result()
        assert not spoken.interrupted
        assert spoken.clip.frames > 100
        assert runtime.health().losses == 1
        again = runtime.speak("Again.", runtime.choose(), session_id=lost.session_id).result()
        assert again.session_frames > again.clip.frames


def test_a_clip_that_waits_for_a_lost_engine_is_interrupted_when_it_is_back(
    settings: Settings, voices: EspeakVoices, tmp_path: Path
) -> None:
    """Would miss a closing mouth that is asked of an engine which is away."""
    with two_of_which_one_is_lost(settings, voices, tmp_path) as (runtime, engine, _, other):
        stopping = Thread(target=runtime.interrupt, args=(other.session_id,))
        stopping.start()
        engine.gate.set()
        stopping.join(30)
        assert other.result().interrupted


def follow_until_one_fails(jobs: list[SpeakJob]) -> tuple[SpeakJob, list[Exception]]:
    """The job that failed, and what with; the other may be going on."""
    ended: Queue[tuple[SpeakJob, Exception | None]] = Queue()

    def follow(job: SpeakJob) -> None:
        try:
            job.result()
            ended.put((job, None))
        except EngineLost as error:
            ended.put((job, error))

    for job in jobs:
        Thread(target=follow, args=(job,), daemon=True).start()
    job, error = ended.get(timeout=30)
    return job, [error] if error is not None else []
