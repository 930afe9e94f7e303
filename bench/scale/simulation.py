"""Sessions that speak, their heads and GPUs, event by event.

Each head works as `warm/render` does with `lead_s`: batches of a clip grow from 3 frames to half
of `lead_s`, and no frame is rendered earlier than `lead_s` before it is due. The batches that are
due first are sent first, and a pass mixes batches of several sessions up to 25 frames. A pass goes
to the GPU of its head with the fewest frames in flight.
"""

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from bench.scale.costs import FPS, Costs
from bench.scale.ring import Ring

_BATCHES = (3, 6, 12, 24, 25)
"""Frames of the first batches of a clip; all further ones are as long as the last.

None is longer than half of `lead_s`."""
_LARGEST_PASS = 25
_PASSES_IN_FLIGHT = 2
"""Largest number of passes of one GPU: the one that it computes, and the next."""
_URGENT_S = 0.3
"""Batches that are due within this time share a pass only with one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Machines, and the conversations that they serve."""

    sessions: int
    heads: int
    gpus_per_head: int
    speaking_share: float
    """Share of its time during which a session's face speaks."""
    reply_s: float = 6.0
    """Mean length of a reply, which is distributed lognormally."""
    lead_s: float = 1.0
    starts_together: bool = False
    """All sessions speak from the beginning on, and without a pause."""
    seconds: float = 120.0
    warm_up_s: float = 30.0
    """Beginning that is simulated, but not counted."""
    losses_per_hour: float = 0.0
    """Mean number of times that a process of a GPU dies, over all GPUs."""
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """Counts after the warm-up."""

    first_s: list[float] = field(default_factory=list)
    """Times from the request to the first durable fragment of each clip."""
    fragments: int = 0
    """Fragments after the first of their clip."""
    late: int = 0
    """Of these, the fragments that became durable after their time of playback."""
    busy_s: float = 0.0
    """Time during which GPUs computed, over all GPUs."""
    head_busy_s: float = 0.0
    """Time during which render threads worked, over all heads."""
    replays: int = 0
    speaking: list[int] = field(default_factory=list)
    """Number of speaking sessions, once a second."""
    most_of_a_head: int = 0
    """Largest number of sessions that one head has."""


@dataclass(slots=True)
class _Clip:
    session: int
    asked_s: float
    frames: int
    sent: int = 0
    """Frames of the batches that exist so far."""
    batches: int = 0
    starts_s: float = math.inf
    """Time at which playback starts: when the first fragment is durable."""


@dataclass(slots=True)
class _Batch:
    clip: _Clip
    first: int
    frames: int
    due_s: float


@dataclass(slots=True, eq=False)
class _Pass:
    batches: list[_Batch]
    gpu: "_Gpu"
    is_answered: bool = False

    @property
    def frames(self) -> int:
        return sum(batch.frames for batch in self.batches)


@dataclass(slots=True, eq=False)
class _Gpu:
    is_up: bool = True
    free_s: float = 0.0
    """Time at which it has computed all passes that it has."""
    passes: list[_Pass] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return sum(each.frames for each in self.passes)


@dataclass(slots=True, eq=False)
class _Head:
    gpus: list[_Gpu]
    waiting: list[tuple[float, int, _Batch]] = field(default_factory=list)
    """Batches that may be rendered: a heap ordered by the time at which they are due."""
    free_s: float = 0.0
    """Time at which the render thread has composited everything that has come back."""


