"""Joins short batches of a recording, so that the film has no fragment of a frame or two."""

import numpy as np

from warm.render.given_sentence import FEWEST_FRAMES
from warm.render.timeline import Batch
from warm.render.utterances import Utterance


class BatchJoiner:
    """Holds rendered batches until they make a fragment. Owned by the render thread."""

    def __init__(self) -> None:
        self._held: list[Batch] = []

    @property
    def has_held(self) -> bool:
        """True if it holds a batch."""
        return bool(self._held)

    def add(self, batch: Batch, *, may_wait: bool) -> list[Batch]:
        """Return the batches to be written; `may_wait`: more frames follow soon."""
        ready = self.take() if batch.cues else []
        self._held.append(batch)
        if may_wait and sum(each.frames for each in self._held) < FEWEST_FRAMES:
            return ready
        return ready + self.take()

    def take(self) -> list[Batch]:
        """Return what it holds as one batch; an empty list if there is nothing."""
        held, self._held = self._held, []
        return held if len(held) < 2 else [joined(held)]


def joined(batches: list[Batch]) -> Batch:
    """Return consecutive rendered batches as one."""
    whole = Batch(
        first_frame=batches[0].first_frame,
        utterance=Utterance(
            frames=sum(batch.frames for batch in batches),
            samples=np.concatenate([batch.utterance.samples for batch in batches]),
        ),
        cues=[cue for batch in batches for cue in batch.cues],
        is_last=batches[-1].is_last,
        shown=[shown for batch in batches for shown in batch.shown],
    )
    whole.rendered = [frame for batch in batches for frame in batch.rendered]
    return whole
