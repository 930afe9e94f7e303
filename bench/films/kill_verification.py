"""Verification of a session after a server was killed and started again."""

import os
import subprocess
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg

from bench.films.kill_clients import SessionRecord
from bench.films.server_under_test import ServerUnderTest
from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET, TICKS_PER_FRAME
from session.fragmented.check import MAX_LAG_SAMPLES, check_film
from session.fragmented.init_segment import read_init_segment


class DataLossError(AssertionError):
    """Something that was acknowledged or watched is lost."""


def verify(record: SessionRecord, server: ServerUnderTest) -> None:
    """Compare a session after a restart with its record; raises DataLossError."""
    if record.is_resetting and not record.film.exists():
        record.end_reset()
    film_id = film_id_at(record.film)
    data = record.film.read_bytes() if film_id else b""
    verify_streams(record, film_id, data)
    if film_id is None:
        if record.clips or record.fragments:
            raise DataLossError("a film with acknowledged clips or fragments is gone")
        return
    session = server.request("GET", f"/sessions/{record.name}")
    verify_transcript(record, session, len(data))
    verify_decoding(record.film, session["frames"])
    record.streams = [(film_id, bytearray(data))]
    record.is_resetting = False


def film_id_at(path: Path) -> str | None:
    """Read the id of the film at this path; None if there is none."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return read_init_segment(fd).film_id
    finally:
        os.close(fd)


def verify_streams(record: SessionRecord, film_id: str | None, data: bytes) -> None:
    """Verify that the film has every byte that was watched, and that removed films are gone."""
    if film_id is not None and film_id in record.removed:
        raise DataLossError("a film still exists although its reset was acknowledged")
    for watched_id, received in record.streams:
        if watched_id == film_id and not data.startswith(received):
            raise DataLossError(f"{len(received)} bytes that were watched are not in the film")
        if watched_id != film_id and watched_id not in record.removed | record.maybe_removed:
            raise DataLossError(f"a film is gone; {len(received)} bytes of it were watched")


def verify_transcript(record: SessionRecord, session: dict[str, Any], size: int) -> None:
    """Verify that every acknowledged clip is unchanged and every fragment is in the film."""
    clips = {clip["index"]: clip for clip in session["clips"]}
    for index, clip in record.clips.items():
        if clips.get(index) != clip:
            raise DataLossError(f"clip {index} was acknowledged as {clip}, now {clips.get(index)}")
    for fragment in record.fragments:
        end = fragment["first_frame"] + fragment["frames"]
        if fragment["bytes"] > size or end > session["frames"] or fragment["clip"] not in clips:
            raise DataLossError(f"the acknowledged fragment {fragment} is not in the film")


def verify_decoding(film: Path, frames: int) -> None:
    """Verify that every picture and sample decodes, by time stamps and by counting."""
    check = check_film(film)
    if check.faults:
        raise DataLossError(f"{film} is damaged: {check.faults}")
    if not frames:
        return  # killed before the first fragment: decoders reject an init segment alone
    picture_ticks, sound_starts = time_stamps(film)
    if picture_ticks != [TICKS_PER_FRAME * index for index in range(frames)]:
        raise DataLossError(
            f"{len(picture_ticks)} of {frames} pictures decode, or their times are wrong"
        )
    if sound_starts != [SAMPLES_PER_PACKET * index for index in range(len(sound_starts))]:
        raise DataLossError("the sound has a gap")
    counted = count_with_ffmpeg(film)
    if counted != (frames, SAMPLES_PER_PACKET * len(sound_starts)):
        raise DataLossError(f"the decoded (pictures, samples) are {counted} by counting")
    lag = frames * SAMPLE_RATE_HZ // check.spec.fps - counted[1]
    if not 0 <= lag < MAX_LAG_SAMPLES:
        raise DataLossError(f"the sound ends {lag} samples before the pictures")


def time_stamps(film: Path) -> tuple[list[int | None], list[int | None]]:
    """Return the time stamps of all pictures and all sound frames, decoded by PyAV."""
    with av.open(str(film)) as container:
        ticks = [frame.pts for frame in container.decode(video=0)]
    with av.open(str(film)) as container:
        starts = [frame.pts for frame in container.decode(audio=0)]
    return ticks, starts


def count_with_ffmpeg(film: Path) -> tuple[int, int]:
    """Decode a film with ffmpeg, and return its number of pictures and of samples."""
    video = ("-map", "0:v", "-fps_mode", "passthrough", "-vf", "scale=16:16", "-pix_fmt", "gray")
    return (
        len(ffmpeg_output(film, *video, "-f", "rawvideo")) // 256,
        len(ffmpeg_output(film, "-map", "0:a", "-f", "s16le")) // 2,
    )


def ffmpeg_output(film: Path, *options: str) -> bytes:
    """Run ffmpeg on a film; raises DataLossError if it prints a warning."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", "-i", str(film), *options, "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.stderr or done.returncode:
        raise DataLossError(f"ffmpeg reports for {film}: {done.stderr.decode()}")
    return done.stdout
