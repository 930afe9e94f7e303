"""Conversion of a finished film: size, pictures per second, container, logo, captions.

One run of ffmpeg makes the file, with the lowest priority and limits on memory and time.
"""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Literal, NamedTuple

import av

from isolation.limited_program import limited_command
from session.errors import CopyFailedError
from session.media_file import open_media
from session.mp4.remux import atomic_output, quote_message, require_space

Container = Literal["mp4", "mov", "webm"]

MEMORY_BYTES = 3 << 30
"""Address space of ffmpeg. Pictures of 4096x4096 need 1 GB, and its threads reserve more."""
START_CPU_S, CPU_PER_S = 60, 60
"""CPU time that ffmpeg may take, in seconds: a minimum, plus a share for each second of film."""
THREADS = 2
POLL_S = 0.1

VIDEO_CODECS: dict[Container, tuple[str, ...]] = {
    "mp4": ("-c:v", "libx264", "-preset", "veryfast", "-crf", "19"),
    "mov": ("-c:v", "libx264", "-preset", "veryfast", "-crf", "19"),
    "webm": (
        *("-c:v", "libvpx-vp9", "-crf", "30", "-b:v", "0"),
        *("-deadline", "realtime", "-cpu-used", "6", "-row-mt", "1"),
    ),
}
AUDIO_CODECS: dict[Container, tuple[str, ...]] = {
    "mp4": ("-c:a", "copy"),
    "mov": ("-c:a", "copy"),
    "webm": ("-c:a", "libopus", "-b:a", "96k"),
}
CAPTION_CODECS: dict[Container, str] = {"mp4": "mov_text", "mov": "mov_text", "webm": "webvtt"}
COLOURS = (
    *("-pix_fmt", "yuv420p", "-colorspace", "smpte170m", "-color_primaries", "bt709"),
    *("-color_trc", "bt709", "-color_range", "tv"),
)


class Area(NamedTuple):
    """A rectangle of the picture, pixels; all even."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A picture in a PNG file, laid over the finished picture."""

    path: Path
    x: int
    """Left edge in the finished picture, pixels."""
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmForm:
    """Form of a file; the default is that of the film itself."""

    container: Container = "mp4"
    crop: Area | None = None
    size: tuple[int, int] | None = None
    """(width, height) after the crop; even."""
    fps: int | None = None
    overlay: Overlay | None = None
    captions: Path | None = None
    """WebVTT file that becomes a track."""

    @property
    def needs_pictures(self) -> bool:
        """True if the pictures change, or their encoding."""
        changes = (self.crop, self.size, self.fps, self.overlay)
        return self.container == "webm" or any(change is not None for change in changes)

    @property
    def is_plain(self) -> bool:
        """True for an MP4 with the film's own streams, which `export_film` makes."""
        return self.container == "mp4" and not self.needs_pictures and self.captions is None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFile:
    """Facts about a file, read from it."""

    width: int
    height: int
    frames: int
    fps: Fraction
    duration_s: float
    size_bytes: int


class ProgramFailed(CopyFailedError):
    """A program has failed."""

    def __init__(self, name: str, status: int, message: str) -> None:
        super().__init__(f"{name} ended with status {status}.{quote_message(message)}")
        self.status, self.message = status, message


def deliver(
    film: Path, out: Path, form: FilmForm, *, check: Callable[[], None] = lambda: None
) -> None:
    """Write the closed `film` to `out` in another form, atomically and durably.

    `check` is called while ffmpeg runs; its exception ends it. Raises CopyFailedError, and
    FilmFullError if the disk is full.
    """
    source = read_made_file(film)
    cpu_s = START_CPU_S + round(CPU_PER_S * source.duration_s)
    with atomic_output(out) as temporary:
        message = run_limited(command_of(film, temporary, form), cpu_s=cpu_s, check=check)
        try:
            made = read_made_file(temporary)
        except CopyFailedError as error:
            raise CopyFailedError(f"{error}{quote_message(message)}") from error
        require_complete(made, source, form, message)


def require_complete(made: MadeFile, source: MadeFile, form: FilmForm, message: str) -> None:
    """Raise CopyFailedError unless a file has all pictures of its source."""
    fps = source.fps if form.fps is None else Fraction(form.fps)
    expected = source.frames * fps / source.fps
    if abs(made.frames - expected) > 1 + fps / source.fps:
        raise CopyFailedError(
            f"The file has {made.frames} pictures instead of {round(expected)}."
            f"{quote_message(message)}"
        )


