"""Bandwidth of viewers, and the rate of the encode that they share."""

from warm.live.webrtc.congestion import Bandwidth
from warm.live.webrtc.feedback import Feedback
from warm.live.webrtc.shared_rate import SharedRate

LEAST, MOST = 300_000.0, 2_000_000.0


class Path:
    """A path of a viewer that reports once a second, as receivers do."""

    def __init__(self, capacity_bps: float = float("inf")) -> None:
        self.now_s = 0.0
        self.capacity_bps = capacity_bps
        self.bandwidth = Bandwidth(least_bps=LEAST, most_bps=MOST, clock=lambda: self.now_s)

    def second(self, sent_bps: float, *, loss: float = 0.0) -> float:
        """Send for a second; returns the limit after the reports about it."""
        self.now_s += 1
        self.bandwidth.note_sent(sent_bps)
        arrived = min(sent_bps, self.capacity_bps)
        estimate = 0.85 * arrived if sent_bps > self.capacity_bps else 1.5 * arrived
        self.bandwidth.note(Feedback(estimate_bps=estimate))
        self.bandwidth.note(Feedback(fraction_lost=loss))
        return self.bandwidth.limit_bps


def test_a_face_at_rest_that_needs_little_does_not_lower_the_limit() -> None:
    path = Path()
    assert {path.second(150_000) for _ in range(60)} == {MOST}


def test_a_narrow_path_lowers_the_limit_within_seconds_and_a_wide_one_raises_it() -> None:
    path = Path(600_000)
    sent = MOST
    for _ in range(15):
        sent = min(MOST, path.second(sent))
    assert 300_000 <= sent <= 650_000
    path.capacity_bps = float("inf")
    for _ in range(40):
        sent = min(MOST, path.second(sent))
    assert sent == MOST


def test_one_low_estimate_does_not_lower_the_limit() -> None:
    path = Path()
    path.second(1_000_000)
    path.bandwidth.note(Feedback(estimate_bps=100_000))
    assert path.second(1_000_000) == MOST


def test_five_percent_of_loss_is_tolerated_and_a_third_is_not() -> None:
    noisy, lossy = Path(), Path()
    for _ in range(40):
        assert noisy.second(1_000_000, loss=0.05) == MOST
        lossy.second(min(1_000_000, lossy.bandwidth.limit_bps), loss=0.33)
    assert lossy.bandwidth.limit_bps < 400_000


def test_the_limit_has_a_lower_bound() -> None:
    path = Path(1_000)
    for _ in range(60):
        path.second(max(400_000, min(1_000_000, path.bandwidth.limit_bps)))
    assert path.bandwidth.limit_bps == LEAST
    assert path.bandwidth.congested_s > 30


def test_a_path_that_recovers_is_not_congested_any_more() -> None:
    path = Path(500_000)
    for _ in range(5):
        path.second(1_000_000)
    assert path.bandwidth.congested_s >= 4
    path.capacity_bps = float("inf")
    path.second(1_000_000)
    assert path.bandwidth.congested_s == 0


def test_the_shared_rate_follows_the_slowest_viewer_down_at_once_and_up_slowly() -> None:
    now = [0.0]
    rate = SharedRate(least_bps=LEAST, most_bps=MOST, clock=lambda: now[0])
    assert not rate.follow([MOST, MOST])
    assert rate.follow([MOST, 700_000]) and rate.bps == 700_000
    now[0] = 2.0
    assert not rate.follow([MOST, 750_000]), "a small change"
    assert not rate.follow([MOST, 1_500_000]), "too soon"
    assert rate.follow([MOST, 10_000]) and rate.bps == LEAST
    now[0] = 11.0
    assert rate.follow([MOST, 1_500_000]) and rate.bps == 1_500_000
    now[0] = 22.0
    assert rate.follow([]) and rate.bps == MOST
