"""Preparation of photos and videos of faces; other sources are refused and leave no file."""

import shutil
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.prepare.preparer import ONE_SECOND, Preparer, largest_file
from tests.warm.sample_videos import Picture, as_frame, cut_off, film, portrait, swaying
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD, Avatar
from warm.avatars.recipe import ENGINES, BadPreparationSettings, PreparationSettings
from warm.avatars.store import AvatarStore, BadAvatarId
from warm.face.finder import FaceFinder
from warm.face.landmarks import eye_centres, inter_ocular, lip_gap
from warm.face.models import ATTENTION_MESH, FaceModelError
from warm.media.sniff import DamagedMediaError, MediaError, UnknownMediaError
from warm.prepare.errors import (
    DiskFullError,
    FaceMissingError,
    NoFaceError,
    NotWritableError,
    ShortVideoError,
    SmallFaceError,
)
from warm.prepare.run import FACE_MODELS, prepare
from warm.render.compositing import own_frames

pytestmark = pytest.mark.slow


def decoded(path: Path) -> list[Picture]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(cv2.PSNR(np.ascontiguousarray(a), np.ascontiguousarray(b)))


def test_a_photo_becomes_a_long_loop_of_fewer_frames(photo_avatar: Avatar) -> None:
    assert photo_avatar.frames.shape == (446, 240, 204, 3)
    assert photo_avatar.loop == "forward" and photo_avatar.period == 36 * photo_avatar.fps
    assert psnr(photo_avatar.frames[0], portrait(240)) > 25


def test_landmarks_and_transforms_match_the_face_in_every_frame(
    photo_avatar: Avatar, video_avatar: Avatar, finder: FaceFinder
) -> None:
    for avatar in (photo_avatar, video_avatar):
        half = np.array([CANONICAL_IOD / 2, 0])
        eyes = np.stack([CANONICAL_EYES - half, CANONICAL_EYES + half])
        for index in range(0, len(avatar.frames), 8):
            found = finder.find(avatar.frames[index])[0].mesh.points
            iod = float(inter_ocular(found))
            known = avatar.landmarks[index]
            assert np.abs(eye_centres(known) - eye_centres(found)).max() < 0.06 * iod
            to_frame = avatar.transforms[index]
            placed = eyes @ to_frame[:, :2].T + to_frame[:, 2]
            assert np.abs(placed - eye_centres(found)).max() < 0.1 * iod


def test_a_video_of_one_second_becomes_a_loop_with_its_mouth_closed(video_avatar: Avatar) -> None:
    assert video_avatar.frames.shape == (25, 240, 204, 3)
    assert video_avatar.loop == "pingpong" and video_avatar.period == 50
    assert lip_gap(video_avatar.landmarks).max() < 0.035
    assert not (video_avatar.folder / "source.npy").exists()


def test_the_engine_gets_the_frames_as_filmed(photo_avatar: Avatar, video_avatar: Avatar) -> None:
    filmed = np.asarray(video_avatar.extras["filmed"], np.uint8)
    for shown, original in zip(filmed, swaying(25)[:: len(swaying(25)) - 1], strict=True):
        assert psnr(shown, original) > 30
    assert psnr(filmed[0], video_avatar.frames[0]) < 50, "the avatar's mouth was closed"
    field = np.asarray(video_avatar.extras["opening_field"])
    assert field.shape[2] == 4 and 0.1 < np.abs(field).max() < 20
    assert not field[[0, -1]].any() and not field[:, [0, -1]].any()
    assert "filmed" not in photo_avatar.extras


