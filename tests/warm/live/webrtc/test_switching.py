"""Change of a viewer between full and small pictures."""

from typing import Any, cast

from warm.live.webrtc.congestion import Bandwidth
from warm.live.webrtc.outbox import Medium
from warm.live.webrtc.rung_choice import Rung, RungChoice
from warm.live.webrtc.viewer import Viewer, ViewerCalls


class Asked(list[str]):
    """Notes the requests for key frames."""

    def calls(self) -> ViewerCalls:
        def ignore(_viewer: Viewer) -> None:
            pass

        return ViewerCalls(
            on_connected=ignore,
            on_ended=ignore,
            on_channel=ignore,
            request_key_frame=lambda viewer: self.append(viewer.choice.rung),
        )


def taken(viewer: Viewer, sample: int, rung: Rung, *, is_key: bool = False) -> bool:
    medium = Medium(kind="video", payloads=[], sample=sample, is_key=is_key, rung=rung)
    return bool(cast(Any, viewer)._takes(medium))


def watching(asked: Asked) -> Viewer:
    """A viewer that has got a full picture at 1000, and should get small ones."""
    bandwidth = Bandwidth(least_bps=1.0, most_bps=2.0)
    viewer = Viewer("v", "default", "client", bandwidth, RungChoice(0.0), asked.calls())
    assert not taken(viewer, 0, "full")
    assert taken(viewer, 1000, "full", is_key=True)
    viewer.choice.rung = "small"
    return viewer


def test_full_pictures_go_on_until_the_key_frame_of_the_small_ones() -> None:
    viewer = watching(Asked())
    assert not taken(viewer, 1100, "small")
    assert taken(viewer, 2000, "full")
    assert taken(viewer, 2100, "small", is_key=True)
    assert not taken(viewer, 3000, "full", is_key=True)
    assert taken(viewer, 3100, "small")


def test_a_late_key_frame_is_asked_for_again_while_the_full_pictures_wait() -> None:
    asked = Asked()
    viewer = watching(asked)
    assert not taken(viewer, 900, "small", is_key=True)
    assert asked == ["small"]
    assert not taken(viewer, 2000, "full")
    assert taken(viewer, 1900, "small", is_key=True)
    assert viewer.rung == "small"


def test_the_full_pictures_go_on_if_no_key_frame_of_the_small_ones_comes() -> None:
    viewer = watching(Asked())
    assert not taken(viewer, 900, "small", is_key=True)
    cast(Any, viewer)._held_until_s = 0.0
    assert taken(viewer, 2000, "full")
