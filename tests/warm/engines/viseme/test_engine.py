"""The mouth on finished pictures of a real face."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.portraits import (
    MODELS,
    UPRIGHT,
    opened,
    portrait,
    prepared,
    rolled,
    shapes,
    shown,
    sit,
)
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarOutdated
from warm.engines.base import Engine, PatchRequest
from warm.engines.viseme.engine import VisemeEngine
from warm.engines.viseme.shape import FULL_GAP_IOD
from warm.face.landmarks import CLOSED_GAP_IOD, inter_ocular, lip_gap, lip_width
from warm.face.mesh import FaceMesh
from warm.face.models import FaceModelError

Picture = NDArray[np.uint8]
Show = Callable[..., Picture]
Sitter = tuple[Avatar, VisemeEngine]
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
def sitter(tmp_path_factory: pytest.TempPathFactory) -> Sitter:
    poses = [UPRIGHT, rolled(ROLL), rolled(-6.0)]
    return prepared(sit(tmp_path_factory.mktemp("sitter"), portrait(), poses))


@pytest.fixture(scope="module")
def show(sitter: Sitter) -> Show:
    avatar, engine = sitter
    return lambda frame=0, **amounts: shown(avatar, engine, shapes(**amounts), frame)


@pytest.fixture(scope="module")
def look(sitter: Sitter) -> Callable[..., NDArray[np.float32]]:
    mesh = FaceMesh(MODELS)
    return lambda picture, frame=0: mesh.track(picture, sitter[0].landmarks[frame]).points


def test_it_is_an_engine() -> None:
    engine: Engine = VisemeEngine(MODELS)
    engine.load()
    assert engine.name == "viseme"
    assert engine.device_status()["device"] == "cpu"


def test_a_mouth_at_rest_changes_no_pixel(sitter: Sitter, show: Show) -> None:
    for frame in range(3):
        assert np.array_equal(show(frame), sitter[0].frames[frame])


def test_a_patch_lies_on_the_frames_own_pixels(sitter: Sitter) -> None:
    avatar, engine = sitter
    (patch,) = engine.submit([PatchRequest(avatar, 1, shapes(open=0.5))]).patches()
    assert np.array_equal(patch.to_frame[:, :2], np.eye(2))
    assert np.array_equal(patch.to_frame, np.round(patch.to_frame))
    assert patch.picture.dtype == patch.mask.dtype == np.uint8
    assert patch.picture.shape == (*patch.mask.shape, 3)


@pytest.mark.parametrize("amounts", EXTREMES, ids=str)
def test_no_seam_shows_where_the_patch_ends(sitter: Sitter, amounts: dict[str, float]) -> None:
    avatar, engine = sitter
    for frame in range(3):
        (patch,) = engine.submit([PatchRequest(avatar, frame, shapes(**amounts))]).patches()
        left, top = patch.to_frame[:, 2].astype(int)
        height, width = patch.mask.shape
        under = avatar.frames[frame][top : top + height, left : left + width]
        fading = (patch.mask > 0) & (patch.mask < 128)
        change = np.abs(patch.picture.astype(int) - under)[fading]
        assert fading.any()
        assert change.mean() < 1.5


def test_the_eyes_the_collar_and_the_background_stay(sitter: Sitter, show: Show) -> None:
    frame, moved = sitter[0].frames[0], show(open=1.0)
    points = sitter[0].landmarks[0]
    iod = float(inter_ocular(points))
    still = np.ones(frame.shape[:2], bool)
    top, bottom = points[1, 1] - 0.2 * iod, points[152, 1] + 0.42 * iod
    still[int(top) : int(bottom), int(points[13, 0] - iod) : int(points[13, 0] + iod)] = False
    assert np.array_equal(moved[still], frame[still])
    assert np.abs(moved.astype(int) - frame)[~still].mean() > 1


@pytest.mark.parametrize("opening", [0.25, 0.5, 0.75, 1.0])
def test_the_gap_in_the_picture_is_the_gap_asked_for(
    show: Show, look: Callable[..., NDArray[np.float32]], opening: float
) -> None:
    gap = float(lip_gap(look(show(open=opening))))
    assert gap == pytest.approx(opening * FULL_GAP_IOD, abs=0.03)


def test_rounded_and_toothy_openings_are_calibrated_too(
    show: Show, look: Callable[..., NDArray[np.float32]]
) -> None:
    rounded = float(lip_gap(look(show(open=0.5, round=1.0))))
    toothy = float(lip_gap(look(show(open=0.3, teeth=1.0))))
    assert rounded == pytest.approx(0.5 * FULL_GAP_IOD, abs=0.035)
    assert toothy == pytest.approx(0.3 * FULL_GAP_IOD, abs=0.035)


def test_pressed_lips_are_closed_and_thinner(
    show: Show, look: Callable[..., NDArray[np.float32]]
) -> None:
    rest, pressed = look(show()), look(show(press=1.0))
    assert float(lip_gap(pressed)) < CLOSED_GAP_IOD
    assert height_of_lips(pressed) < 0.93 * height_of_lips(rest)


def height_of_lips(points: NDArray[np.float32]) -> float:
    return float(points[17, 1] - points[0, 1])


def test_the_mouth_of_i_is_wider_than_that_of_u(
    show: Show, look: Callable[..., NDArray[np.float32]]
) -> None:
    wide = float(lip_width(look(show(open=0.24, wide=1.0))))
    narrow = float(lip_width(look(show(open=0.16, round=1.0, wide=-0.3))))
    assert wide - narrow >= 0.12


def test_u_hides_the_teeth_that_i_shows(sitter: Sitter, show: Show) -> None:
    x, y = sitter[0].landmarks[0, 13, :2].astype(int)
    toothy, rounded = (
        brightest(picture, x, y)
        for picture in (show(open=0.4, wide=0.8), show(open=0.4, round=1.0, wide=-0.3))
    )
    assert toothy > rounded + 20


def brightest(picture: Picture, x: int, y: int) -> float:
    """Blue of the brightest tenth of the opening: skin and lips have little of it."""
    return float(np.percentile(picture[y - 2 : y + 9, x - 12 : x + 12, 0], 90))


def test_the_chin_drops_by_most_of_the_opening(sitter: Sitter, show: Show) -> None:
    points = sitter[0].landmarks[0]
    drop = flow_at(show(), show(open=0.8), points[[199, 200], :2])[:, 1].mean()
    iod = float(inter_ocular(points))
    assert 0.4 < drop / (0.8 * FULL_GAP_IOD * iod) < 0.95


def flow_at(before: Picture, after: Picture, points: NDArray[np.float32]) -> NDArray[np.float32]:
    grey = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in (before, after)]
    start = np.ascontiguousarray(points[:, None])
    moved, found, _ = cv2.calcOpticalFlowPyrLK(grey[0], grey[1], start, start.copy())
    assert found.all()
    return np.asarray((moved - start)[:, 0])


def test_the_mouth_turns_with_the_head(sitter: Sitter, show: Show) -> None:
    """Would miss a patch drawn upright: at 22 degrees such a one is 15 dB worse."""
    avatar = sitter[0]
    for amounts in ({"open": 0.9}, {"open": 0.3, "round": 1.0}, {"press": 1.0}):
        upright, turned = show(0, **amounts), show(1, **amounts)
        back = cv2.warpAffine(
            turned, rolled(ROLL), upright.shape[1::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        )
        x, y = avatar.landmarks[0, 14, :2].astype(int)
        part = np.s_[y - 45 : y + 75, x - 70 : x + 70]
        assert cv2.PSNR(np.asarray(back)[part], upright[part]) > 27


def test_one_call_may_mix_avatars_and_nothing_is_remembered(sitter: Sitter, tmp_path: Path) -> None:
    avatar, engine = sitter
    half = cv2.resize(portrait(), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    build = sit(tmp_path, np.asarray(half, np.uint8))
    engine.prepare(build)
    other = opened(build, "other")
    engine.load_avatar(other)
    jobs = [
        PatchRequest(avatar, 0, shapes(open=0.7)),
        PatchRequest(other, 0, shapes(open=0.7)),
        PatchRequest(avatar, 2, shapes(round=1.0)),
    ]
    together = engine.submit(jobs).patches()
    alone = [engine.submit([job]).patches()[0] for job in reversed(jobs)][::-1]
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
def test_awkward_pictures_are_drawn_inside_their_frame(
    tmp_path: Path, crop: tuple[slice, slice], scale: float
) -> None:
    picture = cv2.resize(portrait()[crop], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    avatar, engine = prepared(sit(tmp_path, np.asarray(picture, np.uint8)))
    for amounts in EXTREMES:
        (patch,) = engine.submit([PatchRequest(avatar, 0, shapes(**amounts))]).patches()
        low = patch.to_frame[:, 2]
        high = low + patch.mask.shape[::-1]
        assert (low >= 0).all() and (high <= avatar.size).all()
        changed = np.abs(shown(avatar, engine, shapes(**amounts)).astype(int) - avatar.frames[0])
        assert changed.max() > 20


def test_an_avatar_of_another_version_is_refused_with_what_to_do(sitter: Sitter) -> None:
    avatar = replace(sitter[0], extras={})
    with pytest.raises(AvatarOutdated, match="python -m warm prepare"):
        VisemeEngine(MODELS).load_avatar(avatar)


def test_a_missing_face_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FaceModelError, match="python -m warm models face"):
        VisemeEngine(tmp_path).prepare(sit(tmp_path, portrait()))
