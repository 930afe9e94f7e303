"""Photos and videos decoded in a process of their own arrive unchanged; its death is an error."""

import os
import signal
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.polling import wait_until
from tests.warm.media.interlaced_films import encode, moving, woven
from tests.warm.media.pictures import four_colours
from tests.warm.sample_videos import film, numbered
from warm.media.isolated import DecoderFailedError
from warm.media.isolated_pictures import open_isolated_video, read_photo_isolated
from warm.media.photo import read_photo
from warm.media.sniff import DamagedMediaError, MediaError
from warm.media.video import open_video

pytestmark = pytest.mark.slow


def children() -> set[int]:
    """Return the ids of the processes that this one started."""
    folders = Path("/proc").glob("[0-9]*/stat")
    found = set()
    for stat in folders:
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            found.add(int(stat.parent.name))
    return found


def test_an_isolated_photo_is_the_same(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x112] = 9
    Image.fromarray(four_colours()).save(tmp_path / "photo.png", exif=exif)
    alone = read_photo_isolated(tmp_path / "photo.png", max_side=1280)
    here = read_photo(tmp_path / "photo.png", max_side=1280)
    assert np.array_equal(alone.picture, here.picture)
    assert alone.stored_size == here.stored_size == (64, 48)
    assert alone.notes == here.notes and len(here.notes) == 1


def test_an_isolated_video_is_the_same(tmp_path: Path) -> None:
    path = encode(tmp_path / "film.mkv", woven(moving(24, (160, 120))), "-c:v", "ffv1", fps=10)
    with open_video(path, fps=25, max_side=100) as video:
        expected = list(video.frames())
        facts = video.announced_s, video.stored_size, video.notes
    with open_isolated_video(path, fps=25, max_side=100) as isolated:
        found = list(isolated.frames())
        assert (isolated.announced_s, isolated.stored_size, isolated.notes) == facts
    assert len(found) == 30 and np.array_equal(np.stack(found), np.stack(expected))


def test_errors_of_the_file_keep_their_class_and_message(tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes(film(tmp_path / "a.mp4", numbered(5)).read_bytes()[:900])
    with (
        pytest.raises(DamagedMediaError, match=r"cut\.mp4 is damaged.*Send the file again"),
        open_isolated_video(tmp_path / "cut.mp4", fps=25, max_side=640) as video,
    ):
        list(video.frames())
    Image.new("RGB", (4, 4)).save(tmp_path / "dot.png")
    with pytest.raises(MediaError, match="at least 8 pixels"):
        read_photo_isolated(tmp_path / "dot.png", max_side=640)


def test_a_decoder_that_is_killed_midway_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", numbered(99, size=(640, 480)))
    before = children()
    with open_isolated_video(path, fps=25, max_side=640) as video:
        frames = video.frames()
        assert len(list(islice(frames, 2))) == 2
        for process in children() - before:
            os.kill(process, signal.SIGSEGV)
        with pytest.raises(DecoderFailedError, match=r"film\.mkv"):
            list(frames)
    wait_until(lambda: children() <= before, "the end of the process")


def test_a_video_that_is_closed_early_leaves_no_process(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", numbered(99, size=(640, 480)))
    before = children()
    with open_isolated_video(path, fps=25, max_side=640) as video:
        next(video.frames())
    wait_until(lambda: children() <= before, "the end of the process")
