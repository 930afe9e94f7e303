"""A run that was killed, or that found the disk full, is continued with the same result."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.polling import wait_until
from tests.warm.training_data.talking_films import MODELS, DataSet, empty_data_set
from warm.__main__ import main
from warm.training_data.config import read_config
from warm.training_data.errors import OutputBusyError, OutputFullError, OutputNotWritableError
from warm.training_data.layout import Layout
from warm.training_data.run import exclusive
from warm.training_data.source_program import SourceWork
from warm.training_data.source_record import key_of
from warm.training_data.sources import find_sources

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(data_set: DataSet, tmp_path: Path) -> DataSet:
    """A second data set of the film with two shots; its JSON files have the same paths."""
    copied = empty_data_set(tmp_path / "copy")
    film = next(data_set.source.glob("Grace*"))
    os.link(film, copied.source / film.name)
    return copied


def test_a_run_that_is_killed_between_two_clips_ends_with_the_same_bytes(
    data_set: DataSet, copy: DataSet
) -> None:
    command = ["-m", "warm", "preprocess", "--config", copy.config, "--models", MODELS]
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until(lambda: any(copy.hdtf.rglob("meta/clip000_*.json")), "the first clip", 120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    first = next(copy.hdtf.rglob("clip000_*.mp4"))
    made_at = first.stat().st_mtime_ns
    assert not (copy.hdtf / "train.txt").exists()
    assert main(["preprocess", "--config", str(copy.config), "--models", str(MODELS)]) == 0
    assert first.stat().st_mtime_ns == made_at
    assert clips_of(copy) == clips_of(data_set)
    assert not any((copy.hdtf / "preprocess" / "work").iterdir())


def clips_of(data: DataSet) -> dict[str, bytes]:
    """All files of clips, sheets and lists by path."""
    kinds = ("meta/", "video_audio_clip_root/", "preprocess/pictures/", "train.txt", "val.txt")
    return {path: content for path, content in data.outputs().items() if path.startswith(kinds)}


def work_on(data: DataSet) -> SourceWork:
    """Return the work on the only source, in this process."""
    config = read_config(data.config)
    with exclusive(Layout(config)):
        (source,) = find_sources(config, Layout(config))
    arguments = {
        "config": config.model_dump(mode="json"),
        "key": key_of(source, config),
        "file": source.shown,
        "name": source.name,
        "models": str(MODELS),
    }
    return SourceWork.of(source.path, arguments)


def test_a_full_disk_is_named_with_the_next_step(
    copy: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk:
        def write(self, _samples: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(
        "warm.training_data.source_sound.SoundWriter", lambda _clip, _wav: FullDisk()
    )
    with pytest.raises(OutputFullError, match="Free some disk space and run the same command"):
        list(work_on(copy).items())


def test_a_second_run_on_the_same_output_is_refused(copy: DataSet) -> None:
    layout = Layout(read_config(copy.config))
    with exclusive(layout), pytest.raises(OutputBusyError, match="Another run"), exclusive(layout):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(copy: DataSet) -> None:
    copy.hdtf.chmod(0o500)
    try:
        layout = Layout(read_config(copy.config))
        with pytest.raises(OutputNotWritableError, match="output_root"), exclusive(layout):
            pass
    finally:
        copy.hdtf.chmod(0o700)


def test_a_file_where_a_folder_is_needed_is_named(copy: DataSet) -> None:
    (copy.hdtf / "meta").touch()
    layout = Layout(read_config(copy.config))
    with pytest.raises(OutputNotWritableError, match="meta cannot be written"), exclusive(layout):
        pass
