"""A run over all raw videos: processes, progress, lists, report."""

import fcntl
import shutil
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Lock
from typing import Any, NoReturn

from tqdm import tqdm

from isolation.reading import ReadLimits
from warm.face.models import check_models
from warm.media.isolated import DecoderFailedError, decode_isolated
from warm.media.sniff import MediaError
from warm.training_data import errors as errors_module
from warm.training_data.config import PreprocessConfig
from warm.training_data.errors import (
    OutputBusyError,
    TrainingDataError,
)
from warm.training_data.face_network import FaceNetwork
from warm.training_data.layout import Layout
from warm.training_data.lists import write_lists
from warm.training_data.report import write_report
from warm.training_data.source_program import source_items
from warm.training_data.source_record import (
    SourceRecord,
    finished_record,
    key_of,
    remove_outputs,
)
from warm.training_data.sources import Source, find_sources, printable, require_folder
from warm.training_data.speakers import find_speakers, with_validation
from warm.training_data.write_errors import write_errors_explained

LIMITS = ReadLimits(item_cpu_s=120.0, item_s=900.0, memory_bytes=6 << 30)
"""Of the process that works on a video, from one report of its progress to the next. The longest
step is to read a finished clip as the training does."""


@contextmanager
def exclusive(layout: Layout) -> Iterator[None]:
    """Create the folders and lock them for this run; raises TrainingDataError."""
    for folder in layout.folders:
        with write_errors_explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
    path = layout.report / "run.lock"
    with write_errors_explained(path), path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputBusyError(
                f"Another run is writing to {layout.report}. Wait for it, or end it."
            ) from error
        yield


class Run:
    """One run. `make` is called once, from one thread."""

    def __init__(self, config: PreprocessConfig, models: Path) -> None:
        self._config, self._models = config, models
        self._layout = Layout(config)
        self._stop, self._lock = Event(), Lock()
        self._error: TrainingDataError | None = None

    def make(self, sources: list[Source]) -> list[SourceRecord]:
        """Make the clips of all sources that are not finished; return all records in order.

        Raises TrainingDataError and FaceModelError.
        """
        check_models(self._models)
        if self._config.speaker_model is not None:
            FaceNetwork(self._config.at(self._config.speaker_model))
        done = {s.name: finished_record(s, self._config, self._layout) for s in sources if s.name}
        waiting = largest_first(s for s in sources if s.name and done[s.name] is None)
        total = sum(source.path.stat().st_size for source in waiting)
        with self._bar(total) as bar, ThreadPoolExecutor(self._config.processes) as pool:
            try:
                for record in pool.map(lambda source: self._one(source, bar), waiting):
                    if record is not None:
                        done[record.name] = record
            finally:
                self._stop.set()
        if self._error is not None:
            raise self._error
        return [self._record_of(source, done) for source in sources]

    @staticmethod
    def _bar(total: int) -> "tqdm[NoReturn]":
        """Progress and remaining time, by the sizes of the files."""
        return tqdm(
            total=total,
            unit="B",
            unit_scale=True,
            desc="videos",
            file=sys.stderr,
            disable=not total,
            mininterval=1.0 if sys.stderr.isatty() else 30.0,
        )

    def _record_of(self, source: Source, done: dict[str, SourceRecord | None]) -> SourceRecord:
        record = done.get(source.name) if source.name else None
        if record is None:
            return SourceRecord(key="", file=source.shown, name="", problem=source.problem)
        record.file = source.shown  # the file may have been moved since
        return record

    def _one(self, source: Source, bar: "tqdm[NoReturn]") -> SourceRecord | None:
        """Work on one source; None if the run was stopped."""
        if self._stop.is_set():
            return None
        try:
            return self._work(source, bar)
        except MediaError as error:
            return self._failed(source, error)
        except TrainingDataError as error:
            self._error = self._error or error
            self._stop.set()
            return None

    def _work(self, source: Source, bar: "tqdm[NoReturn]") -> SourceRecord | None:
        size, shown = source.path.stat().st_size, 0
        arguments: dict[str, Any] = {
            "config": self._config.model_dump(mode="json"),
            "key": key_of(source, self._config),
            "file": source.shown,
            "name": source.name,
            "models": str(self._models),
        }
        try:
            with closing(
                decode_isolated(source_items, source.path, limits=LIMITS, **arguments)
            ) as items:
                for facts, _ in items:
                    if self._stop.is_set():
                        return None
                    if "error" in facts:
                        raise getattr(errors_module, facts["kind"])(facts["error"])
                    if "record" in facts:
                        return SourceRecord(**facts["record"])
                    now = int(size * facts["progress"])
                    self._show(bar, max(0, now - shown))
                    shown = max(shown, now)
        finally:
            self._show(bar, size - shown)
        raise DecoderFailedError(f"The process that worked on {source.path} ended too early.")

    def _show(self, bar: "tqdm[NoReturn]", more: int) -> None:
        with self._lock:
            bar.update(more)

    def _failed(self, source: Source, error: MediaError) -> SourceRecord:
        """Record a file that cannot be used."""
        record = SourceRecord(
            key=key_of(source, self._config),
            file=source.shown,
            name=source.name,
            problem=printable(str(error)),
            is_final=not isinstance(error, DecoderFailedError),
        )
        with suppress(OSError):
            remove_outputs(source.name, self._layout)
        shutil.rmtree(self._layout.work / source.name, ignore_errors=True)
        try:
            record.save(self._layout)
        except TrainingDataError as failure:
            self._error = self._error or failure
            self._stop.set()
        return record


def largest_first(sources: Iterable[Source]) -> list[Source]:
    """Return sources by the sizes of their files.

    A long video that is begun last would keep one process busy while the others have ended.
    """
    return sorted(sources, key=lambda source: source.path.stat().st_size, reverse=True)


def run_preprocessing(config: PreprocessConfig, models: Path) -> list[SourceRecord]:
    """Preprocess all raw videos, write lists and report; return the records in order.

    Raises TrainingDataError and FaceModelError.
    """
    layout = Layout(config)
    require_folder(config)
    with exclusive(layout):
        sources = find_sources(config, layout)
        records = Run(config, models).make(sources)
        speakers = with_validation(find_speakers(records, config), config)
        write_lists(records, speakers, config)
        write_report(records, speakers, config)
    return records
