"""How many sessions speak at once in real time, by the server's own render thread and films."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.neural.drone import SENTENCE_S, HumVoices
from bench.neural.gpu_rig import Rig
from warm.render.jobs import FragmentCommitted, SpeakJob
from warm.runtime import Runtime

LEAD_S = 1.0
"""How far ahead of its playing everything is made, as where somebody may interrupt."""
WARM_TIMEOUT_S = 180


@dataclass(slots=True, kw_only=True)
class InTime:
    """What was found."""

    fps: int
    late: dict[int, int]
    """Late fragments by the number of sessions."""
    fragments: int = 0

    @property
    def most(self) -> int:
        """The largest number of sessions that, like every smaller one, was never late."""
        faulty = min((count for count, late in self.late.items() if late), default=1 << 30)
        return max((count for count in self.late if count < faulty), default=0)


def most_in_time(rig: Rig, counts: Sequence[int], *, seconds: float) -> InTime:
    """Try more and more sessions until one is late; fewer, where the first number is too many."""
    settings = rig.settings(min_free_mb=0.0)
    engine = rig.engine()
    runtime = Runtime(settings=settings, avatar=rig.avatar(), engine=engine, voices=HumVoices())
    runtime.start()
    try:
        if not runtime.wait_until_warm(WARM_TIMEOUT_S):
            raise RuntimeError(f"not warm: {runtime.health().reason}")
        found = InTime(fps=settings.fps, late={})
        for count in counts:
            try_out(runtime, count, seconds, found)
            if found.late[count]:
                break
        for count in fewer(counts[0]) if found.late[counts[0]] else ():
            try_out(runtime, count, seconds, found)
            if not found.late[count]:
                break
        return found
    finally:
        runtime.close()
        runtime.wait_until_ended(settings.stop_s)
        engine.unload()


def fewer(count: int) -> Sequence[int]:
    """Three quarters, half, a quarter."""
    return [count * part // 4 for part in (3, 2, 1) if count * part // 4]


def try_out(runtime: Runtime, count: int, seconds: float, found: InTime) -> None:
    """Have `count` new sessions speak at once and play what comes as it comes."""
    text = " ".join(["hum"] * max(1, round(seconds / SENTENCE_S)))
    choice = runtime.choose()
    lookup = runtime.sessions.registry.lookup
    jobs = [
        runtime.speak(lookup(f"of-{count}-{number}"), text, choice, lead_s=LEAD_S)
        for number in range(count)
    ]
    with ThreadPoolExecutor(count) as watchers:
        seen = list(watchers.map(late_in, jobs))
    found.late[count] = sum(late for late, _ in seen)
    found.fragments += sum(fragments for _, fragments in seen)


def late_in(job: SpeakJob) -> tuple[int, int]:
    """(late fragments, all) of a job that is played from its first fragment on."""
    plays_until_s, late, fragments = 0.0, 0, 0
    for event in job.events():
        if not isinstance(event, FragmentCommitted):
            continue
        now_s = time.monotonic()
        late += fragments > 0 and now_s > plays_until_s
        plays_until_s = (plays_until_s if fragments else now_s) + event.fragment.frames / event.fps
        fragments += 1
    return late, fragments
