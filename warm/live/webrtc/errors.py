"""Errors of viewers, as the live process answers them: each has the kind of a `LiveRefused`."""

from warm.live.errors import LiveRefused


class BadOffer(LiveRefused):
    """An offer, or a message about candidates, is malformed."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_offer", detail)


class UnusableOffer(LiveRefused):
    """An offer is valid, but cannot be answered."""

    def __init__(self, detail: str) -> None:
        super().__init__("unusable_offer", detail)


class ViewersFull(LiveRefused):
    """All places of viewers are taken, or all that one client may have."""

    def __init__(self, limit: int, scope: str) -> None:
        super().__init__(
            "viewers_full",
            f"{limit} viewers are connected by WebRTC, which is the limit {scope}"
            " (max_live_viewers); watch the film at /session/stream meanwhile",
        )


class StreamEnded(LiveRefused):
    """The live stream ended while an offer was answered."""

    def __init__(self, reason: str) -> None:
        super().__init__("stream_ended", f"{reason}; connect again")


class UnknownViewer(LiveRefused):
    """A viewer does not exist, or not any more."""

    def __init__(self, viewer_id: str, reason: str = "") -> None:
        ended = f"has ended: {reason}" if reason else "is not known, or has ended some time ago"
        super().__init__("unknown_viewer", f"viewer = {viewer_id!r}: {ended}")


class IceRestart(LiveRefused):
    """A viewer restarts ICE, which aiortc does not support."""

    def __init__(self) -> None:
        super().__init__(
            "ice_restart", "a=ice-ufrag: has changed; ICE restarts are not supported: connect again"
        )
