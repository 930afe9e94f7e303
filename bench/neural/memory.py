"""Memory that an unloaded neural engine frees, and the time of a reload.

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
    """Bytes of a process before its engine is loaded, while it is loaded, and after the unload."""

    before: int
    loaded: int
    unloaded: int
    load_s: float
    """Time of the second load, from cached files."""

    @property
    def given_back_percent(self) -> float:
        """Freed memory as a share of the engine's."""
        return 100 * (self.loaded - self.unloaded) / (self.loaded - self.before)


def measure(out: Path) -> list[Figure]:  # noqa: ARG001  there is no plot
    """Unload an engine of full size as the server does after `unload_idle_seconds`."""
    with TemporaryDirectory() as folder:
        return figures(write_models(Path(folder), tiny=False))


def figures(models: Path) -> list[Figure]:
    """Same as `measure`, with these models."""
    found = measure_in_process(models)
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


def measure_in_process(models: Path) -> Unloading:
    """Measure in a process of its own, in which nothing else uses memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(measure_unload, models).result()


def measure_unload(models: Path) -> Unloading:
    """Load, unload and reload."""
    set_passive_thread_wait()
    import warm.engines.musetalk.pipeline  # noqa: F401, PLC0415  libraries stay loaded, so they are not counted

    engine = MuseTalkEngine(MuseTalkOptions(models_dir=models, device="cpu", precision="fp32"))
    before = resident_bytes()
    engine.load()
    loaded = resident_bytes()
    engine.unload()
    unloaded = resident_bytes()
    started_s = time.monotonic()
    engine.load()
    return Unloading(
        before=before, loaded=loaded, unloaded=unloaded, load_s=time.monotonic() - started_s
    )


def resident_bytes() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
