"""Recording of a feed, read back: its pictures, its sound, and what they say about each other."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from bench.live.feed_recorder import LINES, VIDEO

RATE_HZ = 48_000
Line = dict[str, Any]


@dataclass(frozen=True, eq=False)
class FeedRecording:
    """What one subscriber received."""

    folder: Path

    @cached_property
    def lines(self) -> list[Line]:
        """Everything but the packets, in the order in which it came."""
        text = (self.folder / LINES).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def pictures(self) -> list[Line]:
        """Facts about the pictures."""
        return [line for line in self.lines if line["what"] == "picture"]

    @property
    def sounds(self) -> list[Line]:
        """Facts about the packets of sound."""
        return [line for line in self.lines if line["what"] == "sound"]

    def events(self, kind: str) -> list[Line]:
        """Events of one kind."""
        return [line for line in self.lines if line["what"] == "event" and line["kind"] == kind]

    def decoded(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the pictures, (h, w, 3) BGR, one for each of `pictures`."""
        with av.open(str(self.folder / VIDEO), format="h264") as container:
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)

    def skews_ms(self, utterance: str) -> NDArray[np.float64]:
        """Return for each picture of an utterance how far the sound near it is ahead, ms."""
        spoken = [each for each in self.sounds if each["utterance"] == utterance]
        at = np.array([each["sample"] + each["offset"] for each in spoken])
        origins = at - np.array([each["position"] for each in spoken])
        shown = [each for each in self.pictures if each["utterance"] == utterance]
        shown = [each for each in shown if not each["is_repeated"]]
        picture_at = np.array([each["sample"] for each in shown])
        picture_origins = picture_at - np.array([each["position"] for each in shown])
        nearest = np.abs(picture_at[:, None] - at[None, :]).argmin(axis=1)
        return np.asarray((picture_origins - origins[nearest]) * 1000 / RATE_HZ, np.float64)

    def lateness_ms(self) -> NDArray[np.float64]:
        """Return how long after its time each picture was received, ms."""
        late = [each["received_s"] - each["time_s"] for each in self.pictures]
        return np.asarray(late, np.float64) * 1000
