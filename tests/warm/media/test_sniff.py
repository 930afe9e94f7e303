"""Formats of files by their content."""

import os
import socket
from pathlib import Path

import pytest
from PIL import Image

from tests.warm.media.pictures import four_colours, read_video
from tests.warm.sample_videos import film, numbered
from warm.media.photo import read_photo
from warm.media.sniff import DamagedMediaError, MediaError, UnknownMediaError, sniff


def test_the_format_follows_from_the_content_and_not_from_the_name(tmp_path: Path) -> None:
    Image.fromarray(four_colours()).save(tmp_path / "photo.png")
    (tmp_path / "photo.png").rename(tmp_path / "video.mp4")
    assert sniff(tmp_path / "video.mp4").kind == "photo"
    assert read_photo(tmp_path / "video.mp4", max_side=99).picture.shape == (48, 64, 3)
    film(tmp_path / "film.mp4", numbered(3)).rename(tmp_path / "film.jpg")
    assert sniff(tmp_path / "film.jpg").kind == "video"
    assert len(read_video(tmp_path / "film.jpg")) == 3


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", DamagedMediaError, "empty"),
        (b"%PDF-1.7 not a face", UnknownMediaError, "25 50 44 46.*JPEG, PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", UnknownMediaError, "HEIF photo.*JPEG"),
    ],
)
def test_unsupported_files_are_refused_with_advice(
    content: bytes, error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(error, match=message):
        sniff(tmp_path / "photo.jpg")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"There is no file .*gone\.jpg"):
        sniff(tmp_path / "gone.jpg")
    with pytest.raises(MediaError, match="is a folder"):
        sniff(tmp_path)


def test_pipes_sockets_and_devices_are_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link.png").symlink_to(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path, kind in (
            (tmp_path / "pipe", "a pipe"),
            (tmp_path / "link.png", "a pipe"),
            (tmp_path / "socket", "a socket"),
            (Path("/dev/zero"), "a device"),
        ):
            with pytest.raises(MediaError, match=f"{path} is {kind}. Save its content to a file"):
                sniff(path)


def test_names_that_no_file_can_have_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "loop", tmp_path / ("x" * 300), Path("a\0b")):
        with pytest.raises(MediaError, match="cannot be opened"):
            sniff(path)
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(MediaError, match="There is no file"):
        sniff(tmp_path / "file" / "photo.png")
