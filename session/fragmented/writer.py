"""The growing film of one session: pictures and samples in, durable fragments out.

with FilmWriter.open(path) as film:
    clip = film.begin("Hello world")
    clip.write(pictures, samples)
    clip.finish()
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Self

import numpy as np
from numpy.typing import NDArray

from session.audio_encoder import AudioEncoder
from session.closeable import Closeable
from session.errors import ClipEmptyError, ClipOpenError, FilmClosedError, FilmMismatchError
from session.film import (
    SAMPLES_PER_PACKET,
    TICKS_PER_FRAME,
    ClipRecord,
    Committed,
    Cue,
    FilmSpec,
    Fragment,
)
from session.fragmented.boxes import build_fragment
from session.fragmented.fragment_log import FragmentLog, create_film
from session.reader import FilmReader
from session.video_encoder import VideoEncoder

Pictures = Sequence[NDArray[np.uint8]]
"""(h, w, 3) BGR each."""
Samples = NDArray[np.float32]
"""(n,) 48 kHz mono."""

_log = logging.getLogger(__name__)


class FilmWriter(Closeable):
    """The one writer of a film.

    Clips are written by one thread at a time; everything else may be called by any. Encoding
    leaves the interpreter lock to others.
    """

    def __init__(self, path: Path) -> None:
        """Use `create` or `open`."""
        self._fragment_log = FragmentLog(path)
        self._writing = Lock()
        self._clip: FragmentClipWriter | None = None
        try:
            self._sound = self._aligned_sound()
            self._require_same_encoders()
        except BaseException:
            self._fragment_log.close()
            raise

    @classmethod
    def create(cls, path: Path, spec: FilmSpec) -> Self:
        """A new film in an existing folder, in place as a whole or not at all.

        Raises FilmExistsError, FilmFullError, and FilmDiskError where the folder is missing,
        read-only or broken.
        """
        create_film(path, spec)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Go on with a film, after cutting off what a crash left unacknowledged.

        Raises FilmMissingError, FilmBusyError where another writer holds it, FilmDamagedError
        where it is no film of ours, FilmMismatchError where these encoders cannot continue it,
        FilmFullError and FilmDiskError where it cannot be mended now.
        """
        film = cls(path)
        film._log_recovery()
        return film

    @property
    def path(self) -> Path:
        """Where the film lies."""
        return self._fragment_log.path

    @property
    def spec(self) -> FilmSpec:
        """What the film was created with."""
        return self._fragment_log.init_segment.spec

    @property
    def alignment_frames(self) -> int:
        """Frames that a clip should have a multiple of: any number will do."""
        return 1

    @property
    def film_id(self) -> str:
        """Drawn at creation, kept in the file: what `ranges.etag` takes."""
        return self._fragment_log.init_segment.film_id

    @property
    def init_bytes(self) -> int:
        """Length of the init segment: the first fragment begins at this offset."""
        return len(self._fragment_log.init_segment.data)

    @property
    def codecs(self) -> str:
        """For the media type: `video/mp4; codecs="…"`."""
        return self._fragment_log.init_segment.codecs

    @property
    def committed(self) -> Committed:
        """What is durable now."""
        return self._fragment_log.committed()

    @property
    def is_closed(self) -> bool:
        """Whether no byte will be added any more: closed, deleted, moved, or the disk failed."""
        return self._fragment_log.is_closed

    def is_in_place(self) -> bool:
        """Whether an open film still lies at its path, with its journal: nothing removed it."""
        return self._fragment_log.is_in_place()

    def wait_past(self, end: int, timeout_s: float) -> int:
        """Block until the committed end passes byte `end`; returns the committed end.

        A result of `end` or less means that the time is up or the film is closed.
        """
        return self._fragment_log.wait_past(end, timeout_s)

    def fragments_since(self, offset: int) -> list[Fragment]:
        """The committed fragments that begin at byte `offset` or later, in order."""
        return self._fragment_log.fragments_since(offset)

    def cues(self) -> list[Cue]:
        """The sentences that are heard in what is committed, in order.

        A finished clip that was written without cues is one cue. The last cue of a clip in the
        making ends where the film ends now.
        """
        return self._fragment_log.cues()

    def reader(self) -> FilmReader:
        """This film's bytes for one reader, who keeps them through a reset."""
        return self._fragment_log.reader()

    def begin(self, text: str) -> "FragmentClipWriter":
        """Start a clip; nothing of it is on disk before its first `write`."""
        if self._clip is not None:
            raise ClipOpenError("A clip is open; finish or abandon it before the next begins.")
        if self.is_closed:
            raise FilmClosedError(f"The film {self.path} is closed; open it again to go on.")
        self._clip = FragmentClipWriter(self, text)
        return self._clip

    def close(self) -> None:
        """End after the fragment that is being written; an open clip ends there."""
        with self._writing:
            self._fragment_log.close()

    def delete(self) -> None:
        """Close, and remove the film and its journal. Readers keep what they have open."""
        with self._writing:
            self._fragment_log.delete()

    def move(self, target: Path) -> None:
        """Close, and keep the film as an archive at `target`, on the same file system."""
        with self._writing:
            self._fragment_log.move(target)

    def _aligned_sound(self) -> AudioEncoder:
        """An encoder that goes on exactly where the committed sound ends.

        The last 61 ms at most were still inside the encoder before; zeros take their place.
        """
        frames, samples = self._fragment_log.totals
        return AudioEncoder(lead_in=frames * self.spec.samples_per_frame - samples)

    def _require_same_encoders(self) -> None:
        init_segment = self._fragment_log.init_segment
        ours = (VideoEncoder(self.spec).avcc, self._sound.audio_config)
        if ours != (init_segment.avcc, init_segment.audio_config):
            raise FilmMismatchError(
                f"The film {self.path} was encoded with other parameters than this program's;"
                " start a new film (the old one still plays)."
            )

    def _append(
        self,
        encoder: VideoEncoder,
        pictures: Pictures,
        samples: Samples,
        text: str | None,
        cues: Sequence[Cue],
        should_stop: Callable[[], bool],
    ) -> Fragment:
        with self._writing:
            first_frame = self._fragment_log.totals[0]
            require_matching_media(self.spec, pictures, samples)
            require_cues_in_range(cues, first_frame=first_frame, frames=len(pictures))
            try:
                video = encoder.encode(pictures, should_stop)
                heard = samples[: len(video) * self.spec.samples_per_frame]
                begun = [cue for cue in cues if cue.first_frame < first_frame + len(video)]
                return self._append_fitting(video, heard, text, begun)
            except BaseException:
                self._sound = self._aligned_sound()  # the old one holds what the film does not
                raise

    def _append_fitting(
        self, video: list[bytes], samples: Samples, text: str | None, cues: Sequence[Cue]
    ) -> Fragment:
        frames_before, samples_before = self._fragment_log.totals
        sound = self._sound.encode(samples)
        data = build_fragment(
            self._fragment_log.sequence,
            pictures=video,
            sound=sound,
            starts=(frames_before * TICKS_PER_FRAME, samples_before),
        )
        return self._fragment_log.append(
            data,
            frames=len(video),
            samples=len(sound) * SAMPLES_PER_PACKET,
            text=text,
            cues=cues,
        )

    def _end_clip(self) -> ClipRecord | None:
        self._clip = None
        return self._fragment_log.close_clip()

    def _log_recovery(self) -> None:
        recovered = self._fragment_log.recovered
        if recovered.cut_bytes:
            kept = f"they are in {recovered.kept}" if recovered.kept else "nobody was told of them"
            _log.warning("%s: cut %d bytes off; %s", self.path, recovered.cut_bytes, kept)
        if recovered.journal_repair.lines:
            _log.warning("%s: %s", self.path, recovered.journal_repair)
        if recovered.journal_was_lost:
            _log.warning("%s: made the lost journal again; some clips lost their text", self.path)


