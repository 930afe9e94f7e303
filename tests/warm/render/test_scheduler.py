"""Selection of clips for a pass, and the measured throughput."""

from dataclasses import dataclass

from warm.render.scheduler import PASS_S, SOON_S, Throughput, schedule


@dataclass
class FakeClip:
    """A clip with the properties that scheduling uses."""

    due_s: float
    has_partial_batch: bool = False
    ready: bool = True
    batches_ahead: int = 0

    def is_ready(self, _now_s: float) -> bool:
        return self.ready

    def backlog(self, _now_s: float) -> int:
        return self.batches_ahead


def test_the_earliest_deadline_goes_first() -> None:
    late, early, never = FakeClip(9.0), FakeClip(7.0), FakeClip(5.0, ready=False)
    assert schedule([late, early, never], 0.0) == [early, late]


def test_a_clip_that_is_due_soon_shares_no_pass_with_one_that_is_not() -> None:
    soon, later = FakeClip(SOON_S - 0.01), FakeClip(SOON_S + 0.01)
    assert schedule([later, soon], 0.0) == [soon]


def test_a_full_backlog_lets_only_started_batches_into_the_pass_unless_frames_are_due_soon() -> (
    None
):
    full = [
        FakeClip(9.0, batches_ahead=2),
        FakeClip(8.0, batches_ahead=1),
        FakeClip(7.0, has_partial_batch=True),
    ]
    assert schedule(full, 0.0) == [full[2]]
    assert schedule(full, 8.9) == [full[2], full[1], full[0]]


def test_a_pass_has_as_many_frames_as_fit_into_its_time() -> None:
    throughput = Throughput()
    assert throughput.frames_in(PASS_S, 2, 25) == 25
    throughput.record(10, 10 * PASS_S)
    assert throughput.frames_in(PASS_S, 2, 25) == 2
    assert throughput.frames_in(PASS_S, 2, 1) == 1
    for _ in range(60):
        throughput.record(20, PASS_S)
    assert throughput.frames_in(PASS_S, 2, 25) in (19, 20)
