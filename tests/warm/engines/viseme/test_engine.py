"""The mouth in finished frames of a real face."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.engines.contract import EngineContract, EngineUnderTest, spoken_vowels
from tests.warm.portraits import (
    MODELS,
    UPRIGHT,
    build_portrait,
    draw_frame,
    mouth_shape,
    open_build,
    portrait,
    prepare_and_load,
    rotation_about_face,
)
from warm.avatars.avatar import Avatar
from warm.avatars.recipe import PreparationError
from warm.avatars.store import AvatarOutdated
from warm.engines.base import Engine, PatchRequest
from warm.engines.viseme.engine import VisemeEngine
from warm.engines.viseme.shape import FULL_GAP_IOD
from warm.face.attention_mesh import AttentionMesh
from warm.face.landmarks import CLOSED_GAP_IOD, inter_ocular, lip_gap, lip_width
from warm.face.models import FaceModelError

Picture = NDArray[np.uint8]
Draw = Callable[..., Picture]
LoadedAvatar = tuple[Avatar, VisemeEngine]
ROLL = 22.0
EXTREMES = [
    {"open": 1.2},
    {"open": 1.0, "round": 1.0, "wide": -1.0},
    {"open": 1.0, "wide": 1.0, "teeth": 1.0},
    {"press": 1.0, "round": 1.0},
    {"tuck": 1.0, "tongue": 1.0, "open": 0.3},
    {"open": 5.0, "wide": 9.0, "press": -3.0},
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedAvatar:
    poses = [UPRIGHT, rotation_about_face(ROLL), rotation_about_face(-6.0)]
    return prepare_and_load(build_portrait(tmp_path_factory.mktemp("portrait"), portrait(), poses))


@pytest.fixture(scope="module")
def draw(loaded: LoadedAvatar) -> Draw:
    avatar, engine = loaded
    return lambda frame=0, **numbers: draw_frame(avatar, engine, mouth_shape(**numbers), frame)


@pytest.fixture(scope="module")
def landmarks(loaded: LoadedAvatar) -> Callable[..., NDArray[np.float32]]:
    mesh = AttentionMesh(MODELS)
    return lambda picture, frame=0: mesh.track(picture, loaded[0].landmarks[frame]).points


def test_it_implements_the_engine_interface() -> None:
    engine: Engine = VisemeEngine(MODELS)
    engine.load()
    assert engine.name == "viseme"
    assert engine.device_status()["device"] == "cpu"


@pytest.fixture(scope="module")
def under_test(loaded: LoadedAvatar) -> EngineUnderTest:
    return EngineUnderTest(engine=loaded[1], avatar=loaded[0], speech=spoken_vowels())


class TestContract(EngineContract):
    """The contract for the embedded engine."""


def test_a_neutral_mouth_changes_no_pixel(loaded: LoadedAvatar, draw: Draw) -> None:
    for frame in range(3):
        assert np.array_equal(draw(frame), loaded[0].frames[frame])


def test_a_patch_is_aligned_with_the_frames_pixels(loaded: LoadedAvatar) -> None:
    avatar, engine = loaded
    (patch,) = engine.submit([PatchRequest(avatar, 1, mouth_shape(open=0.5))]).patches()
    assert np.array_equal(patch.to_frame[:, :2], np.eye(2))
    assert np.array_equal(patch.to_frame, np.round(patch.to_frame))
    assert patch.picture.dtype == patch.mask.dtype == np.uint8
    assert patch.picture.shape == (*patch.mask.shape, 3)


@pytest.mark.parametrize("numbers", EXTREMES, ids=str)
def test_no_edge_is_visible_where_the_patch_ends(
    loaded: LoadedAvatar, numbers: dict[str, float]
) -> None:
    avatar, engine = loaded
    for frame in range(3):
        (patch,) = engine.submit([PatchRequest(avatar, frame, mouth_shape(**numbers))]).patches()
        left, top = patch.to_frame[:, 2].astype(int)
        height, width = patch.mask.shape
        under = avatar.frames[frame][top : top + height, left : left + width]
        fading = (patch.mask > 0) & (patch.mask < 128)
        change = np.abs(patch.picture.astype(int) - under)[fading]
        assert fading.any()
        assert change.mean() < 1.5


def test_eyes_collar_and_background_do_not_change(loaded: LoadedAvatar, draw: Draw) -> None:
    frame, moved = loaded[0].frames[0], draw(open=1.0)
    points = loaded[0].landmarks[0]
    iod = float(inter_ocular(points))
    still = np.ones(frame.shape[:2], bool)
    top, bottom = points[1, 1] - 0.2 * iod, points[152, 1] + 0.42 * iod
    still[int(top) : int(bottom), int(points[13, 0] - iod) : int(points[13, 0] + iod)] = False
    assert np.array_equal(moved[still], frame[still])
    assert np.abs(moved.astype(int) - frame)[~still].mean() > 1


@pytest.mark.parametrize("opening", [0.25, 0.5, 0.75, 1.0])
def test_the_measured_gap_is_the_requested_one(
    draw: Draw, landmarks: Callable[..., NDArray[np.float32]], opening: float
) -> None:
    gap = float(lip_gap(landmarks(draw(open=opening))))
    assert gap == pytest.approx(opening * FULL_GAP_IOD, abs=0.03)


def test_the_gap_rises_as_asked(draw: Draw, landmarks: Callable[..., NDArray[np.float32]]) -> None:
    asked = np.array([0.05, 0.15, 0.3, 0.5, 0.7, 0.9])
    gaps = [float(lip_gap(landmarks(draw(open=opening)))) for opening in asked]
    assert np.polyfit(asked * FULL_GAP_IOD, gaps, 1)[0] == pytest.approx(1.0, abs=0.1)


def test_rounded_and_toothy_openings_are_calibrated(
    draw: Draw, landmarks: Callable[..., NDArray[np.float32]]
) -> None:
    rounded = float(lip_gap(landmarks(draw(open=0.5, round=1.0))))
    toothy = float(lip_gap(landmarks(draw(open=0.3, teeth=1.0))))
    assert rounded == pytest.approx(0.5 * FULL_GAP_IOD, abs=0.035)
    assert toothy == pytest.approx(0.3 * FULL_GAP_IOD, abs=0.035)


def test_pressed_lips_are_closed_and_thinner(
    draw: Draw, landmarks: Callable[..., NDArray[np.float32]]
) -> None:
    rest, pressed = landmarks(draw()), landmarks(draw(press=1.0))
    assert float(lip_gap(pressed)) < CLOSED_GAP_IOD
    assert height_of_lips(pressed) < 0.93 * height_of_lips(rest)


def height_of_lips(points: NDArray[np.float32]) -> float:
    return float(points[17, 1] - points[0, 1])


def test_the_mouth_of_i_is_wider_than_that_of_u(
    draw: Draw, landmarks: Callable[..., NDArray[np.float32]]
) -> None:
    wide = float(lip_width(landmarks(draw(open=0.24, wide=1.0))))
    narrow = float(lip_width(landmarks(draw(open=0.16, round=1.0, wide=-0.3))))
    assert wide - narrow >= 0.12


def test_u_hides_the_teeth_and_i_shows_them(loaded: LoadedAvatar, draw: Draw) -> None:
    x, y = loaded[0].landmarks[0, 13, :2].astype(int)
    toothy, rounded = (
        brightest(picture, x, y)
        for picture in (draw(open=0.4, wide=0.8), draw(open=0.4, round=1.0, wide=-0.3))
    )
    assert toothy > rounded + 20


def brightest(picture: Picture, x: int, y: int) -> float:
    """Blue level of the brightest tenth of the opening; skin and lips are low in blue."""
    return float(np.percentile(picture[y - 2 : y + 9, x - 12 : x + 12, 0], 90))


def test_the_chin_drops_by_most_of_the_opening(loaded: LoadedAvatar, draw: Draw) -> None:
    points = loaded[0].landmarks[0]
    drop = flow_at(draw(), draw(open=0.8), points[[199, 200], :2])[:, 1].mean()
    iod = float(inter_ocular(points))
    assert 0.4 < drop / (0.8 * FULL_GAP_IOD * iod) < 0.95


def flow_at(before: Picture, after: Picture, points: NDArray[np.float32]) -> NDArray[np.float32]:
    grey = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in (before, after)]
    start = np.ascontiguousarray(points[:, None])
    moved, found, _ = cv2.calcOpticalFlowPyrLK(grey[0], grey[1], start, start.copy())
    assert found.all()
    return np.asarray((moved - start)[:, 0])


def test_the_mouth_turns_with_the_head(loaded: LoadedAvatar, draw: Draw) -> None:
    """Catches a patch that is drawn upright: at 22 degrees it is 15 dB worse."""
    avatar = loaded[0]
    for numbers in ({"open": 0.9}, {"open": 0.3, "round": 1.0}, {"press": 1.0}):
        upright, turned = draw(0, **numbers), draw(1, **numbers)
        back = cv2.warpAffine(
            turned,
            rotation_about_face(ROLL),
            upright.shape[1::-1],
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        )
        x, y = avatar.landmarks[0, 14, :2].astype(int)
        part = np.s_[y - 45 : y + 75, x - 70 : x + 70]
        assert cv2.PSNR(np.asarray(back)[part], upright[part]) > 27


def test_one_batch_may_mix_avatars_and_keeps_no_state(loaded: LoadedAvatar, tmp_path: Path) -> None:
    avatar, engine = loaded
    half = cv2.resize(portrait(), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    build = build_portrait(tmp_path, np.asarray(half, np.uint8))
    engine.prepare(build)
    other = open_build(build, "other")
    engine.load_avatar(other)
    requests = [
        PatchRequest(avatar, 0, mouth_shape(open=0.7)),
        PatchRequest(other, 0, mouth_shape(open=0.7)),
        PatchRequest(avatar, 2, mouth_shape(round=1.0)),
    ]
    together = engine.submit(requests).patches()
    alone = [engine.submit([request]).patches()[0] for request in reversed(requests)][::-1]
    for one, two in zip(together, alone, strict=True):
        assert np.array_equal(one.picture, two.picture)
    assert together[1].picture.shape[1] < 0.6 * together[0].picture.shape[1]


@pytest.mark.parametrize(
    ("crop", "scale"),
    [
        (np.s_[120:322, 150:400], 1.0),
        (np.s_[100:420, 225:511], 1.0),
        (np.s_[60:461, 90:443], 0.33),
    ],
    ids=["chin cut off", "cheek cut off", "face of 64 pixels, odd size"],
)
def test_cropped_and_small_pictures_are_drawn_inside_the_frame(
    tmp_path: Path, crop: tuple[slice, slice], scale: float
) -> None:
    picture = cv2.resize(portrait()[crop], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    avatar, engine = prepare_and_load(build_portrait(tmp_path, np.asarray(picture, np.uint8)))
    for numbers in EXTREMES:
        (patch,) = engine.submit([PatchRequest(avatar, 0, mouth_shape(**numbers))]).patches()
        low = patch.to_frame[:, 2]
        high = low + patch.mask.shape[::-1]
        assert (low >= 0).all() and (high <= avatar.size).all()
        changed = np.abs(
            draw_frame(avatar, engine, mouth_shape(**numbers)).astype(int) - avatar.frames[0]
        )
        assert changed.max() > 20


def test_an_avatar_of_another_version_is_refused_with_the_command_to_run(
    loaded: LoadedAvatar,
) -> None:
    avatar = replace(loaded[0], extras={})
    with pytest.raises(AvatarOutdated, match="python -m warm prepare"):
        VisemeEngine(MODELS).load_avatar(avatar)


def test_a_missing_face_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FaceModelError, match="python -m warm models face"):
        VisemeEngine(tmp_path).prepare(build_portrait(tmp_path, portrait()))


def test_a_learned_mouth_is_refused_for_a_photo_in_words(tmp_path: Path) -> None:
    build = build_portrait(tmp_path, portrait())
    with pytest.raises(PreparationError, match=r"talking video.*set mouth to 'auto' or 'painted'"):
        VisemeEngine(MODELS, mouth="learned").prepare(build)


def test_the_report_of_a_mouth_says_why_it_is_painted(tmp_path: Path) -> None:
    build = build_portrait(tmp_path, portrait())
    VisemeEngine(MODELS, mouth="painted").prepare(build)
    assert build.mouth is not None
    assert build.mouth.line() == "Mouth: painted. The settings ask for it."