class FragmentClipWriter:
    """One clip in the making. One thread at a time; the next clip may come from another."""

    def __init__(self, film: FilmWriter, text: str) -> None:
        self._film = film
        self._text = text
        self._encoder = VideoEncoder(film.spec)  # 10 MB and some threads: not for a quiet film
        self._is_begun = False
        self._is_open = True

    def write(
        self,
        pictures: Pictures,
        samples: Samples,
        cues: Sequence[Cue] = (),
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Fragment:
        """Append one fragment; on disk, and told to watchers, on return.

        `pictures`: one or more (h, w, 3) uint8 BGR of the film's size. `samples`: float32 of
        shape (len(pictures) * samples_per_frame,), 48 kHz mono in -1..1; what is louder is clipped
        by players. `cues`: the sentences that begin on these pictures, each with all the frames of
        the film on which it will be heard; where the clip ends early, the cue ends with it.
        `should_stop` is called on this thread before every picture but the first; when it returns
        True, the fragment ends there and the remaining pictures and samples are dropped.

        Raises ValueError for anything else, FilmFullError (an OSError) when there is no room,
        FilmDiskError (another) when the disk fails, FilmGoneError when the film was removed from
        its path, FilmClosedError after `close`, `finish` and `abandon`.
        After an error the film is as it was before the call; after ValueError and FilmFullError
        the clip may go on.
        """
        self._require_open()
        text = None if self._is_begun else self._text
        fragment = self._film._append(self._encoder, pictures, samples, text, cues, should_stop)
        self._is_begun = True
        return fragment

    def finish(self) -> ClipRecord:
        """End a clip of one or more fragments. Writes nothing: the fragments are all there is."""
        self._require_open()
        record = self.abandon()
        if record is None:
            raise ClipEmptyError("Nothing of the clip was written; abandon it instead.")
        return record

    def abandon(self) -> ClipRecord | None:
        """End the clip where it is: what is committed stays. None where that is nothing, or
        where the clip had ended."""
        if not self._is_open:
            return None
        self._is_open = False
        del self._encoder
        return self._film._end_clip()

    def _require_open(self) -> None:
        if not self._is_open:
            raise FilmClosedError("The clip has ended; begin another.")


def require_matching_media(spec: FilmSpec, pictures: Pictures, samples: Samples) -> None:
    """Raise ValueError unless a film of this kind takes these pictures and their sound."""
    shape = (spec.height, spec.width, 3)
    if not pictures:
        raise ValueError("pictures is empty; a fragment takes one or more.")
    for picture in pictures:
        if picture.shape != shape or picture.dtype != np.uint8:
            raise ValueError(
                f"A picture is {picture.shape} {picture.dtype}; this film takes {shape} uint8."
            )
    expected = (len(pictures) * spec.samples_per_frame,)
    if samples.shape != expected or samples.dtype != np.float32:
        raise ValueError(
            f"samples is {samples.shape} {samples.dtype}; {len(pictures)} pictures take"
            f" {expected} float32."
        )
    if not np.isfinite(samples).all():
        raise ValueError("samples holds NaN or infinity; every sample must be finite.")


def require_cues_in_range(cues: Sequence[Cue], *, first_frame: int, frames: int) -> None:
    """Raise ValueError unless every cue begins on these frames of the film."""
    for cue in cues:
        if not first_frame <= cue.first_frame < first_frame + frames or cue.frames < 1:
            raise ValueError(
                f"A cue begins at frame {cue.first_frame} and lasts {cue.frames}; it must begin"
                f" on these pictures, {first_frame} to {first_frame + frames - 1}, and last 1 or"
                " more."
            )
