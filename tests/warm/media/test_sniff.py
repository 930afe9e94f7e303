"""Formats of files by their content."""

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
        (b"\0\0\0\x18ftypheic\0\0\0\0", UnknownMediaError, "HEIF or AVIF.*JPEG"),
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
