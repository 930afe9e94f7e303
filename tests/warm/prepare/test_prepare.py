"""Photos and videos of faces become avatars; everything else is refused and leaves nothing."""

import errno
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.sample_videos import Picture, as_frame, cut_off, film, portrait, swaying
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD, Avatar, AvatarBuild
from warm.avatars.recipe import ENGINES, BadPreparationSettings, PreparationSettings
from warm.avatars.store import AvatarStore, BadAvatarId
from warm.engines.base import Engine
from warm.face.finder import FaceFinder
from warm.face.landmarks import eye_centres, inter_ocular, lip_gap, to_68
from warm.media.sniff import DamagedMediaError, MediaError, UnknownMediaError
from warm.prepare.arrays import FrameFile, allocate
from warm.prepare.build import choose_loop
from warm.prepare.errors import (
    DiskFullError,
    FaceMissingError,
    NoFaceError,
    NotWritableError,
    ShortVideoError,
    SmallFaceError,
)
from warm.prepare.face_tracking import fill_gaps, find_cuts, find_gaps
from warm.prepare.region import face_boxes, mouth_mask, to_canonical
from warm.prepare.run import FACE_MODELS, prepare

SECOND = PreparationSettings(max_s=1)


class CountingEngine:
    """Caches one array with each avatar, and knows how often it was asked to."""

    name = "counting"

    def __init__(self) -> None:
        self.prepared = 0

    def prepare(self, build: AvatarBuild) -> None:
        self.prepared += 1
        build.write_array("greys", build.frames.mean(axis=(1, 2, 3)))


class Workshop:
    """A results folder, and an engine for what is prepared in it."""

    def __init__(self, results: Path) -> None:
        self.store = AvatarStore(results)
        self.engine = CountingEngine()

    def make(
        self,
        source: Path,
        settings: PreparationSettings = SECOND,
        *,
        avatar_id: str = "face",
        force: bool = False,
    ) -> Avatar:
        return prepare(
            source,
            avatar_id=avatar_id,
            store=self.store,
            settings=settings,
            force=force,
            engine=self._engine,
        )

    def left(self) -> list[str]:
        """What lies in the avatars' folder."""
        root = self.store.root
        return sorted(path.name for path in root.iterdir()) if root.exists() else []

    def notes(self) -> str:
        return " ".join(self.store.summary("face").notes)

    def _engine(self) -> Engine:
        return self.engine  # type: ignore[return-value]  # prepares, and is asked for no more


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "results")


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder(FACE_MODELS)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "hopper.png"
    cv2.imwrite(str(path), portrait(240))
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("video") / "hopper.mp4", swaying(25))


