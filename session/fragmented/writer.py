"""Writer of a growing film: encodes pictures and samples into durable fragments.

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

from session.audio_encoder import AudioEncoder
from session.clip_input import (
    Pictures,
    Samples,
    require_cues_in_range,
    require_matching_media,
)
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
from session.fragmented.film_files import create_film
from session.fragmented.fragment_log import FragmentLog
from session.reader import FilmReader
from session.video_encoder import PRESET, Preset, VideoEncoder

_log = logging.getLogger(__name__)


class FilmWriter(Closeable):
    """The only writer of a film.

    One thread at a time writes clips; everything else is thread-safe. Encoding releases the
    interpreter lock.
    """

    def __init__(self, path: Path, *, is_durable: bool = True) -> None:
        """Use `create` or `open`."""
        self._fragment_log = FragmentLog(path, is_durable=is_durable)
        self._writing = Lock()
        self._clip: FragmentClipWriter | None = None
        try:
            self._audio_encoder = self._new_audio_encoder()
            self._require_same_encoders()
        except BaseException:
            self._fragment_log.close()
            raise

    @classmethod
    def create(cls, path: Path, spec: FilmSpec, *, is_durable: bool = True) -> Self:
        """Create a film in an existing folder, atomically.

        Without `is_durable`, fragments are not synced one by one: a power cut may lose the film.
        Raises FilmExistsError, FilmFullError, and FilmDiskError if the folder is missing or cannot
        be written to.
        """
        create_film(path, spec)
        return cls(path, is_durable=is_durable)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a film to continue it, after truncating unacknowledged bytes that a crash left.

        Raises FilmMissingError, FilmBusyError if another writer holds it, FilmDamagedError if the
        file is not a session film, FilmMismatchError if these encoders cannot continue it, and
        FilmFullError and FilmDiskError if its recovery fails.
        """
        film = cls(path)
        film._log_recovery()
        return film

    @property
    def path(self) -> Path:
        """Path of the film."""
        return self._fragment_log.path

    @property
    def spec(self) -> FilmSpec:
        """Format of the film."""
        return self._fragment_log.init_segment.spec

    @property
    def alignment_frames(self) -> int:
        """Number of frames that clips should be a multiple of; here any length is allowed."""
        return 1

    @property
    def film_id(self) -> str:
        """Identity chosen at creation, stored in the file; argument of `byte_ranges.etag`."""
        return self._fragment_log.init_segment.film_id

    @property
    def init_bytes(self) -> int:
        """Length of the init segment; the first fragment begins at this offset."""
        return len(self._fragment_log.init_segment.data)

    @property
    def codecs(self) -> str:
        """The `codecs` parameter of the media type `video/mp4`."""
        return self._fragment_log.init_segment.codecs

    @property
    def committed(self) -> Committed:
        """Durable part of the film."""
        return self._fragment_log.committed()

    @property
    def damage(self) -> tuple[str, ...]:
        """Descriptions of damaged fragments that have been found so far; they are not served."""
        return self._fragment_log.damage

    @property
    def is_closed(self) -> bool:
        """True if no more bytes will be added: closed, deleted, moved, or the disk failed."""
        return self._fragment_log.is_closed

    def is_in_place(self) -> bool:
        """Return True if the open film and its journal are still at their paths."""
        return self._fragment_log.is_in_place()

    def wait_past(self, end: int, timeout_s: float) -> int:
        """Wait until the committed end passes byte `end`, and return the committed end.

        A result of `end` or less means that the time is up or the film is closed.
        """
        return self._fragment_log.wait_past(end, timeout_s)

    def fragments_since(self, offset: int) -> list[Fragment]:
        """Return the committed fragments that begin at byte `offset` or later, in order."""
        return self._fragment_log.fragments_since(offset)

    def cues(self) -> list[Cue]:
        """Return the cues of the committed frames, in order.

        A finished clip that was written without cues counts as one cue. The last cue of an open
        clip ends at the committed end.
        """
        return self._fragment_log.cues()

    def reader(self) -> FilmReader:
        """Open the committed bytes for one reader, which keeps them through a reset."""
        return self._fragment_log.reader()

    def begin(self, text: str, preset: Preset = PRESET) -> "FragmentClipWriter":
        """Start a clip, encoded with `preset`; its first `write` adds bytes to the film."""
        if self._clip is not None:
            raise ClipOpenError("A clip is open; finish or abandon it before starting another.")
        self._require_open()
        self._clip = FragmentClipWriter(self, text, preset)
        return self._clip

    def close(self) -> None:
        """Close the film after the fragment that is being written; an open clip ends there."""
        with self._writing:
            self._fragment_log.close()
            self._audio_encoder.close()

    def delete(self) -> None:
        """Close and remove the film and its journal. Open readers keep their bytes."""
        with self._writing:
            self._fragment_log.delete()
            self._audio_encoder.close()

    def move(self, target: Path) -> None:
        """Close the film and move it to `target`, on the same file system."""
        with self._writing:
            self._fragment_log.move(target)
            self._audio_encoder.close()

    def _require_open(self) -> None:
        if self.is_closed:
            raise FilmClosedError(f"The film {self.path} is closed; open it again to continue.")

    def _new_audio_encoder(self) -> AudioEncoder:
        """Create an encoder that continues exactly at the end of the committed sound.

        Zeros replace the sound that the previous encoder had buffered, at most 61 ms.
        """
        frames, samples = self._fragment_log.totals
        return AudioEncoder(lead_in=frames * self.spec.samples_per_frame - samples)

    def _require_same_encoders(self) -> None:
        init_segment = self._fragment_log.init_segment
        current = (VideoEncoder(self.spec).avcc, self._audio_encoder.audio_config)
        if current != (init_segment.avcc, init_segment.audio_config):
            raise FilmMismatchError(
                f"The film {self.path} was encoded with other parameters than those of this"
                " program; start a new film (the old one still plays)."
            )

    def _append(
        self,
        encode: Callable[[], list[bytes]],
        pictures: Pictures,
        samples: Samples,
        text: str | None,
        cues: Sequence[Cue],
    ) -> Fragment:
        with self._writing:
            self._require_open()
            first_frame = self._fragment_log.totals[0]
            require_matching_media(self.spec, pictures, samples)
            begun = self._fragment_log.open_cues
            require_cues_in_range(cues, first_frame=first_frame, frames=len(pictures), begun=begun)
            try:
                video = encode()
                encoded_samples = samples[: len(video) * self.spec.samples_per_frame]
                started_cues = [cue for cue in cues if cue.first_frame < first_frame + len(video)]
                return self._append_encoded(video, encoded_samples, text, started_cues)
            except BaseException:
                # The old encoder has buffered uncommitted sound.
                self._audio_encoder = self._new_audio_encoder()
                raise

    def _append_encoded(
        self, video: list[bytes], samples: Samples, text: str | None, cues: Sequence[Cue]
    ) -> Fragment:
        frames_before, samples_before = self._fragment_log.totals
        sound = self._audio_encoder.encode(samples)
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
            kept = f"saved in {recovered.kept}" if recovered.kept else "never acknowledged"
            _log.warning("%s: truncated %d bytes; %s", self.path, recovered.cut_bytes, kept)
        if recovered.journal_repair.lines:
            _log.warning("%s: %s", self.path, recovered.journal_repair)
        if recovered.journal_was_lost:
            _log.warning("%s: recreated the lost journal; some clips lost their text", self.path)


