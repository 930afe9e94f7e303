"""The file of an enhanced film: its parts with the source's times, and the source's other streams.

The sound is copied packet by packet, by ffmpeg in a process with limits, because the packets are
untrusted input.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from session.mp4.delivery import ProgramFailed, run_limited
from session.mp4.remux import quote_message
from session.orientation import AS_STORED
from warm.enhance import part_encoder
from warm.enhance.display_matrix import write_orientation
from warm.enhance.errors import EnhanceError
from warm.enhance.film_reader import FilmFacts
from warm.media.sniff import sniff

MP4_AUDIO = {
    *("aac", "mp3", "mp2", "ac3", "eac3", "alac", "flac", "opus", "dts", "vorbis"),
    *("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_s16be", "pcm_s24be"),
}
"""Audio codecs that MP4 can hold; other sound is converted to FLAC, which is lossless."""
TEXT_CAPTIONS = {"mov_text", "subrip", "ass", "ssa", "webvtt", "text"}
SOUND_NOTE = "MP4 cannot hold the sound ({codec}); it was converted to FLAC without loss."
CAPTIONS_NOTE = "The captions ({codec}) are pictures, which MP4 cannot hold; they were left out."
STREAMS_NOTE = "{count} other streams of the source, such as covers or timecode, were left out."
MAX_TIMESCALE = (1 << 31) - 1
CPU_S = 3600


def write_video(
    path: Path,
    parts: Iterable[Sequence[bytes]],
    facts: FilmFacts,
    times: Sequence[Sequence[int]],
    size: tuple[int, int],
) -> None:
    """Write the samples of all parts to an MP4; `times` are (pts, duration) of each frame.

    Raises OSError.
    """
    unit = facts.time_base
    scale = timescale(unit)
    options = {"video_track_timescale": str(scale)}
    with av.open(str(path), "w", format="mp4", options=options) as container:  # noqa: TID251  writes
        stream = container.add_stream(part_encoder.CODEC, rate=Fraction(facts.fps))
        assert isinstance(stream, VideoStream)
        part_encoder.set_up(stream.codec_context, facts, size)
        stream.time_base = unit
        index = 0
        for part in parts:
            for position, sample in enumerate(part):
                packet = av.Packet(sample)
                packet.stream, packet.time_base = stream, unit
                packet.pts = packet.dts = times[index][0]
                packet.duration = times[index][1]
                packet.is_keyframe = position == 0
                container.mux(packet)
                index += 1


def timescale(unit: Fraction) -> int:
    """Return the ticks per second at which all times of a stream are whole numbers."""
    return min(MAX_TIMESCALE, unit.denominator)


def join_film(
    video: Path,
    source: Path,
    out: Path,
    facts: FilmFacts,
    *,
    check: Callable[[], None],
) -> list[str]:
    """Write the pictures of `video` and the other streams of `source` to `out`; return notes.

    `check` is called while ffmpeg runs; an exception that it raises stops ffmpeg. Raises
    EnhanceError, and FilmFullError if the disk is full.
    """
    try:
        run_limited(command_of(video, source, out, facts), cpu_s=CPU_S, check=check)
    except ProgramFailed as error:
        raise EnhanceError(
            f"The sound of {source} could not be joined with the pictures."
            f"{quote_message(error.message)} Convert the source to MP4, and try again."
        ) from error
    if facts.orientation != AS_STORED:
        write_orientation(out, facts.orientation)
    return notes_of(facts)


def command_of(video: Path, source: Path, out: Path, facts: FilmFacts) -> list[str]:
    """Return the command that writes the film."""
    import imageio_ffmpeg  # noqa: PLC0415  70 MB, needed only for copies

    maps, codecs = ["-map", "0:v:0"], ["-c:v", "copy"]
    for index, codec in enumerate(facts.audio_codecs):
        maps += ["-map", f"1:a:{index}", f"-map_metadata:s:a:{index}", f"1:s:a:{index}"]
        codecs += [f"-c:a:{index}", "copy" if codec in MP4_AUDIO else "flac"]
    shown = [i for i, codec in enumerate(facts.caption_codecs) if codec in TEXT_CAPTIONS]
    for out_index, index in enumerate(shown):
        maps += ["-map", f"1:s:{index}", f"-map_metadata:s:s:{out_index}", f"1:s:s:{index}"]
    codecs += ["-c:s", "mov_text"] if shown else []
    movflags = "+faststart" + ("+use_metadata_tags" if facts.has_own_keys else "")
    return [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"),
        *("-protocol_whitelist", "file", "-i", f"file:{video}"),
        *("-protocol_whitelist", "file", "-f", sniff(source).demuxer, "-i", f"file:{source}"),
        *maps, *codecs,
        *("-map_metadata", "1", "-map_metadata:s:v:0", f"1:s:{facts.stream}"),
        *("-map_chapters", "1", "-copyts", "-copypriorss", "1", "-movflags", movflags),
        *("-video_track_timescale", str(timescale(facts.time_base))),
        *("-f", "mp4", f"file:{out}"),
    ]  # fmt: skip


def notes_of(facts: FilmFacts) -> list[str]:
    """Return remarks about streams that could not be kept as they are."""
    notes = [SOUND_NOTE.format(codec=c) for c in facts.audio_codecs if c not in MP4_AUDIO]
    pictures = [codec for codec in facts.caption_codecs if codec not in TEXT_CAPTIONS]
    notes += [CAPTIONS_NOTE.format(codec=codec or "unknown") for codec in pictures]
    if facts.other_streams:
        notes.append(STREAMS_NOTE.format(count=facts.other_streams))
    return notes
