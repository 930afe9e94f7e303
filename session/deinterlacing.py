"""Interlaced video: detection of its fields, and deinterlacing with FFmpeg's `bwdif`.

A frame of interlaced video holds two pictures, one in its even and one in its odd lines, taken a
fraction of a second apart. Shown as it is, everything that moves has combed edges.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

from av import VideoFrame
from av.error import BlockingIOError as NeedsInput
from av.error import EOFError as Ended
from av.filter import Graph

FieldOrder = Literal["tff", "bff", "auto"]
"""Top or bottom field first, or as each frame is marked."""

MIN_COMBED = 4
"""Frames with moving fields that the content needs to count as interlaced, marked or not."""
MIN_MAJORITY = 3
"""There must be this many of them for each frame that contradicts."""
MIN_LINES = 4
"""The filter needs this many lines, and as many columns."""
GraphFormat = tuple[int, int, str, object]


def find_field_order(frames: Iterable[VideoFrame]) -> FieldOrder | None:
    """Return the field order of consecutive frames; None if they are progressive.

    The content counts more than the marks of the frames, which are often missing or wrong. Frames
    that are marked and do not move are treated as interlaced: their movement may come later.
    """
    is_marked, seen = False, Counter[str]()
    detect = _Filter(["idet"])
    for frame in frames:
        is_marked |= bool(frame.interlaced_frame)
        seen.update(_verdict(each) for each in detect.push(frame))
    seen.update(_verdict(each) for each in detect.finish())
    return _combed_order(seen) or ("auto" if is_marked else None)


def _combed_order(seen: Counter[str]) -> FieldOrder | None:
    """Return the order that many verdicts support and few contradict."""
    order: FieldOrder = "tff" if seen["tff"] >= seen["bff"] else "bff"
    contradicting = seen["tff"] + seen["bff"] - seen[order] + seen["progressive"]
    is_combed = seen[order] >= max(MIN_COMBED, MIN_MAJORITY * contradicting)
    return order if is_combed else None


def _verdict(frame: VideoFrame) -> str:
    return frame.metadata.get("lavfi.idet.multiple.current_frame", "undetermined")


class Deinterlacer:
    """Replaces interlaced frames by progressive ones at the same times. Not thread-safe.

    With `order` None, it begins with the first frame that is marked as interlaced.
    """

    def __init__(self, order: FieldOrder | None) -> None:
        self.frames = 0
        """Number of frames that were deinterlaced."""
        self._filter: _Filter | None = None
        self._order = order

    def applied(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """Yield the frames, those that are interlaced deinterlaced."""
        for frame in frames:
            is_marked = bool(frame.interlaced_frame)
            if self._order is None and is_marked:
                self._order = "auto"
            if self._order is None or min(frame.width, frame.height) < MIN_LINES:
                yield frame
                continue
            self.frames += is_marked or self._order != "auto"
            self._filter = self._filter or _Filter(_filters(self._order))
            yield from self._filter.push(frame)
        if self._filter is not None:
            yield from self._filter.finish()


def _filters(order: FieldOrder) -> list[str]:
    if order == "auto":
        return ["bwdif=mode=send_frame:deint=interlaced"]
    return [f"setfield={order}", "bwdif=mode=send_frame:deint=all"]


class _Filter:
    """A chain of FFmpeg filters that is rebuilt when the format of the frames changes."""

    def __init__(self, chain: list[str]) -> None:
        self._chain = chain
        self._graph: Graph | None = None
        self._format: GraphFormat | None = None

    def push(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Filter one frame; yields the frames that are ready."""
        graph_format = frame.width, frame.height, frame.format.name, frame.time_base
        if self._graph is None or self._format != graph_format:
            yield from self.finish()
            self._graph, self._format = self._built(frame), graph_format
        self._graph.vpush(frame)
        yield from self._ready()

    def finish(self) -> Iterator[VideoFrame]:
        """Yield the frames that the filters still hold; nothing can be pushed until a rebuild."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
        self._graph = None

    def _ready(self) -> Iterator[VideoFrame]:
        assert self._graph is not None
        while True:
            try:
                yield self._graph.vpull()
            except (NeedsInput, Ended):
                return

    def _built(self, like: VideoFrame) -> Graph:
        graph = Graph()
        source = graph.add_buffer(
            width=like.width, height=like.height, format=like.format, time_base=like.time_base
        )
        filters = [graph.add(*each.split("=", 1)) for each in self._chain]
        graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
        return graph