class FragmentClipWriter:
    """Open clip. One thread at a time; the next clip may use another thread."""

    def __init__(self, film: FilmWriter, text: str, preset: Preset) -> None:
        self._film = film
        self._text = text
        # Only while a clip is open: it takes 10 MB and some threads.
        self._encoder = VideoEncoder(film.spec, preset)
        self._has_fragments = False
        self._is_open = True

    def write(
        self,
        pictures: Pictures,
        samples: Samples,
        cues: Sequence[Cue] = (),
        should_stop: Callable[[], bool] = lambda: False,
        on_encoded: Callable[[], None] = lambda: None,
    ) -> Fragment:
        """Append one fragment; durable and published on return.

        `pictures`: one or more (h, w, 3) uint8 BGR of the film's size. `samples`: float32 of
        shape (len(pictures) * samples_per_frame,), 48 kHz mono in -1..1; players clip louder ones.
        `cues`: the sentences that begin on these pictures, each with its planned frames; if the
        clip ends early, the cue ends with it. A cue with the first frame of an earlier one of the
        clip replaces it.
        `should_stop` is called on this thread before every picture but the first; when it returns
        True, the fragment ends there and the remaining pictures and samples are dropped.
        `on_encoded` is called before the fragment is written to the disk.

        Raises ValueError for invalid arguments, FilmFullError (an OSError) if the disk is full,
        FilmDiskError (an OSError) if the disk fails, FilmGoneError if the film was removed from
        its path, and FilmClosedError after `close`, `finish` and `abandon`.
        After an error the film is unchanged; after ValueError and FilmFullError the clip can be
        continued.
        """
        self._require_open()
        text = None if self._has_fragments else self._text

        def encode() -> list[bytes]:
            video = self._encoder.encode(pictures, should_stop)
            on_encoded()
            return video

        fragment = self._film._append(encode, pictures, samples, text, cues)
        self._has_fragments = True
        return fragment

    def finish(self) -> ClipRecord:
        """End a clip of one or more fragments; writes nothing."""
        self._require_open()
        record = self.abandon()
        if record is None:
            raise ClipEmptyError("The clip has no pictures yet; abandon it instead.")
        return record

    def abandon(self) -> ClipRecord | None:
        """End the clip and keep its committed fragments; None if there are none, or if the clip
        has ended."""
        if not self._is_open:
            return None
        self._is_open = False
        del self._encoder
        return self._film._end_clip()

    def _require_open(self) -> None:
        if not self._is_open:
            raise FilmClosedError("The clip has ended; begin another.")
