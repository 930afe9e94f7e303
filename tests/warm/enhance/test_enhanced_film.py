"""Tests of enhanced films: properties kept from the source, resumption, refusals."""

import errno
import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from session.factory import create_film
from session.media_file import open_media
from stabilizers.settings import TrackSettings
from tests.session.mp4.sample_clips import FFMPEG
from tests.session.sample_films import SPEC, number, write
from tests.warm.enhance.film_samples import (
    BT709,
    FULL,
    bgr,
    frames,
    moving_face,
    packets,
    times,
    write_film,
)
from tests.warm.portraits import MODELS
from warm.enhance import face_search, work_folder
from warm.enhance import film as film_module
from warm.enhance.enhancement import GROWING_NOTE, Enhancement
from warm.enhance.errors import (
    BadEnhanceOption,
    EnhanceBusy,
    EnhanceDiskFull,
    EnhanceError,
    NoFaceToEnhance,
    OutputRefused,
)
from warm.enhance.film import check_size
from warm.enhance.film_file import SOUND_NOTE, STREAMS_NOTE
from warm.enhance.options import EnhanceOptions
from warm.enhance.sharpen import Sharpener
from warm.enhance.work_folder import WorkFolder, open_work_folder, work_path
from warm.media.sniff import MediaError

pytestmark = pytest.mark.slow
FRAMES, PART, SIZE = 22, 8, (160, 188)
SHARPEN = EnhanceOptions(method="sharpen", upscale=2)
PLAIN = EnhanceOptions(method="sharpen", faces="none")


@pytest.fixture(scope="module", autouse=True)
def short_parts() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(film_module, "PART_FRAMES", PART)
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "in.mp4"
    return write_film(path, moving_face(FRAMES, SIZE), start=60, title="Grace", comment="a talk")


@pytest.fixture(scope="module")
def enhanced(source: Path) -> Path:
    out = source.with_name("out.mp4")
    job(source, out).run()
    return out


def job(source: Path, out: Path, options: EnhanceOptions = SHARPEN, **more: Any) -> Enhancement:
    return Enhancement(
        source=source, out=out, options=options, models=MODELS, restorer=Sharpener, **more
    )


def test_sound_times_colours_and_metadata_of_the_film_are_kept(
    source: Path, enhanced: Path
) -> None:
    assert packets(enhanced, "audio") == packets(source, "audio")
    assert times(enhanced) == times(source)
    first = frames(enhanced)[0]
    assert (first.width, first.height) == (2 * SIZE[0], 2 * SIZE[1])
    assert (first.colorspace, first.color_range) == (BT709, FULL)
    with film_module.open_film(enhanced) as film:
        assert film.facts.primaries == film.facts.transfer == BT709
    with open_media(enhanced) as container:
        tags = container.metadata
        assert (tags["title"], tags["comment"]) == ("Grace", "a talk")
        assert container.streams.audio[0].language == "deu"