@pytest.fixture(scope="module")
def of_photo(photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    return Workshop(tmp_path_factory.mktemp("of_photo")).make(photo)


@pytest.fixture(scope="module")
def of_video(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    return Workshop(tmp_path_factory.mktemp("of_video")).make(video)


def decoded(path: Path) -> list[Picture]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(cv2.PSNR(np.ascontiguousarray(a), np.ascontiguousarray(b)))


def test_a_photo_becomes_a_twelve_second_loop(of_photo: Avatar) -> None:
    assert of_photo.frames.shape == (300, 240, 204, 3)
    assert of_photo.loop == "forward" and of_photo.period == 300
    assert psnr(of_photo.frames[0], portrait(240)) > 25


def test_landmarks_and_transforms_lie_on_the_face_of_every_frame(
    of_photo: Avatar, of_video: Avatar, finder: FaceFinder
) -> None:
    for avatar in (of_photo, of_video):
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


def test_a_video_of_one_second_becomes_a_loop_with_its_mouth_closed(of_video: Avatar) -> None:
    assert of_video.frames.shape == (25, 240, 204, 3)
    assert of_video.loop == "pingpong" and of_video.period == 50
    assert lip_gap(of_video.landmarks).max() < 0.035
    assert not (of_video.folder / "source.npy").exists()


def test_a_mirrored_video_with_a_title_in_latin_1_is_prepared_upright(
    workshop: Workshop, tmp_path: Path
) -> None:
    """Its stored pictures are upside down: the matrix mirrors them from top to bottom."""
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
    avatar = workshop.make(tmp_path / "film.mp4")
    assert psnr(avatar.frames[0], swaying(1)[0]) > 25
    assert "matrix" not in workshop.notes()


def test_the_engine_adds_its_own_arrays(of_photo: Avatar) -> None:
    assert np.allclose(of_photo.extras["greys"], of_photo.frames.mean(axis=(1, 2, 3)))


def test_the_idle_film_shows_the_loop_once_without_sound_index_in_front(
    of_photo: Avatar, of_video: Avatar
) -> None:
    for avatar in (of_photo, of_video):
        path = avatar.folder / "idle.mp4"
        shown = decoded(path)
        assert len(shown) == avatar.period
        for cursor in (0, len(shown) // 2, len(shown) - 1):
            assert psnr(shown[cursor], avatar.frames[avatar.index_at(cursor)]) > 30
        with av.open(str(path)) as container:
            assert [stream.type for stream in container.streams] == ["video"]
        data = path.read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")


def test_the_preview_shows_the_frame_with_box_landmarks_and_mask(of_photo: Avatar) -> None:
    preview = cv2.imread(str(of_photo.folder / "preview.png"))
    assert preview is not None and preview.shape == of_photo.frames.shape[1:]
    left, top, right, bottom = of_photo.extras["boxes"][0].round().astype(int)
    assert preview[(top + bottom) // 2, left].tolist() == [60, 200, 255]
    changed = np.abs(preview.astype(int) - of_photo.frames[0]).max(axis=2) > 20
    assert changed[top : bottom + 1, left : right + 1].mean() > 0.1
    assert not changed[: top - 3].any() and not changed[bottom + 3 :].any()


def test_a_second_run_touches_nothing_and_another_name_of_the_file_changes_nothing(
    photo: Path, workshop: Workshop, tmp_path: Path
) -> None:
    first = workshop.make(photo)
    written = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    copy = shutil.copy(photo, tmp_path / "copy.jpg")
    assert workshop.make(copy).digest == first.digest
    assert {path: path.stat().st_mtime_ns for path in first.folder.iterdir()} == written
    assert workshop.engine.prepared == 1


def test_a_changed_setting_or_source_or_force_rebuilds(video: Path, workshop: Workshop) -> None:
    first = workshop.make(video)
    shifted = workshop.make(video, replace(SECOND, bbox_shift=7))
    assert shifted.digest != first.digest
    assert np.allclose(shifted.extras["boxes"][:, 1] - first.extras["boxes"][:, 1], 14)
    assert workshop.make(video, replace(SECOND, bbox_shift=7), force=True).digest == shifted.digest
    other = film(video.with_name("other.mp4"), swaying(12))
    assert len(workshop.make(other).frames) == 12
    assert workshop.engine.prepared == 4
    assert workshop.left() == ["face"]


def test_an_engine_that_prepares_something_new_makes_the_avatar_anew(
    video: Path, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.make(video)
    monkeypatch.setitem(ENGINES, "viseme", 1000)
    workshop.make(video)
    assert workshop.engine.prepared == 2


def test_a_damaged_avatar_is_made_again(video: Path, workshop: Workshop) -> None:
    folder = workshop.make(video).folder
    (folder / "boxes.npy").unlink()
    assert "boxes" in workshop.make(video).extras


def test_of_several_faces_the_largest_is_used_and_it_is_said(
    workshop: Workshop, tmp_path: Path
) -> None:
    wide = np.full((320, 460, 3), 128, np.uint8)
    small, large = portrait(180), portrait(320)
    wide[: small.shape[0], : small.shape[1]] = small
    wide[:, -large.shape[1] :] = large
    cv2.imwrite(str(tmp_path / "two.png"), wide)
    avatar = workshop.make(tmp_path / "two.png")
    assert avatar.landmarks[0, :, 0].min() > 460 - large.shape[1]
    assert "There are 2 faces; the largest one is used" in workshop.notes()


def test_a_large_photo_is_scaled_down_and_it_is_said(workshop: Workshop, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "big.jpg"), portrait(2400))
    avatar = workshop.make(tmp_path / "big.jpg", replace(SECOND, max_side=240))
    assert avatar.size == (204, 240)
    assert "scaled down from 2048x2400 to 204x240" in workshop.notes()


def test_of_a_long_video_the_beginning_is_used_and_it_is_said(
    workshop: Workshop, tmp_path: Path
) -> None:
    film(tmp_path / "long.mp4", swaying(60))
    assert len(workshop.make(tmp_path / "long.mp4").frames) == 25
    assert "2.4 s long; its first 1 s are used" in workshop.notes()


def without_face(pictures: list[Picture], *stretches: tuple[int, int]) -> list[Picture]:
    for start, end in stretches:
        for picture in pictures[start:end]:
            picture[:] = 90
    return pictures


def test_a_short_absence_is_bridged_and_at_the_ends_cut_off(
    workshop: Workshop, tmp_path: Path
) -> None:
    pictures = without_face(swaying(25), (0, 2), (10, 15), (24, 25))
    avatar = workshop.make(film(tmp_path / "film.mp4", pictures))
    assert len(avatar.frames) == 22
    steps = np.linalg.norm(np.diff(avatar.landmarks[..., :2].mean(axis=1), axis=0), axis=-1)
    assert steps.max() < 2.5


def test_long_absences_are_refused_with_their_times(workshop: Workshop, tmp_path: Path) -> None:
    pictures = without_face(swaying(75), (5, 25), (35, 38), (50, 75))
    with pytest.raises(FaceMissingError, match=r"at 0\.20-1\.00 s, 2\.00-3\.00 s; at most"):
        workshop.make(film(tmp_path / "film.mp4", pictures), PreparationSettings())
    assert workshop.left() == []


def noise(tmp_path: Path) -> Path:
    picture = np.random.default_rng(0).integers(0, 255, (200, 240, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), picture)
    return tmp_path / "noise.png"


def test_a_photo_or_video_without_a_face_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match="No face was found"):
        workshop.make(noise(tmp_path))
    blank = film(tmp_path / "blank.mp4", without_face(swaying(8), (0, 8)))
    with pytest.raises(NoFaceError, match="in 8 frames"):
        workshop.make(blank)
    assert workshop.left() == []


def test_a_face_under_64_pixels_is_refused_with_its_size(
    workshop: Workshop, tmp_path: Path
) -> None:
    scene = np.full((480, 640, 3), 90, np.uint8)
    small = portrait(110)
    scene[100 : 100 + small.shape[0], 200 : 200 + small.shape[1]] = small
    cv2.imwrite(str(tmp_path / "far.png"), scene)
    with pytest.raises(SmallFaceError, match=r"\d\d px high .* 640x480; at least 64 px"):
        workshop.make(tmp_path / "far.png")
    assert workshop.left() == []


def test_broken_and_unknown_files_leave_nothing(
    photo: Path, video: Path, workshop: Workshop, tmp_path: Path
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
            workshop.make(source)
    assert workshop.left() == []


def test_a_video_of_three_frames_is_too_short(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(ShortVideoError, match=r"0\.12 s; at least 0\.2 s"):
        workshop.make(film(tmp_path / "short.mp4", swaying(3)))
    assert workshop.left() == []


def test_a_bad_name_is_refused_before_any_work(photo: Path, workshop: Workshop) -> None:
    with pytest.raises(BadAvatarId):
        workshop.make(photo, avatar_id="../face")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fps", 7, "fps is 7; allowed are 10 to 60"),
        ("fps", 29, "must divide 48000"),
        ("bbox_shift", 61, "bbox_shift is 61; allowed are -60 to 60"),
        ("max_side", 64, "max_side is 64"),
        ("max_s", 0, "max_s is 0"),
        ("engine", "wav2lip", "engine is 'wav2lip'; allowed are 'viseme'"),
    ],
)
def test_a_setting_out_of_range_is_named(name: str, value: int | str, message: str) -> None:
    with pytest.raises(BadPreparationSettings, match=message):
        PreparationSettings(**{name: value})  # type: ignore[arg-type]


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """The system refuses longer files, as a full disk or quota would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size_bytes", [100_000, 5_000_000])
def test_a_full_disk_keeps_the_old_avatar_and_leaves_nothing(
    size_bytes: int, photo: Path, video: Path, workshop: Workshop
) -> None:
    old = workshop.make(video)
    settings = replace(SECOND, bbox_shift=3)
    for source in (photo, video) if size_bytes < 3_000_000 else (photo,):
        with largest_file(size_bytes), pytest.raises(DiskFullError, match=r"no room .* Free some"):
            workshop.make(source, settings)
    assert workshop.left() == ["face"]
    assert np.array_equal(workshop.store.open("face", verify=True).frames, old.frames)


def test_an_idle_film_that_fits_nowhere_is_a_full_disk(
    video: Path, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warm.prepare.idle_film.count_frames", lambda _path: 3)
    with pytest.raises(DiskFullError, match="only 3 frames were written"):
        workshop.make(video)
    assert workshop.left() == []


def test_a_folder_that_cannot_be_written_is_named(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where a folder should be")
    with pytest.raises(NotWritableError, match=r"results.avatars cannot be written.*--results"):
        Workshop(tmp_path / "results").make(photo)


def test_an_array_is_refused_before_it_is_written_where_there_is_no_room(tmp_path: Path) -> None:
    with largest_file(10_000), pytest.raises(OSError) as failed:
        allocate(tmp_path / "a.npy", (100, 1000))
    assert failed.value.errno in {errno.EFBIG, errno.ENOSPC}


def test_frames_appended_one_by_one_are_an_array(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (11, 6, 8, 3), np.uint8)
    with FrameFile(tmp_path / "frames.npy") as file:
        for picture in pictures:
            file.append(picture[:, ::-1])
        with pytest.raises(ValueError, match="frame 11 is"):
            file.append(pictures[0, 1:])
    read = np.load(tmp_path / "frames.npy", allow_pickle=False)
    assert np.array_equal(read, pictures[:, :, ::-1])


def test_absences_are_found_wherever_they_lie() -> None:
    present = np.array([0, 1, 1, 0, 0, 1, 0], bool)
    assert find_gaps(present) == [(0, 1), (3, 5), (6, 7)]
    assert find_gaps(np.ones(3, bool)) == []


def test_a_bridge_is_a_straight_line() -> None:
    def points(x: float) -> NDArray[np.float32]:
        return np.full((468, 3), x, np.float32)

    keep, measured = fill_gaps([None, points(1), None, None, points(4), points(5), None], 25)
    assert keep == slice(1, 6)
    assert measured[:, 0, 0].tolist() == [1, 2, 3, 4, 5]


def test_a_jump_of_the_face_is_called_a_cut(of_video: Avatar) -> None:
    assert find_cuts(of_video.landmarks) == []
    landmarks = of_video.landmarks.copy()
    landmarks[12:, :, 0] += 150
    assert find_cuts(landmarks) == [12]


def test_a_clip_that_ends_where_it_began_runs_forward() -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.zeros((40, 256, 256, 3), np.uint8)
    for frame, angle in zip(circle, angles, strict=True):
        centre = round(128 + 64 * np.cos(angle)), round(128 + 64 * np.sin(angle))
        cv2.circle(frame, centre, 32, (255, 255, 255), -1)
    assert choose_loop(circle) == "forward"
    assert choose_loop(circle[:20]) == "pingpong"


def test_boxes_follow_the_convention_of_68_points(of_photo: Avatar) -> None:
    points = to_68(of_photo.landmarks)[..., :2]
    boxes = face_boxes(of_photo.landmarks, 0)
    assert np.allclose((boxes[:, 1] + boxes[:, 3]) / 2, points[:, 29, 1], atol=1e-3)
    assert np.allclose(boxes[:, 3], points[..., 1].max(axis=1))
    assert np.allclose(face_boxes(of_photo.landmarks, -5)[:, 1], boxes[:, 1] - 10, atol=1e-3)


def test_the_mask_covers_the_mouth_and_spares_eyes_and_nose(of_photo: Avatar) -> None:
    mask = of_photo.extras["mask"]
    points = np.median(to_canonical(to_68(of_photo.landmarks), of_photo.transforms), axis=0)
    values = mask[points[:, 1].round().astype(int).clip(0, 255), points[:, 0].astype(int)]
    assert (values[48:] > 200).all()
    assert (values[36:48] == 0).all() and values[30] == 0
    assert mask[0].max() == mask[-1].max() == mask[:, 0].max() == mask[:, -1].max() == 0
    lower = mouth_mask(of_photo.landmarks, of_photo.transforms, 8)
    assert lower.sum() < mask.sum()