def command_of(film: Path, out: Path, form: FilmForm) -> list[str]:
    """Return the command that makes a file."""
    import imageio_ffmpeg  # noqa: PLC0415  70 MB, needed only for copies

    graph, label = filters_of(form)
    inputs, maps = [film], ["-map", label, "-map", "0:a:0"]
    inputs += [form.overlay.path] if form.overlay is not None else []
    if form.captions is not None:
        maps += ["-map", f"{len(inputs)}:s:0", "-c:s", CAPTION_CODECS[form.container]]
        inputs.append(form.captions)
    video: tuple[str, ...] = ("-c:v", "copy")
    if form.needs_pictures:
        video = (*VIDEO_CODECS[form.container], *COLOURS, "-threads", str(THREADS))
    is_webm = form.container == "webm"
    muxer = () if is_webm else ("-movflags", "+faststart", "-use_editlist", "0")
    return [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"),
        *("-filter_threads", "1", "-filter_complex_threads", "1"),
        *(part for path in inputs for part in ("-i", f"file:{path}")),
        *(("-filter_complex", graph) if graph else ()),
        *maps, *video, *AUDIO_CODECS[form.container], *muxer,
        *("-map_metadata", "-1", "-f", form.container, f"file:{out}"),
    ]  # fmt: skip


def filters_of(form: FilmForm) -> tuple[str, str]:
    """Return the filter graph and the label of its pictures; no graph if they do not change."""
    steps = []
    if form.crop is not None:
        area = form.crop
        steps.append(f"crop={area.width}:{area.height}:{area.x}:{area.y}:exact=1")
    if form.size is not None:
        steps.append(f"scale={form.size[0]}:{form.size[1]}:flags=lanczos+accurate_rnd")
    if form.fps is not None:
        steps.append(f"fps={form.fps}")
    if form.overlay is not None:
        chain = ",".join(steps) or "null"
        place = f"overlay={form.overlay.x}:{form.overlay.y}:format=yuv420"
        return f"[0:v:0]{chain}[film];[film][1:v:0]{place}[out]", "[out]"
    return (f"[0:v:0]{','.join(steps)}[out]", "[out]") if steps else ("", "0:v:0")


def run_limited(command: Sequence[str], *, cpu_s: int, check: Callable[[], None]) -> str:
    """Run ffmpeg with the lowest priority; see `run_to_end`."""
    limited = limited_command(command, memory_bytes=MEMORY_BYTES, cpu_s=cpu_s)
    return run_to_end(limited, name="ffmpeg", check=check)


def run_to_end(
    limited: Sequence[str],
    *,
    name: str,
    check: Callable[[], None],
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> str:
    """Run a program that `limited_command` has limited; return what it reports.

    `name`: of the program, for messages. Raises the exception of `check`, which is called every
    `POLL_S`, ProgramFailed if the program fails or exceeds its limits, and FilmFullError if the
    disk is full.
    """
    with tempfile.TemporaryFile() as report:
        process = subprocess.Popen(
            limited,
            start_new_session=True,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=report,
        )
        try:
            wait_for(process, check)
        finally:
            process.kill()
            process.wait()
        message = read_report(report)
    require_space(message, process.returncode)
    if process.returncode:
        raise ProgramFailed(name, process.returncode, message)
    return message


def wait_for(process: "subprocess.Popen[bytes]", check: Callable[[], None]) -> None:
    """Wait for the end of a process."""
    while True:
        try:
            process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            check()
        else:
            return


def read_report(report: IO[bytes]) -> str:
    """Return the beginning of what a program wrote."""
    report.seek(0)
    return report.read(1 << 16).decode(errors="replace").strip()


def read_made_file(path: Path) -> MadeFile:
    """Read the facts of a file from all of its packets; raises CopyFailedError."""
    try:
        with open_media(path) as container:
            video = container.streams.video[0]
            rate = video.average_rate or video.guessed_rate or Fraction(0)
            frames = sum(packet.size > 0 for packet in container.demux(video))
            return MadeFile(
                width=video.codec_context.width,
                height=video.codec_context.height,
                frames=frames,
                fps=Fraction(rate),
                duration_s=float(frames / rate) if rate else 0.0,
                size_bytes=path.stat().st_size,
            )
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise CopyFailedError(f"{path} cannot be read: {error}.") from error
