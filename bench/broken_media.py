"""Broken photos, videos and sound files: each is used or refused with a documented error."""

import random
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.broken_files import PHOTOS, SOUNDS, broken, write_whole_files
from bench.figure import Figure
from isolation.item import Item
from isolation.reading import ReadFailed, ReadLimits, read_isolated
from warm.media.audio_decoder import AudioDecoder
from warm.media.photo import read_photo
from warm.media.sniff import MediaError
from warm.media.video import open_video

FILES = 3000
SEED = 1
LIMITS = ReadLimits(item_cpu_s=30.0, item_s=120.0)
LONGEST_S = 10.0
"""Goal for the longest read."""
PROCESSES = 2
BATCH = 100
"""Files that one process reads."""
FPS, MAX_SIDE, MAX_FRAMES, RATE_HZ = 25, 512, 500, 48_000
MAX_CHUNKS = 600
"""Seconds of sound that are read of a file; a damaged header may announce any number."""


@dataclass(slots=True)
class Outcomes:
    """Results of all files."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    longest_s: float = 0.0


class _Never(Exception):
    """No reader raises this: every error is an outcome."""


def measure(_: Path) -> list[Figure]:
    """Read FILES broken files, and count the outcomes."""
    outcomes = read_all(FILES, seed=SEED)
    for line in (*outcomes.faults, *outcomes.deaths):
        print(line)
    print(f"broken files: {dict(outcomes.counts)}")
    name = "broken media files: "
    return [
        Figure.at_most(f"{name}unexpected errors", len(outcomes.faults), "", 0, FILES),
        Figure.at_most(f"{name}crashed or stopped decoders", len(outcomes.deaths), "", 0, FILES),
        Figure.at_most(f"{name}longest read", outcomes.longest_s, "s", LONGEST_S, FILES),
    ]


def read_all(files: int, *, seed: int) -> Outcomes:
    """Read broken files in several processes that may die."""
    outcomes = Outcomes()
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        folder = Path(name)
        write_whole_files(folder)
        with ThreadPoolExecutor(PROCESSES) as pool:
            for items in pool.map(
                lambda first: list(read_batch(folder, seed, first, min(first + BATCH, files))),
                range(0, files, BATCH),
            ):
                for outcome, detail, took_s in items:
                    record(outcomes, outcome, detail, took_s)
    return outcomes


def record(outcomes: Outcomes, outcome: str, detail: str, took_s: float) -> None:
    """Add the result of a file."""
    outcomes.counts[outcome] += 1
    outcomes.longest_s = max(outcomes.longest_s, took_s)
    if outcome == "fault":
        outcomes.faults.append(detail)
    if outcome == "death":
        outcomes.deaths.append(detail)


def read_batch(folder: Path, seed: int, first: int, last: int) -> Iterator[tuple[str, str, float]]:
    """Yield outcome, detail and duration of each file; a process that dies is replaced."""
    while first < last:
        items = read_isolated(
            outcomes_of, folder, raises=_Never, limits=LIMITS, seed=seed, first=first, last=last
        )
        try:
            for item in items:
                first += 1
                yield item.facts["outcome"], item.facts["detail"], item.facts["took_s"]
        except ReadFailed as error:
            yield "death", f"file {first} of seed {seed}: {error}", 0.0
            first += 1


def outcomes_of(path: Path, *, seed: int, first: int, last: int) -> Iterator[Item]:
    """Read the files `first` to `last`, made of the whole files in the folder `path`."""
    sources = sorted(each for each in path.iterdir() if each.suffix != ".broken")
    whole = [each.read_bytes() for each in sources]
    target = path / f"{first}.broken"
    warnings.simplefilter("error")
    for number in range(first, last):
        index, data = broken(whole, random.Random(f"{seed} {number}"))
        target.write_bytes(data)
        began_s = time.perf_counter()
        outcome, detail = read_one(target, sources[index].name)
        took_s = time.perf_counter() - began_s
        detail = f"file {number} of seed {seed}, {sources[index].name}: {detail}"
        yield Item({"outcome": outcome, "detail": detail, "took_s": took_s})


def read_one(path: Path, kind: str) -> tuple[str, str]:
    """Return "used", "refused" or "fault", and the message."""
    outcome, detail = "refused", ""
    for reader in readers_of(kind):
        try:
            reader(path)
        except (MediaError, MemoryError) as error:  # `isolation` reports the latter
            detail = detail or str(error)
        except Exception as error:  # noqa: BLE001 - this is what is counted
            return "fault", f"{reader.__name__}: {type(error).__name__}: {error}"
        else:
            outcome = "used"
    return outcome, detail


def readers_of(kind: str) -> tuple[Callable[[Path], None], ...]:
    """Return the readers that the product uses for a file."""
    if kind in PHOTOS:
        return (see_photo,)
    return (hear,) if kind in SOUNDS else (see_video, hear)


def hear(path: Path) -> None:
    """Decode sound."""
    decoder = AudioDecoder(path, rate_hz=RATE_HZ)
    for _ in islice(decoder.chunks(), MAX_CHUNKS):
        pass
    assert decoder.notes is not None


def see_video(path: Path) -> None:
    """Decode pictures of a video."""
    with open_video(path, fps=FPS, max_side=MAX_SIDE) as video:
        for _ in islice(video.frames(), MAX_FRAMES):
            pass


def see_photo(path: Path) -> None:
    """Decode a photo."""
    read_photo(path, max_side=MAX_SIDE)
