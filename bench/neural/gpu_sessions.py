"""Sessions that speak at once in real time, on the server's own render thread and encoders."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.neural.gpu_rig import Rig
from bench.neural.synthetic_voice import SENTENCE_S, SyntheticVoices
from warm.render.jobs import FragmentCommitted, SpeakJob
from warm.runtime import Runtime

LEAD_S = 1.0
"""Time by which frames are rendered ahead of playback, as in an interruptible session."""
WARM_TIMEOUT_S = 180


@dataclass(slots=True, kw_only=True)
class RealTimeResult:
    """Result of `find_session_limit`."""

    fps: int
    late: dict[int, int]
    """Late fragments by the number of sessions."""
    fragments: int = 0

    @property
    def max_sessions(self) -> int:
        """Largest measured number of sessions below the smallest number with late fragments."""
        faulty = min((count for count, late in self.late.items() if late), default=1 << 30)
        return max((count for count in self.late if count < faulty), default=0)


def find_session_limit(rig: Rig, counts: Sequence[int], *, seconds: float) -> RealTimeResult:
    """Increase the number of sessions until one is late; decrease it if the first was too large."""
    settings = rig.settings(min_free_mb=0.0)
    engine = rig.engine()
    runtime = Runtime(
        settings=settings, avatar=rig.avatar(), engine=engine, voices=SyntheticVoices()
    )
    runtime.start()
    try:
        if not runtime.wait_until_warm(WARM_TIMEOUT_S):
            raise RuntimeError(f"not warm: {runtime.health().reason}")
        result = RealTimeResult(fps=settings.fps, late={})
        for count in counts:
            run_sessions(runtime, count, seconds, result)
            if result.late[count]:
                break
        for count in smaller_counts(counts[0]) if result.late[counts[0]] else ():
            run_sessions(runtime, count, seconds, result)
            if not result.late[count]:
                break
        return result
    finally:
        runtime.close()
        runtime.wait_until_ended(settings.stop_s)
        engine.unload()


def smaller_counts(count: int) -> Sequence[int]:
    """Three quarters, half and a quarter of a number."""
    return [count * part // 4 for part in (3, 2, 1) if count * part // 4]


def run_sessions(runtime: Runtime, count: int, seconds: float, result: RealTimeResult) -> None:
    """Let `count` new sessions speak at once, and follow each as a player does."""
    text = " ".join(["hum"] * max(1, round(seconds / SENTENCE_S)))
    choice = runtime.choose()
    lookup = runtime.sessions.registry.lookup
    jobs = [
        runtime.speak(lookup(f"sessions-{count}-{number}"), text, choice, lead_s=LEAD_S)
        for number in range(count)
    ]
    with ThreadPoolExecutor(count) as watchers:
        seen = list(watchers.map(count_late_fragments, jobs))
    result.late[count] = sum(late for late, _ in seen)
    result.fragments += sum(fragments for _, fragments in seen)


def count_late_fragments(job: SpeakJob) -> tuple[int, int]:
    """(late, all) fragments of a job that is played from its first fragment on."""
    plays_until_s, late, fragments = 0.0, 0, 0
    for event in job.events():
        if not isinstance(event, FragmentCommitted):
            continue
        now_s = time.monotonic()
        late += fragments > 0 and now_s > plays_until_s
        plays_until_s = (plays_until_s if fragments else now_s) + event.fragment.frames / event.fps
        fragments += 1
    return late, fragments
