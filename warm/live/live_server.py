"""Live server: handlers, feeds and events of the live process. Its loop's thread owns it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from isolation.protocol import Payload
from warm.avatars.avatar import Avatar
from warm.live.errors import UNKNOWN_AVATAR, LiveRefused
from warm.live.feed.feed import Feed
from warm.live.feed.feed_place import FeedPlace
from warm.live.wire.control import close_all
from warm.live.wire.packed_avatar import unpacked_avatar
from warm.settings import Settings

CLOSE_S = 1.0
"""Longest time for the callbacks of `on_close`."""
MAX_FEEDS = 64
MAX_AVATARS = 32
"""Avatars that are kept mapped while no feed shows them."""
COUNTED = (
    "late_frames",
    "lost_frames",
    "starved_frames",
    "left_out_pictures",
    "stalls",
    "interruptions",
    "dropped_ticks",
)
"""Numbers of a feed that only grow."""

Handler = Callable[[dict[str, Any], list[int]], Awaitable[dict[str, Any]]]
"""Receives the parameters of a call, and descriptors that it owns; returns a JSON object."""
OnClose = Callable[[], Awaitable[None]]

log = logging.getLogger(__name__)


class Emitter(Protocol):
    """Sends events to the worker."""

    def emit(self, event: str, data: Mapping[str, Any], payload: Payload) -> bool:
        """Send an event in order; False if the worker has not taken many earlier ones."""
        ...


class LiveServer:
    """Registry of the live process.

    Packages register handlers, subscribe to feeds, and send events to the worker.
    """

    def __init__(self, settings: Settings, emitter: Emitter) -> None:
        """Call it on the thread of the running loop."""
        self.loop = asyncio.get_running_loop()
        self.settings = settings
        self._emitter = emitter
        self._handlers: dict[str, Handler] = {}
        self._feeds: dict[str, Feed] = {}
        self._avatars: dict[str, Avatar] = {}
        self._on_close: list[OnClose] = []
        self._stats: dict[str, Callable[[], dict[str, Any]]] = {}
        self._ended = dict.fromkeys(COUNTED, 0)
        """Sums of the feeds that have ended."""
        self.handler("stats")(self._report)
        self.handler("feed.clear")(self._clear)
        self.handler("feed.show")(self._nothing)
        self.handler("feed.end")(self._end)
        self.handler("ping")(self._nothing)

    def handler(self, method: str) -> Callable[[Handler], Handler]:
        """Register the coroutine function that answers `LiveHub.call(method, …)`.

        It raises LiveRefused for errors of the client.
        """

        def register(function: Handler) -> Handler:
            if method in self._handlers:
                raise ValueError(f"the method {method!r} has two handlers")
            self._handlers[method] = function
            return function

        return register

    def emit(self, event: str, data: Mapping[str, Any], payload: Payload = b"") -> bool:
        """Send an event to the worker, after all earlier ones.

        Returns False, and sends nothing, if the worker has not taken many earlier ones.
        """
        return self._emitter.emit(event, data, payload)

    def feed(self, session_id: str) -> Feed:
        """Return the feed of a session; raises LiveRefused.

        Every call with the parameter `session_id` makes the feed exist before its handler runs.
        """
        found = self._feeds.get(session_id)
        if found is None:
            raise LiveRefused("no-feed", f"session {session_id!r} has no live feed; connect again")
        return found

    def find_feed(self, session_id: str) -> Feed | None:
        """Return the feed of a session, None if it has none."""
        return self._feeds.get(session_id)

    def on_close(self, callback: OnClose) -> None:
        """Have a coroutine function run when the process ends, for at most `CLOSE_S`."""
        self._on_close.append(callback)

    def add_stats(self, name: str, read: Callable[[], dict[str, Any]]) -> None:
        """Add a section to the live numbers of `/stats`."""
        self._stats[name] = read

    async def answer(self, message: Mapping[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """Return the answer to a call of the worker; it never raises."""
        try:
            return {"result": await self._call(message, descriptors)}
        except LiveRefused as refused:
            return {"refused": [refused.kind, refused.detail]}
        except Exception as error:
            log.exception("a call of the live process failed", extra={"method": message["method"]})
            return {"failed": f"{type(error).__name__}: {error}"}

    def take_media(self, header: Mapping[str, Any], payload: memoryview) -> None:
        """Pass a message of the worker to its feed. On the thread that receives."""
        feed = self._feeds.get(header["session_id"])
        if feed is not None:
            feed.take(header, payload)

    async def close(self) -> None:
        """Run the callbacks and end all feeds."""
        closing = [asyncio.ensure_future(callback()) for callback in self._on_close]
        if closing:
            await asyncio.wait(closing, timeout=CLOSE_S)
        for feed in list(self._feeds.values()):
            feed.close("the server is stopping")

    async def _call(self, message: Mapping[str, Any], descriptors: list[int]) -> dict[str, Any]:
        handler = self._handlers.get(message["method"])
        try:
            if "avatar" in message:
                self._keep(message["avatar"], descriptors.pop())
            if handler is None:
                raise LiveRefused("no-method", f"there is no method {message['method']!r}")  # noqa: TRY301
            if "feed" in message:
                self._attach(message["feed"])
        except BaseException:
            close_all(descriptors)
            raise
        return await handler(dict(message["params"]), descriptors)

    def _keep(self, facts: Mapping[str, Any], descriptor: int) -> None:
        used = {feed.avatar_key for feed in self._feeds.values()}
        unused = [key for key in self._avatars if key not in used]
        for key in unused[: max(0, len(unused) - MAX_AVATARS)]:
            del self._avatars[key]
        self._avatars[facts["key"]] = unpacked_avatar(facts, descriptor)

    def _attach(self, facts: Mapping[str, Any]) -> None:
        """Make the feed of a session exist, with the avatar of these facts."""
        avatar = self._avatars.get(facts["avatar"])
        if avatar is None:
            raise LiveRefused(UNKNOWN_AVATAR, facts["avatar"])
        place = FeedPlace(
            session_id=facts["session_id"], avatar_key=facts["avatar"], avatar=avatar,
            fps=facts["fps"], path=facts["path"], position=facts["position"],
            committed=facts["committed"],
        )  # fmt: skip
        feed = self._feeds.get(place.session_id)
        if feed is None:
            self._make_room()
            self._feeds[place.session_id] = Feed(place, loop=self.loop, on_closed=self._forget)
            self.emit("feed.opened", {"session_id": place.session_id, "avatar": place.avatar_key})
        else:
            feed.show(place)

    def _make_room(self) -> None:
        """End a feed that nobody watches if there are `MAX_FEEDS`; raises LiveRefused."""
        if len(self._feeds) < MAX_FEEDS:
            return
        unwatched = next((feed for feed in self._feeds.values() if not feed.is_watched), None)
        if unwatched is None:
            raise LiveRefused(
                "feeds_full", f"{MAX_FEEDS} sessions are watched live; try again later"
            )
        unwatched.close("other sessions need its place")

    def _forget(self, feed: Feed) -> None:
        self._add_to_totals(feed.state())
        if self._feeds.get(feed.session_id) is feed:
            del self._feeds[feed.session_id]
            self.emit("feed.closed", {"session_id": feed.session_id})

    def _add_to_totals(self, state: Mapping[str, Any]) -> None:
        for name in COUNTED:
            self._ended[name] += state[name]

    async def _report(self, _params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        feeds = {name: feed.state() for name, feed in self._feeds.items()}
        totals = {
            name: before + sum(state[name] for state in feeds.values())
            for name, before in self._ended.items()
        }
        sections = {name: read() for name, read in self._stats.items()}
        return {"feeds": feeds, "totals": totals, **sections}

    async def _clear(self, params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        feed = self.find_feed(params["session"])
        if feed is None:
            return {"frame": None}
        return {"frame": feed.clear(params["epoch"], is_reset=params["is_reset"])}

    async def _end(self, params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        feed = self.find_feed(params["session"])
        if feed is not None:
            feed.close(params["reason"])
        return {}

    async def _nothing(self, _params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        """Answer a ping, or a call that has attached its session before."""
        return {}