def test_the_face_gets_sharper_and_everything_else_is_plainly_enlarged(
    source: Path, enhanced: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.mp4"
    job(source, plain, replace(SHARPEN, faces="none")).run()
    one, two = (np.stack([bgr(f) for f in frames(film)]) for film in (plain, enhanced))
    face, corner = np.s_[:, 90:200, 100:220], np.s_[:, :30, :30]
    assert energy(two[face]) > 1.15 * energy(one[face])
    assert np.abs(two[corner].astype(int) - one[corner]).mean() < 1


def energy(pictures: np.ndarray) -> float:
    """Mean squared difference of neighbouring pixels."""
    levels = pictures.astype(np.float32)
    return float((np.diff(levels, axis=1) ** 2).mean() + (np.diff(levels, axis=2) ** 2).mean())


def test_a_full_disk_keeps_the_finished_parts_and_the_next_run_continues_from_them(
    source: Path, enhanced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "resumed.mp4"
    with monkeypatch.context() as patch:
        patch.setattr(work_folder, "replace_file", failing_after("000000.part"))
        with pytest.raises(EnhanceDiskFull, match=str(work_path(out))):
            job(source, out).run()
    assert not out.exists()
    first = (work_path(out) / "000000.part").read_bytes()
    stages: list[tuple[str, int]] = []
    job(source, out, progress=lambda stage, done, _: stages.append((stage, done))).run()
    assert stages[0] == (film_module.ENHANCING, PART + 1)
    assert len(first) > 1000
    assert packets(out, "video") == packets(enhanced, "video")
    assert not work_path(out).exists()


@pytest.mark.parametrize("damaged", [None, 1])
def test_an_interrupted_search_for_faces_is_continued_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: int | None
) -> None:
    pictures = moving_face(14, SIZE)
    mirrored = [np.ascontiguousarray(each[:, ::-1]) // 2 for each in pictures]
    source = write_film(tmp_path / "in.mp4", [*pictures, *mirrored])
    whole, out = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    monkeypatch.setattr(face_search, "PIECE_FRAMES", 6)
    job(source, whole).run()
    with pytest.raises(InterruptedError):
        job(source, out, check=stop_at(21)).run()
    assert sorted(path.name for path in work_path(out).glob("search-*")) == [
        *("search-0.npz", "search-1.npz", "search-2.npz")
    ]
    if damaged is not None:
        (work_path(out) / f"search-{damaged}.npz").write_bytes(b"PK")
    stages: list[tuple[str, int]] = []
    job(source, out, progress=lambda stage, done, _: stages.append((stage, done))).run()
    assert stages[0] == (film_module.FINDING, 19 if damaged is None else 7)
    assert packets(out, "video") == packets(whole, "video")


def test_an_interrupted_search_of_a_film_that_is_only_enlarged_is_continued(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, stages = tmp_path / "out.mp4", []
    monkeypatch.setattr(face_search, "PIECE_FRAMES", 6)
    with pytest.raises(InterruptedError):
        job(source, out, PLAIN, check=stop_at(15)).run()
    job(source, out, PLAIN, progress=lambda stage, done, _: stages.append((stage, done))).run()
    assert stages[0] == (film_module.FINDING, 13)
    assert times(out) == times(source)


def failing_after(name: str) -> Callable[[Path, bytes], None]:
    """Return a write function whose disk is full once the file of this name is written."""
    original, is_full = work_folder.replace_file, False

    def replace_file(path: Path, data: bytes) -> None:
        nonlocal is_full
        if is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        original(path, data)
        is_full = path.name == name

    return replace_file


def test_streams_that_are_not_kept_as_they_are_are_named_in_notes(
    source: Path, tmp_path: Path
) -> None:
    film, out = tmp_path / "in.mkv", tmp_path / "out.mp4"
    sound = ("-c:v", "copy", "-c:a", "pcm_u8", "-attach", str(Path(__file__)))
    attached = (*sound, "-metadata:s:t", "mimetype=text/plain", str(film))
    subprocess.run([FFMPEG, "-v", "error", "-i", str(source), *attached], check=True)
    notes = job(film, out, PLAIN).run()
    assert SOUND_NOTE.format(codec="pcm_u8") in notes
    assert STREAMS_NOTE.format(count=1) in notes
    assert packets(out, "audio")


def test_a_damaged_part_is_made_again(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(InterruptedError):
        job(source, out, PLAIN, check=stop_at(FRAMES + 18)).run()
    part = work_path(out) / "000001.part"
    whole = part.read_bytes()
    part.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    job(source, out, PLAIN).run()
    assert times(out) == times(source)


def test_damaged_faces_and_states_are_made_again_too(
    source: Path, enhanced: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(InterruptedError):
        job(source, out, check=stop_at(FRAMES + 2 * PART + 2)).run()
    for name in ("faces.npz", "000002.state.npz"):
        path = work_path(out) / name
        path.write_bytes(path.read_bytes()[:200])
    job(source, out).run()
    assert packets(out, "video") == packets(enhanced, "video")


@pytest.mark.parametrize("has_other_weights", [False, True])
def test_other_weights_or_stabilizers_do_not_continue_the_work_of_an_earlier_run(
    source: Path, tmp_path: Path, has_other_weights: bool
) -> None:
    class OtherSharpener(Sharpener):
        weights_digest = "other"

    out, stages = tmp_path / "out.mp4", list[str]()
    with pytest.raises(InterruptedError):
        job(source, out, check=stop_at(FRAMES + PART + 2)).run()
    track = TrackSettings(landmark_weight=2 * TrackSettings().landmark_weight)
    other = {"restorer": OtherSharpener} if has_other_weights else {"track": track}
    again = job(source, out, progress=lambda stage, *_: stages.append(stage), check=stop_at(3))
    with pytest.raises(InterruptedError):
        replace(again, **other).run()  # type: ignore[arg-type]  # values of several types
    assert set(stages) == {film_module.FINDING}


def test_an_out_that_appears_meanwhile_is_kept(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(OutputRefused, match="OUT exists"):
        job(source, out, PLAIN, check=lambda: out.write_bytes(b"precious")).run()
    assert out.read_bytes() == b"precious"
    stages = set[str]()
    job(source, out, PLAIN, force=True, progress=lambda stage, *_: stages.add(stage)).run()
    assert stages == {film_module.JOINING}


def test_a_source_that_becomes_unreadable_costs_no_finished_part(
    source: Path, tmp_path: Path
) -> None:
    copy, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    copy.write_bytes(source.read_bytes())
    with pytest.raises(InterruptedError):
        job(copy, out, PLAIN, check=stop_at(FRAMES + 10)).run()
    part = (work_path(out) / "000000.part").read_bytes()
    damaged = job(copy, out, PLAIN)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(MediaError):
        patch.setattr(film_module, "open_film", unreadable)
        damaged.run()
    assert (work_path(out) / "000000.part").read_bytes() == part


def unreadable(path: Path, **_: Any) -> Any:
    raise MediaError(f"{path} cannot be read. Check the disk.")


def test_a_folder_that_another_process_removes_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, out = work_folder.take, tmp_path / "out.mp4"
    removed: list[Path] = []

    def take(lock: int, out: Path) -> None:
        if not removed:
            removed.append(work_path(out))
            WorkFolder(removed[0]).remove()
        original(lock, out)

    monkeypatch.setattr(work_folder, "take", take)
    with open_work_folder(out) as work:
        work.write_job({"bytes": 1})
        assert work.read_job() == {"bytes": 1}
        with pytest.raises(EnhanceBusy), open_work_folder(out):
            pass
        work.remove()
    assert not removed[0].exists()


def test_a_run_after_a_failed_last_step_enhances_no_frame_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out, stages = tmp_path / "out.mp4", set[str]()
    with monkeypatch.context() as patch:
        patch.setattr(film_module, "write_video", fail)
        with pytest.raises(EnhanceDiskFull, match="same command again"):
            job(source, out, PLAIN).run()
    job(source, out, PLAIN, progress=lambda stage, *_: stages.add(stage)).run()
    assert stages == {film_module.JOINING}
    assert times(out) == times(source)


def stop_at(count: int) -> Callable[[], None]:
    """Return a check that stops the work when it is called the given number of times."""
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == count:
            raise InterruptedError

    return check


def test_other_options_do_not_continue_the_work_of_an_earlier_run(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(InterruptedError):
        job(source, out, PLAIN, check=stop_at(FRAMES + 10)).run()
    job(source, out, replace(PLAIN, upscale=2)).run()
    assert frames(out)[0].width == 2 * SIZE[0]


def test_a_film_that_another_process_is_writing_is_refused(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    with open_work_folder(out), pytest.raises(EnhanceBusy, match="Another process"):
        job(source, out, PLAIN).run()


def test_a_film_without_faces_is_refused_and_the_message_names_the_option(
    tmp_path: Path,
) -> None:
    grey = [np.full((96, 128, 3), 90, np.uint8)] * 3
    film = write_film(tmp_path / "grey.mp4", grey, has_sound=False)
    with pytest.raises(NoFaceToEnhance, match="--faces none"):
        job(film, tmp_path / "out.mp4").run()
    assert [path.name for path in tmp_path.iterdir()] == ["grey.mp4"]


def test_outs_that_would_destroy_something_are_refused_before_any_work(
    source: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.mp4"
    taken.write_bytes(b"precious")
    link = tmp_path / "link.mp4"
    link.symlink_to(source)
    for out, reason in (
        (source, "the source itself"),
        (link, "the source itself"),
        (taken, "--force"),
        (tmp_path / "out.avi", "must end in .mp4"),
        (tmp_path / "missing" / "out.mp4", "no folder"),
    ):
        with pytest.raises(OutputRefused, match=reason):
            job(source, out).run()
    assert taken.read_bytes() == b"precious"


def test_a_film_that_is_too_wide_is_refused_with_what_would_do() -> None:
    facts = Mock(width=5000, height=64)
    with pytest.raises(EnhanceError, match=r"upscale is 2.*Choose at most 1"):
        check_size(facts, 2)
    facts.width = 8194
    with pytest.raises(EnhanceError, match=r"8194x64 pixels; at most 8192 .* Scale the film down"):
        check_size(facts, 1)


@pytest.mark.parametrize(
    "wrong", [{"strength": 1.5}, {"strength": float("nan")}, {"upscale": 3}, {"method": "magic"}]
)
def test_an_option_outside_its_range_is_refused_by_name(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(BadEnhanceOption, match=f"{name} is .*; allowed are"):
        EnhanceOptions(**wrong)


def test_a_film_that_grows_meanwhile_is_enhanced_up_to_where_it_was(tmp_path: Path) -> None:
    path, out = tmp_path / "session.mp4", tmp_path / "out.mp4"
    with closing(create_film(path, SPEC, "fragments")) as film:
        clip = film.begin("One.")
        write(clip, 0, 12)  # type: ignore[arg-type]
        with pytest.raises(InterruptedError):
            job(path, out, PLAIN, check=stop_at(12 + 10)).run()
        write(clip, 12, 12)  # type: ignore[arg-type]
        notes = job(path, out, PLAIN).run()
        clip.finish()
    assert GROWING_NOTE in notes
    assert [number(bgr(frame)) for frame in frames(out)] == list(range(12))
    assert packets(out, "audio") == packets(path, "audio")[: len(packets(out, "audio"))]
