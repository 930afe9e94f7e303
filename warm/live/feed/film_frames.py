"""Frames of a film, read from its file: those that were rendered before a viewer joined."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from session.colour_matrix import colour_matrix
from session.errors import FilmDamagedError
from session.film import SAMPLE_RATE_HZ, TICKS_PER_FRAME, Fragment
from session.fragmented.damage import fragments_of
from session.fragmented.init_segment import read_init_segment
from session.fragmented.journal import JournalEntry, journal_path, read_journal
from session.media_file import open_media
from warm.avatars.avatar import Shown
from warm.live.feed.played_clip import FilmFrame


class FilmFrames:
    """Reader of one growing film. One thread at a time.

    A film is read by its fragments, which begin with a key frame. The sound of a fragment's last
    pictures is in the next one.
    """

    def __init__(self, path: Path, fps: int, loop: Callable[[int], Shown]) -> None:
        """`loop`: the avatar's idle loop, which stands for the unknown places of the head."""
        self._path, self._fps, self._loop = path, fps, loop
        self._fragments: list[Fragment] = []
        self._film_id: str | None = None
        self._scaler = VideoReformatter()

    def read(self, first: int, *, is_patient: bool) -> list[tuple[int, FilmFrame]]:
        """Return frames from `first` to the end of its fragment, with their numbers.

        None if the film does not have them yet, or is not a film that grows. With `is_patient`,
        frames whose sound is not complete are left out.
        """
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return []
        try:
            return self._read(fd, first, is_patient=is_patient)
        except (FilmDamagedError, av.error.FFmpegError, OSError, ValueError):
            return []  # the frames count as lost
        finally:
            os.close(fd)

    def _read(self, fd: int, first: int, *, is_patient: bool) -> list[tuple[int, FilmFrame]]:
        init = read_init_segment(fd)
        if init.spec.fps != self._fps:
            return []
        fragments = self._fragments
        if init.film_id != self._film_id or not fragments or first >= last_frame(fragments):
            journal = read_journal(journal_path(self._path), init.film_id)
            lines = [] if journal is None else journal.lines
            entries = [line for line in lines if isinstance(line, JournalEntry)]
            if len(entries) < len(lines):
                return []  # damaged: the places of fragments are unknown
            fragments = self._fragments = list(fragments_of(entries, init))
            self._film_id = init.film_id
        index = fragment_index(fragments, first)
        if index is None:
            return []
        near = fragments[max(0, index - 1) : index + 2]
        data = b"".join([init.data, *(read_fragment(fd, each) for each in near)])
        size = init.spec.width, init.spec.height
        return list(self._decoded(data, fragments[index], first, size, is_patient=is_patient))

    def _decoded(
        self,
        data: bytes,
        fragment: Fragment,
        first: int,
        size: tuple[int, int],
        *,
        is_patient: bool,
    ) -> Iterator[tuple[int, FilmFrame]]:
        """Yield the frames of a fragment, which `data` holds with its neighbours."""
        pictures: dict[int, NDArray[np.uint8]] = {}
        sound = Sound(fragment.first_frame * SAMPLE_RATE_HZ // self._fps)
        end = fragment.first_frame + fragment.frames
        with open_media(io.BytesIO(data), demuxer="mp4") as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            video.codec_context.thread_count = 1
            for packet in container.demux(video, audio):
                if packet.stream.type == "audio":
                    for each in packet.decode():
                        assert isinstance(each, av.AudioFrame)
                        sound.add(each)
                elif (
                    packet.pts is None
                    or fragment.first_frame <= packet.pts // TICKS_PER_FRAME < end
                ):
                    for frame in packet.decode():
                        assert isinstance(frame, av.VideoFrame) and frame.pts is not None
                        pictures[frame.pts // TICKS_PER_FRAME] = self._to_bgr(frame, size)
        step = SAMPLE_RATE_HZ // self._fps
        for number in sorted(pictures):
            start = (number - fragment.first_frame) * step
            if number < first or (is_patient and sound.length < start + step):
                continue
            samples = sound.part(start, step)
            shown = self._loop(number)
            yield number, FilmFrame(picture=pictures[number], samples=samples, shown=shown)

    def _to_bgr(self, frame: av.VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return a (h, w, 3) BGR picture without the padding of odd sizes."""
        converted = self._scaler.reformat(
            frame,
            format="bgr24",
            src_colorspace=colour_matrix(frame),
            interpolation=Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT,
        )
        picture = np.asarray(converted.to_ndarray(), np.uint8)[: size[1], : size[0]]
        picture = np.ascontiguousarray(picture)
        picture.setflags(write=False)
        return picture


class Sound:
    """Samples of a film from one of its samples on."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._parts: list[NDArray[np.float32]] = []
        self.length = 0
        """Samples that have been added without a gap."""

    def add(self, frame: av.AudioFrame) -> None:
        """Add a decoded packet; what precedes the start is dropped, the rest must follow."""
        samples = np.asarray(frame.to_ndarray(), np.float32).mean(axis=0, dtype=np.float32)
        at = (frame.pts or 0) - self._start - self.length
        if at <= 0 and len(samples) > -at:
            self._parts.append(samples[-at:])
            self.length += len(samples) + at

    def part(self, start: int, count: int) -> NDArray[np.float32]:
        """Return `count` samples, with silence after the end."""
        sound = np.concatenate([np.zeros(0, np.float32), *self._parts])[start : start + count]
        return np.pad(sound, (0, count - len(sound)))


def last_frame(fragments: list[Fragment]) -> int:
    """Return the first frame after all fragments."""
    return fragments[-1].first_frame + fragments[-1].frames


def fragment_index(fragments: list[Fragment], frame: int) -> int | None:
    """Return the index of the fragment with a frame, searched from the end; None if none has it."""
    for index in range(len(fragments) - 1, -1, -1):
        if fragments[index].first_frame <= frame:
            has_it = frame < fragments[index].first_frame + fragments[index].frames
            return index if has_it else None
    return None


def read_fragment(fd: int, fragment: Fragment) -> bytes:
    """Return the bytes of a fragment; raises ValueError if they are not all there."""
    size = fragment.end - fragment.offset
    data = os.pread(fd, size, fragment.offset)
    if len(data) < size:
        raise ValueError(f"the film ends within fragment {fragment.index}")
    return data
