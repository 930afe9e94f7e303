"""What an unloaded neural engine gives back of the computer's memory, and how it comes again.

On the CPU, with random weights of full size: 4 GB of disk, 6 GB of memory and some minutes.
"""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figure import Figure
from bench.neural.random_models import write_models
from warm.engines.musetalk.engine import MuseTalkEngine, set_passive_thread_wait
from warm.engines.musetalk.options import MuseTalkOptions

GOAL_PERCENT = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloading:
    """Bytes of a process before its engine was loaded, with it, and without it again."""

    before: int
    loaded: int
    unloaded: int
    load_s: float
    """The second time, from files that the system has at hand."""

    @property
    def given_back_percent(self) -> float:
        """Of what the engine took."""
        return 100 * (self.loaded - self.unloaded) / (self.loaded - self.before)


def measure(out: Path) -> list[Figure]:  # noqa: ARG001  no plot says more than the numbers
    """Unload an engine of full size as the server does after `unload_idle_seconds`."""
    with TemporaryDirectory() as folder:
        return figures(write_models(Path(folder), tiny=False))


def figures(models: Path) -> list[Figure]:
    """As `measure`, with these models."""
    found = apart(models)
    print(f"    loaded again in {found.load_s:.1f} s")
    return [
        Figure(
            name="neural engine, CPU: idle unload -> memory given back",
            value=found.given_back_percent,
            unit="%",
            goal=GOAL_PERCENT,
            better="higher",
            n=1,
        )
    ]


def apart(models: Path) -> Unloading:
    """In a process of its own, in which nothing else takes memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(unloading, models).result()


def unloading(models: Path) -> Unloading:
    """Load, unload and load again."""
    set_passive_thread_wait()
    import warm.engines.musetalk.pipeline  # noqa: F401, PLC0415  libraries stay, so they do not count

    engine = MuseTalkEngine(MuseTalkOptions(models_dir=models, device="cpu", precision="fp32"))
    before = resident()
    engine.load()
    loaded = resident()
    engine.unload()
    unloaded = resident()
    began_s = time.monotonic()
    engine.load()
    return Unloading(
        before=before, loaded=loaded, unloaded=unloaded, load_s=time.monotonic() - began_s
    )


def resident() -> int:
    """Bytes of this process that lie in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
