"""Arrays that are written piece by piece."""

import errno
from pathlib import Path

import numpy as np
import pytest

from tests.warm.prepare.preparer import largest_file
from warm.prepare.arrays import FrameFile, allocate


def test_an_array_that_does_not_fit_on_the_disk_is_refused_before_it_is_written(
    tmp_path: Path,
) -> None:
    with largest_file(10_000), pytest.raises(OSError) as failed:
        allocate(tmp_path / "a.npy", (100, 1000))
    assert failed.value.errno in {errno.EFBIG, errno.ENOSPC}


def test_frames_appended_one_by_one_form_an_array(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (11, 6, 8, 3), np.uint8)
    with FrameFile(tmp_path / "frames.npy") as file:
        for picture in pictures:
            file.append(picture[:, ::-1])
        with pytest.raises(ValueError, match="frame 11 is"):
            file.append(pictures[0, 1:])
    read = np.load(tmp_path / "frames.npy", allow_pickle=False)
    assert np.array_equal(read, pictures[:, :, ::-1])
