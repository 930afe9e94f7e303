"""Work on one raw video, in a process that may die: sound, analysis, clips.

The process leaves three kinds of files from which a later one continues: the analysis, which is
written when the sound is complete; the clips, each with its JSON file last; and the record.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isolation.item import Item
from warm.media.sniff import DamagedMediaError
from warm.training_data.analysis import ANALYSIS_SIDE, Analyser, Analysis
from warm.training_data.check import read_samples
from warm.training_data.clip_frames import ClipFrame, ClipFrames
from warm.training_data.clip_writer import ClipWriter, clip_meta, write_json, write_wav
from warm.training_data.config import FPS, PreprocessConfig
from warm.training_data.contact_sheet import shown_frames, tile, write_sheet
from warm.training_data.errors import TrainingDataError
from warm.training_data.face_network import FaceNetwork
from warm.training_data.layout import ClipPaths, Layout
from warm.training_data.quality import Quality, measure_quality, rejections
from warm.training_data.reader import RejectedByTraining
from warm.training_data.segments import Segment, find_segments
from warm.training_data.source_record import SourceRecord, remove_outputs, sizes_of
from warm.training_data.source_sound import SourceSound, write_sound
from warm.training_data.source_video import open_source_video
from warm.training_data.write_errors import write_errors_explained

REPORT_FRAMES = 25
"""Frames between two reports of progress."""
SOUND_REPORT_S = 60
ANALYSIS_SHARE = 0.6
"""Part of the work that the analysis takes."""

Picture = NDArray[np.uint8]


def source_items(path: Path, **arguments: Any) -> Iterator[Item]:
    """Yield the progress, 0…1, then the record, or an error that ends the whole run."""
    try:
        yield from SourceWork.of(path, arguments).items()
    except TrainingDataError as error:
        yield Item({"error": str(error), "kind": type(error).__name__})


@dataclass(slots=True, eq=False, kw_only=True)
class SourceWork:
    """The work on one raw video."""

    path: Path
    config: PreprocessConfig
    layout: Layout
    models: Path
    record: SourceRecord

    @classmethod
    def of(cls, path: Path, arguments: dict[str, Any]) -> "SourceWork":
        """Return the work that a request describes."""
        config = PreprocessConfig(**arguments["config"])
        record = SourceRecord(key=arguments["key"], file=arguments["file"], name=arguments["name"])
        return cls(
            path=path,
            config=config,
            layout=Layout(config),
            models=Path(arguments["models"]),
            record=record,
        )

    @property
    def folder(self) -> Path:
        """Temporary files of this video."""
        return self.layout.work / self.record.name

    @property
    def analysis_path(self) -> Path:
        """The analysis; its name has the key, so that another configuration does not use it."""
        return self.folder / f"{self.record.key[:16]}.npz"

    def items(self) -> Iterator[Item]:
        """Do the remaining work; yield its progress, then the record."""
        if not self.analysis_path.is_file():
            yield from self._analyse()
        analysis, sound = Analysis.load(self.analysis_path), SourceSound.in_folder(self.folder)
        self.record.frames, self.record.size = analysis.frames, analysis.size.tolist()
        parts, self.record.unusable = find_segments(analysis, self.config, sound.frames)
        self.record.prints = analysis.prints.tolist()
        yield from self._make_clips(analysis, sound, parts)
        self.record.notes = (self.folder / "notes.txt").read_text("utf-8").splitlines()
        self.record.save(self.layout)
        shutil.rmtree(self.folder, ignore_errors=True)
        yield Item({"record": self.record.as_json()})

    def _analyse(self) -> Iterator[Item]:
        with write_errors_explained(self.folder):
            remove_outputs(self.record.name, self.layout)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
        notes: list[str] = []
        yield from self._write_sound(notes)
        analyser = Analyser(self.models, self.config.max_side)
        side = min(self.config.max_side, ANALYSIS_SIDE)
        with open_source_video(self.path, max_side=side, is_exact=False) as video:
            total = max(1, round((video.announced_s or Fraction(60)) * FPS))
            for number, frame in enumerate(video.stored_frames()):
                analyser.add(video, frame)
                if number % REPORT_FRAMES == 0:
                    yield progress(ANALYSIS_SHARE * number / max(total, number))
            notes += video.notes
        with write_errors_explained(self.folder):
            (self.folder / "notes.txt").write_text("\n".join(notes), "utf-8")
        analyser.result().save(self.analysis_path)

    def _write_sound(self, notes: list[str]) -> Iterator[Item]:
        with open_source_video(self.path, max_side=self.config.max_side) as video:
            next(video.frames(), None)
            start_s = video.start_s
        sound, reported_s = SourceSound.in_folder(self.folder), Fraction(0)
        for at_s in write_sound(self.path, sound, start_s=start_s, notes=notes):
            if at_s - reported_s > SOUND_REPORT_S:
                reported_s = at_s
                yield progress(0.0)
        if not sound.frames:
            raise DamagedMediaError(
                f"{self.path} has no sound that can be decoded while its pictures are shown."
            )

    def _make_clips(
        self, analysis: Analysis, sound: SourceSound, segments: list[Segment]
    ) -> Iterator[Item]:
        parts = []
        for segment in segments:
            parts.append(self._judged(analysis, sound, segment))
            yield progress(ANALYSIS_SHARE)
        if not parts:
            return
        with open_source_video(self.path, max_side=self.config.max_side) as video:
            source = ClipSource(analysis, sound, ClipFrames(video), self.config)
            faces = Faces(self.config)
            frames, at = iter(source.frames), 0
            for part in parts:
                shown: Iterator[ClipFrame] = islice(
                    frames, part.segment.start - at, part.segment.stop - at
                )
                at = part.segment.stop
                if not part.reasons:
                    shown = faces.seen(shown, source, part)
                made = self._reject if part.reasons else self._make_clip
                for number, _ in enumerate(made(source, part, shown)):
                    if number % REPORT_FRAMES == 0:
                        share = (part.segment.start + number) / analysis.frames
                        yield progress(ANALYSIS_SHARE + (1 - ANALYSIS_SHARE) * share)
            self.record.embedding = faces.mean()

    def _judged(self, analysis: Analysis, sound: SourceSound, segment: Segment) -> "Part":
        heard = sound.wav_part(segment.start, segment.stop)
        quality = measure_quality(analysis, segment, heard, self.config)
        return Part(segment, quality, rejections(quality, self.config))

    def _make_clip(
        self, source: "ClipSource", part: "Part", frames: Iterator[ClipFrame]
    ) -> Iterator[None]:
        """Write a clip, unless an earlier process wrote it; yield after each frame."""
        paths = self.layout.clip(self.record.name, len(self.record.clips))
        if paths.meta.is_file():
            for _ in frames:
                yield
        else:
            meta = clip_meta(source.analysis, part.segment, paths, self.layout)
            yield from write_clip(paths, frames, source, part.segment)
            write_json(paths.meta, meta)
        try:
            read_samples(paths.meta, self.config.output_root, self.config.min_face_px)
        except RejectedByTraining as rejected:
            self._withdraw(part, paths, rejected)
            return
        entry = {"stem": paths.stem, **part.as_json(), "bytes": sizes_of(paths)}
        self.record.clips.append(entry)

    def _withdraw(self, part: "Part", paths: ClipPaths, why: RejectedByTraining) -> None:
        """Remove a clip that the training would not use."""
        sheet = self.layout.rejected_sheet(self.record.name, len(self.record.rejected))
        with write_errors_explained(paths.meta):
            for path in (paths.meta, paths.wav, paths.mp4):
                path.unlink(missing_ok=True)
            paths.sheet.replace(sheet)
        reasons = [f"the training would reject it: {why}"]
        self.record.rejected.append({"sheet": sheet.stem, **part.as_json(), "reasons": reasons})

    def _reject(
        self, source: "ClipSource", part: "Part", frames: Iterator[ClipFrame]
    ) -> Iterator[None]:
        """Write the sheet of a part that is left out; yield after each frame."""
        path = self.layout.rejected_sheet(self.record.name, len(self.record.rejected))
        sheet = Sheet(source.analysis, part.segment)
        for frame in frames:
            sheet.add(frame)
            yield
        write_sheet(path, sheet.tiles)
        entry = {"sheet": path.stem, **part.as_json(), "reasons": part.reasons}
        self.record.rejected.append(entry)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the video that makes a clip, or is left out for `reasons`."""

    segment: Segment
    quality: Quality
    reasons: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the frames and the quality as JSON values."""
        return {
            "start": self.segment.start,
            "stop": self.segment.stop,
            "quality": self.quality.as_json(),
        }


class Sheet:
    """Collects the tiles of a contact sheet."""

    def __init__(self, analysis: Analysis, segment: Segment) -> None:
        self._analysis, self._frame = analysis, segment.start
        self._shown = set(shown_frames(segment))
        self.tiles: list[Picture] = []

    def add(self, frame: ClipFrame) -> None:
        """Add the next frame of the part."""
        if self._frame in self._shown:
            self.tiles.append(tile(frame.picture(), self._analysis, self._frame))
        self._frame += 1


@dataclass(frozen=True, slots=True)
class ClipSource:
    """The inputs for the clips of a video."""

    analysis: Analysis
    sound: SourceSound
    frames: ClipFrames
    config: PreprocessConfig


class Faces:
    """Embeddings of the faces in clips, if there is a network for them."""

    def __init__(self, config: PreprocessConfig) -> None:
        """Load the network; raises BadPreprocessConfig."""
        path = config.speaker_model
        self._network = None if path is None else FaceNetwork(config.at(path))
        self._rows: list[NDArray[np.float64]] = []

    def seen(
        self, frames: Iterator[ClipFrame], source: ClipSource, part: Part
    ) -> Iterator[ClipFrame]:
        """Yield the frames of a part, and embed those that its contact sheet shows."""
        shown = set(shown_frames(part.segment))
        for at, frame in enumerate(frames, part.segment.start):
            if self._network is not None and at in shown:
                landmarks = source.analysis.landmarks[at]
                self._rows.append(self._network.embedding(frame.picture(), landmarks))
            yield frame

    def mean(self) -> list[float]:
        """Return the mean of the embeddings; empty without a network."""
        if not self._rows:
            return []
        return [round(float(value), 5) for value in np.mean(self._rows, axis=0)]


def write_clip(
    paths: ClipPaths, frames: Iterator[ClipFrame], source: ClipSource, segment: Segment
) -> Iterator[None]:
    """Write the files of a clip except the JSON; yield after each frame.

    Raises TrainingDataError, and DamagedMediaError if there are fewer frames than before.
    """
    sheet, sound = Sheet(source.analysis, segment), source.sound
    width, height = source.analysis.size.tolist()
    colours, at = source.frames.colours, segment.start
    with ClipWriter(paths.mp4, (width, height), colours, source.config) as writer:
        for at, frame in enumerate(frames, segment.start + 1):
            writer.write(frame.encodable(), sound.clip_part(at - 1, at))
            sheet.add(frame)
            yield
        if at != segment.stop:
            raise DamagedMediaError(
                "The video has fewer frames when it is decoded again. Is it being written to? Run "
                "the command again when it is complete."
            )
    write_wav(paths.wav, sound.wav_part(segment.start, segment.stop))
    write_sheet(paths.sheet, sheet.tiles)


def progress(share: float) -> Item:
    """Return a report of progress, 0…1."""
    return Item({"progress": round(share, 4)})