class Simulation:
    """One run; deterministic for a plan."""

    def __init__(self, plan: Plan, costs: Costs) -> None:
        self.plan, self.costs = plan, costs
        self.outcome = Outcome()
        self._rng = random.Random(plan.seed)
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._heads = [
            _Head([_Gpu() for _ in range(plan.gpus_per_head)]) for _ in range(plan.heads)
        ]
        ring = Ring(plan.heads)
        self._head_of = [ring.head(f"session-{number}") for number in range(plan.sessions)]
        counts = [0] * plan.heads
        for head in self._head_of:
            counts[head] += 1
        self.outcome.most_of_a_head = max(counts)
        self._speaking = 0

    def run(self) -> Outcome:
        """Simulate the planned time and return what was counted."""
        for session in range(self.plan.sessions):
            self._listen(session, 0.0 if self.plan.starts_together else self._rng.random())
        if self.plan.losses_per_hour:
            self._lose_later()
        self._count_speaking()
        while self._events and self._events[0][0] < self.plan.seconds:
            self._now, _, event = heapq.heappop(self._events)
            event()
        return self.outcome

    @property
    def _counts(self) -> bool:
        return self._now >= self.plan.warm_up_s

    def _at(self, time_s: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time_s, next(self._numbers), event))

    def _count_speaking(self) -> None:
        if self._counts:
            self.outcome.speaking.append(self._speaking)
        self._at(self._now + 1, self._count_speaking)

    def _listen(self, session: int, share: float | None = None) -> None:
        """Start a reply after a pause; `share` places it within the first cycle instead."""
        cycle_s = self.plan.reply_s / self.plan.speaking_share
        pause_s = max(cycle_s - self.plan.reply_s, 1e-3)
        wait_s = self._rng.expovariate(1 / pause_s) if share is None else share * cycle_s
        self._at(self._now + wait_s, lambda: self._ask(session))

    def _ask(self, session: int) -> None:
        sigma = 0.6
        reply_s = self._rng.lognormvariate(math.log(self.plan.reply_s) - sigma**2 / 2, sigma)
        clip = _Clip(session, self._now, max(int(reply_s * FPS), _BATCHES[0]))
        self._speaking += 1
        self._at(self._now + self.costs.voice_s, lambda: self._add_batch(clip, self._now))

    def _add_batch(self, clip: _Clip, due_s: float) -> None:
        """Queue the clip's next batch for a GPU of its head."""
        longest = int(self.plan.lead_s * FPS / 2)
        wanted = min(_BATCHES[min(clip.batches, len(_BATCHES) - 1)], longest)
        batch = _Batch(clip, clip.sent, min(wanted, clip.frames - clip.sent), due_s)
        clip.sent, clip.batches = clip.sent + batch.frames, clip.batches + 1
        self._wait(batch)

    def _wait(self, batch: _Batch) -> None:
        head = self._heads[self._head_of[batch.clip.session]]
        heapq.heappush(head.waiting, (batch.due_s, next(self._numbers), batch))
        self._send(head)

    def _send(self, head: _Head) -> None:
        """Send waiting batches to GPUs as long as one of them has room for a pass."""
        while head.waiting:
            ready = [gpu for gpu in head.gpus if gpu.is_up and len(gpu.passes) < _PASSES_IN_FLIGHT]
            if not ready:
                return
            self._submit(head, min(ready, key=lambda gpu: gpu.frames))

    def _submit(self, head: _Head, gpu: _Gpu) -> None:
        batches = [heapq.heappop(head.waiting)[2]]
        while head.waiting:
            if not self._may_join(batches, head.waiting[0][2]):
                break
            batches.append(heapq.heappop(head.waiting)[2])
        sent = _Pass(batches, gpu)
        gpu.passes.append(sent)
        took_s = self.costs.pass_s(sent.frames)
        gpu.free_s = max(gpu.free_s, self._now) + took_s
        if self._counts:
            self.outcome.busy_s += took_s
        self._at(gpu.free_s + self.costs.call_s, lambda: self._receive(head, sent))

    def _may_join(self, batches: list[_Batch], following: _Batch) -> bool:
        frames = sum(each.frames for each in batches) + following.frames
        urgent_until_s = self._now + _URGENT_S
        is_urgent = batches[0].due_s <= urgent_until_s
        return frames <= _LARGEST_PASS and (not is_urgent or following.due_s <= urgent_until_s)

    def _receive(self, head: _Head, sent: _Pass) -> None:
        """Composite the patches of a pass, unless its GPU was lost before it answered."""
        if sent.is_answered:
            return
        sent.is_answered = True
        sent.gpu.passes.remove(sent)
        for batch in sent.batches:
            took_s = batch.frames * self.costs.head_frame_s
            head.free_s = max(head.free_s, self._now) + took_s
            if self._counts:
                self.outcome.head_busy_s += took_s
            self._write(batch, head.free_s + self.costs.fragment_s)
        self._send(head)

    def _write(self, batch: _Batch, durable_s: float) -> None:
        """Count the fragment of a batch that becomes durable, and plan what follows it."""
        clip = batch.clip
        if batch.first == 0:
            clip.starts_s = durable_s
            if self._counts:
                self.outcome.first_s.append(durable_s - clip.asked_s)
        elif self._counts:
            self.outcome.fragments += 1
            self.outcome.late += durable_s > batch.due_s
        if clip.sent < clip.frames:
            due_s = clip.starts_s + clip.sent / FPS
            ready_s = max(self._now, due_s - self.plan.lead_s)
            self._at(ready_s, lambda: self._add_batch(clip, due_s))
        else:
            self._at(max(durable_s, clip.starts_s + clip.frames / FPS), lambda: self._end(clip))

    def _end(self, clip: _Clip) -> None:
        self._speaking -= 1
        self._listen(clip.session)

    def _lose_later(self) -> None:
        wait_s = self._rng.expovariate(self.plan.losses_per_hour / 3600)
        self._at(self._now + wait_s, self._lose)

    def _lose(self) -> None:
        """Lose one GPU; its batches are queued again after `replay_s`."""
        head = self._rng.choice(self._heads)
        gpu = self._rng.choice(head.gpus)
        self._lose_later()
        if not gpu.is_up:
            return
        gpu.is_up = False
        for sent in gpu.passes:
            sent.is_answered = True
            for batch in sent.batches:
                self.outcome.replays += 1
                self._at(self._now + self.costs.replay_s, partial(self._wait, batch))
        gpu.passes.clear()
        self._at(self._now + self.costs.restart_s, lambda: self._restart(head, gpu))

    def _restart(self, head: _Head, gpu: _Gpu) -> None:
        gpu.is_up, gpu.free_s = True, self._now
        self._send(head)