def test_a_mirrored_video_with_a_title_in_latin_1_is_prepared_upright(
    preparer: Preparer, tmp_path: Path
) -> None:
    """Its stored pictures are upside down; the matrix flips them vertically."""
    with av.open(str(tmp_path / "film.mp4"), "w", metadata_encoding="latin-1") as container:
        container.metadata["title"] = "Käse"
        stream = container.add_stream("libx264", rate=25)
        stream.set_display_matrix([1 << 16, 0, 0, 0, -1 << 16, 0, 0, 0, 1 << 30])
        for k, picture in enumerate(swaying(12)):
            if k == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(as_frame(np.ascontiguousarray(picture[::-1]))))
        container.mux(stream.encode())
    avatar = preparer.prepare(tmp_path / "film.mp4")
    assert psnr(avatar.frames[0], swaying(1)[0]) > 25
    assert "matrix" not in preparer.notes()


def test_the_engine_adds_its_own_array(photo_avatar: Avatar) -> None:
    assert np.allclose(photo_avatar.extras["greys"], photo_avatar.frames.mean(axis=(1, 2, 3)))


def test_the_idle_film_is_one_period_without_sound_and_with_its_index_in_front(
    photo_avatar: Avatar, video_avatar: Avatar
) -> None:
    for avatar in (photo_avatar, video_avatar):
        path = avatar.folder / "idle.mp4"
        shown = decoded(path)
        assert len(shown) == avatar.period
        for cursor in (0, len(shown) // 2, len(shown) - 1):
            (expected,) = own_frames(avatar, [avatar.shown_at(cursor)])
            assert psnr(shown[cursor], expected) > 30
        with av.open(str(path)) as container:
            assert [stream.type for stream in container.streams] == ["video"]
        data = path.read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")


def test_the_preview_shows_the_frame_with_box_landmarks_and_mask(photo_avatar: Avatar) -> None:
    preview = cv2.imread(str(photo_avatar.folder / "preview.png"))
    assert preview is not None and preview.shape == photo_avatar.frames.shape[1:]
    left, top, right, bottom = photo_avatar.extras["boxes"][0].round().astype(int)
    assert preview[(top + bottom) // 2, left].tolist() == [60, 200, 255]
    changed = np.abs(preview.astype(int) - photo_avatar.frames[0]).max(axis=2) > 20
    assert changed[top : bottom + 1, left : right + 1].mean() > 0.1
    assert not changed[: top - 3].any() and not changed[bottom + 3 :].any()


def test_preparing_again_changes_nothing_even_under_another_file_name(
    photo: Path, preparer: Preparer, tmp_path: Path
) -> None:
    first = preparer.prepare(photo)
    written = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    copy = shutil.copy(photo, tmp_path / "copy.jpg")
    assert preparer.prepare(copy).digest == first.digest
    assert {path: path.stat().st_mtime_ns for path in first.folder.iterdir()} == written
    assert preparer.engine.prepared == 1


def test_a_changed_setting_a_changed_source_and_force_rebuild_the_avatar(
    video: Path, preparer: Preparer
) -> None:
    first = preparer.prepare(video)
    settings = replace(ONE_SECOND, bbox_shift=7)
    shifted = preparer.prepare(video, settings)
    assert shifted.digest != first.digest
    assert np.allclose(shifted.extras["boxes"][:, 1] - first.extras["boxes"][:, 1], 14)
    assert (
        preparer.prepare(video, replace(ONE_SECOND, bbox_shift=7), force=True).digest
        == shifted.digest
    )
    other = film(video.with_name("other.mp4"), swaying(12))
    assert len(preparer.prepare(other).frames) == 12
    assert preparer.engine.prepared == 4
    assert preparer.stored_names() == ["face"]


def test_a_new_version_of_the_engine_rebuilds_the_avatar(
    video: Path, preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparer.prepare(video)
    monkeypatch.setitem(ENGINES, "viseme", 1000)
    preparer.prepare(video)
    assert preparer.engine.prepared == 2


def test_a_damaged_avatar_is_rebuilt(video: Path, preparer: Preparer) -> None:
    folder = preparer.prepare(video).folder
    (folder / "boxes.npy").unlink()
    assert "boxes" in preparer.prepare(video).extras


def test_the_largest_of_several_faces_is_used_and_noted(preparer: Preparer, tmp_path: Path) -> None:
    wide = np.full((320, 460, 3), 128, np.uint8)
    small, large = portrait(180), portrait(320)
    wide[: small.shape[0], : small.shape[1]] = small
    wide[:, -large.shape[1] :] = large
    cv2.imwrite(str(tmp_path / "two.png"), wide)
    avatar = preparer.prepare(tmp_path / "two.png")
    assert avatar.landmarks[0, :, 0].min() > 460 - large.shape[1]
    message = preparer.remarks()["several_faces"].message
    assert message == "There are 2 faces; the largest one is used."


def test_a_large_photo_is_scaled_down_and_noted(preparer: Preparer, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "big.jpg"), portrait(2400))
    avatar = preparer.prepare(tmp_path / "big.jpg", replace(ONE_SECOND, max_side=240))
    assert avatar.size == (204, 240)
    assert "scaled down from 2048x2400 to 204x240" in preparer.notes()


def test_only_the_beginning_of_a_long_video_is_used_and_noted(
    preparer: Preparer, tmp_path: Path
) -> None:
    film(tmp_path / "long.mp4", swaying(60))
    assert len(preparer.prepare(tmp_path / "long.mp4").frames) == 25
    assert "2.4 s long; only its first 1 s are used" in preparer.notes()


def without_face(pictures: list[Picture], *gaps: tuple[int, int]) -> list[Picture]:
    for start, end in gaps:
        for picture in pictures[start:end]:
            picture[:] = 90
    return pictures


def test_short_gaps_are_interpolated_and_cut_off_at_the_ends(
    preparer: Preparer, tmp_path: Path
) -> None:
    pictures = without_face(swaying(25), (0, 2), (10, 15), (24, 25))
    avatar = preparer.prepare(film(tmp_path / "film.mp4", pictures))
    assert len(avatar.frames) == 22
    steps = np.linalg.norm(np.diff(avatar.landmarks[..., :2].mean(axis=1), axis=0), axis=-1)
    assert steps.max() < 2.5


def test_long_gaps_are_refused_with_their_times(preparer: Preparer, tmp_path: Path) -> None:
    pictures = without_face(swaying(75), (5, 25), (35, 38), (50, 75))
    with pytest.raises(FaceMissingError, match=r"at 0\.20-1\.00 s, 2\.00-3\.00 s; at most"):
        preparer.prepare(film(tmp_path / "film.mp4", pictures), PreparationSettings())
    assert preparer.stored_names() == []


def noise(tmp_path: Path) -> Path:
    picture = np.random.default_rng(0).integers(0, 255, (200, 240, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), picture)
    return tmp_path / "noise.png"


def test_a_source_without_a_face_is_refused(preparer: Preparer, tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match="No face was found"):
        preparer.prepare(noise(tmp_path))
    blank = film(tmp_path / "blank.mp4", without_face(swaying(8), (0, 8)))
    with pytest.raises(NoFaceError, match="in 8 frames"):
        preparer.prepare(blank)
    assert preparer.stored_names() == []


def test_a_face_under_64_pixels_is_refused_with_its_size(
    preparer: Preparer, tmp_path: Path
) -> None:
    scene = np.full((480, 640, 3), 90, np.uint8)
    small = portrait(110)
    scene[100 : 100 + small.shape[0], 200 : 200 + small.shape[1]] = small
    cv2.imwrite(str(tmp_path / "far.png"), scene)
    with pytest.raises(SmallFaceError, match=r"\d\d px high .* 640x480; at least 64 px"):
        preparer.prepare(tmp_path / "far.png")
    assert preparer.stored_names() == []


def test_damaged_and_unknown_files_leave_no_file(
    photo: Path, video: Path, preparer: Preparer, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    sources = {
        tmp_path / "text.mp4": UnknownMediaError,
        tmp_path / "gone.mp4": MediaError,
        cut_off(photo, tmp_path / "cut.png", 0.5): DamagedMediaError,
        cut_off(video, tmp_path / "cut.mp4", 0.5): DamagedMediaError,
    }
    for source, error in sources.items():
        with pytest.raises(error):
            preparer.prepare(source)
    assert preparer.stored_names() == []


def test_a_video_of_three_frames_is_too_short(preparer: Preparer, tmp_path: Path) -> None:
    with pytest.raises(ShortVideoError, match=r"0\.12 s; at least 0\.2 s"):
        preparer.prepare(film(tmp_path / "short.mp4", swaying(3)))
    assert preparer.stored_names() == []


def test_an_invalid_avatar_id_is_refused(photo: Path, preparer: Preparer) -> None:
    with pytest.raises(BadAvatarId):
        preparer.prepare(photo, avatar_id="../face")


def test_a_missing_face_model_is_named_before_any_work(video: Path, tmp_path: Path) -> None:
    """Face models of an older version lack the attention mesh."""
    models, store = tmp_path / "models" / "face", AvatarStore(tmp_path / "avatars")
    shutil.copytree(FACE_MODELS, models, ignore=shutil.ignore_patterns(ATTENTION_MESH))
    steps: list[tuple[str, int, int]] = []
    with pytest.raises(FaceModelError, match=rf"{ATTENTION_MESH} is missing.*models face"):
        prepare(
            video,
            avatar_id="face",
            store=store,
            settings=ONE_SECOND,
            models=models,
            progress=lambda *step: steps.append(step),
        )
    assert steps == []
    assert list(store.root.iterdir()) == []


def test_an_engine_with_options_of_its_own_must_be_passed(photo: Path, tmp_path: Path) -> None:
    store, settings = AvatarStore(tmp_path), replace(ONE_SECOND, engine="musetalk")
    with pytest.raises(ValueError, match="'musetalk'; pass `engine`"):
        prepare(photo, avatar_id="face", store=store, settings=settings)
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fps", 7, "fps is 7; allowed are 10 to 60"),
        ("fps", 29, "must divide 48000"),
        ("bbox_shift", 61, "bbox_shift is 61; allowed are -60 to 60"),
        ("max_side", 64, "max_side is 64"),
        ("max_s", 0, "max_s is 0"),
        ("teeth", "show", "teeth is 'show'; allowed are 'close', 'keep'"),
        ("engine", "wav2lip", "engine is 'wav2lip'; allowed are 'viseme'"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(
    name: str, value: int | str, message: str
) -> None:
    with pytest.raises(BadPreparationSettings, match=message):
        PreparationSettings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("size_bytes", [100_000, 5_000_000])
def test_a_full_disk_keeps_the_old_avatar_and_leaves_no_file(
    size_bytes: int, photo: Path, video: Path, preparer: Preparer
) -> None:
    old = preparer.prepare(video)
    settings = replace(ONE_SECOND, bbox_shift=3)
    for source in (photo, video) if size_bytes < 3_000_000 else (photo,):
        with largest_file(size_bytes), pytest.raises(DiskFullError, match=r"no space .* Free some"):
            preparer.prepare(source, settings)
    assert preparer.stored_names() == ["face"]
    assert np.array_equal(preparer.store.open("face", verify=True).frames, old.frames)


def test_a_truncated_idle_film_is_reported_as_a_full_disk(
    video: Path, preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warm.prepare.idle_film.count_frames", lambda _path: 3)
    with pytest.raises(DiskFullError, match="only 3 frames were written"):
        preparer.prepare(video)
    assert preparer.stored_names() == []


def test_a_results_folder_that_is_not_writable_is_named(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where a folder should be")
    with pytest.raises(NotWritableError, match=r"results.avatars cannot be written.*--results"):
        Preparer(tmp_path / "results").prepare(photo)
