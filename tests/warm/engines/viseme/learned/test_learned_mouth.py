"""Mouths that are learned from a film in which every move and colour is known."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.engines.viseme.learned.talking_portrait import (
    FRAMES,
    TalkingPortrait,
    talking_portrait,
)
from tests.warm.portraits import MODELS, mouth_shape, open_build
from warm.avatars.mouth_report import MouthReport
from warm.avatars.recipe import PreparationError
from warm.avatars.store import AvatarOutdated
from warm.engines.viseme.engine import VisemeEngine
from warm.engines.viseme.learned.data import LearnedData
from warm.engines.viseme.learned.gate import judge, mouth_report
from warm.engines.viseme.learned.learning import learn
from warm.engines.viseme.learned.numbers import measure_numbers, numbers_of
from warm.engines.viseme.learned.renderer import LearnedMouth
from warm.engines.viseme.learned.storage import VERSION_ARRAY, load_learned, store_learned
from warm.engines.viseme.mouth import DrawnMouth, Mouth
from warm.engines.viseme.preparation import PreparedMouth, load_mouth
from warm.engines.viseme.shape import FULL_GAP_IOD

HELD_OUT = 5
"""Every fifth frame of the film is not learned from."""


@pytest.fixture(scope="session")
def talking(tmp_path_factory: pytest.TempPathFactory) -> TalkingPortrait:
    return talking_portrait(tmp_path_factory.mktemp("talking"))


@pytest.fixture(scope="session")
def learned(talking: TalkingPortrait) -> LearnedData:
    used = np.arange(len(talking.shapes)) % HELD_OUT != 0
    return learn(talking.anatomy, talking.build, talking.filmed, talking.lips, used)


@pytest.fixture(scope="session")
def mouth(talking: TalkingPortrait, learned: LearnedData) -> LearnedMouth:
    return LearnedMouth(talking.painted, learned, talking.build.frames)


def green(drawn: DrawnMouth) -> int:
    """Number of pixels in the colour of the actor's teeth."""
    blue, greenness, red = np.moveaxis(drawn.picture.astype(int), -1, 0)
    return int(((greenness > blue + 40) & (greenness > red + 20)).sum())


def error(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Mean square difference."""
    return float(((picture.astype(float) - truth) ** 2).mean())


def test_frames_that_were_not_learned_from_are_drawn_closer_than_painted(
    talking: TalkingPortrait, mouth: LearnedMouth
) -> None:
    numbers = measure_numbers(talking.filmed.landmarks, talking.anatomy.to_frame)
    painted = Mouth(talking.painted, talking.build.frames)
    errors = []
    for i in range(0, len(talking.shapes), HELD_OUT):
        drawn = mouth.draw_numbers(i, numbers[i])
        truth = drawn.rect.crop(talking.filmed.frames[i])
        errors.append(
            (error(drawn.picture, truth), error(painted.draw(i, talking.shapes[i]).picture, truth))
        )
    ours, theirs = np.mean(errors, axis=0)
    # The painted mouth moves exactly as the actor does; only the colour of its teeth is wrong.
    assert ours < theirs


def test_an_open_mouth_shows_the_persons_own_teeth(
    talking: TalkingPortrait, mouth: LearnedMouth
) -> None:
    painted = Mouth(talking.painted, talking.build.frames)
    for opening in (0.85, 1.0):
        assert green(mouth.draw(3, mouth_shape(open=opening))) > 15
        assert green(painted.draw(3, mouth_shape(open=opening))) == 0


def test_the_gap_grows_with_the_opening(mouth: LearnedMouth, talking: TalkingPortrait) -> None:
    closed = talking.build.frames[10]
    changes = []
    for opening in np.linspace(0, 1, 9):
        drawn = mouth.draw(10, mouth_shape(open=opening))
        changes.append(float(np.abs(drawn.picture.astype(float) - drawn.rect.crop(closed)).mean()))
    assert np.all(np.diff(changes) > 0)


def test_a_closed_mouth_is_the_avatars_frame_to_the_bit(
    mouth: LearnedMouth, talking: TalkingPortrait
) -> None:
    for frame in (0, 17, 60):
        drawn = mouth.draw(frame, mouth_shape())
        assert np.array_equal(drawn.picture, drawn.rect.crop(talking.build.frames[frame]))


def test_pressed_lips_show_nothing_of_the_inside(mouth: LearnedMouth) -> None:
    pressed = mouth.draw(5, mouth_shape(press=1.0, round=0.3))
    assert green(pressed) == 0
    assert not np.array_equal(pressed.picture, mouth.draw(5, mouth_shape()).picture)


def test_the_mouth_opens_without_a_jump(mouth: LearnedMouth) -> None:
    steps = np.linspace(0, 0.5, 51)
    pictures = [mouth.draw(8, mouth_shape(open=step)).picture.astype(float) for step in steps]
    changes = [float(np.abs(b - a).mean()) for a, b in pairwise(pictures)]
    assert max(changes) < 6 * np.median(changes)


def test_frames_are_the_same_in_any_order_and_by_any_instance(
    talking: TalkingPortrait, learned: LearnedData, mouth: LearnedMouth
) -> None:
    other = LearnedMouth(talking.painted, learned, talking.build.frames)
    jobs = list(enumerate(talking.shapes[:20]))
    forwards = [mouth.draw(i, shape).picture for i, shape in jobs]
    backwards = [other.draw(i, shape).picture for i, shape in reversed(jobs)]
    for one, two in zip(forwards, reversed(backwards), strict=True):
        assert np.array_equal(one, two)


def test_a_pose_that_the_footage_lacks_is_painted(
    talking: TalkingPortrait, learned: LearnedData
) -> None:
    unknown = replace(learned, trust=np.zeros_like(learned.trust))
    drawn = LearnedMouth(talking.painted, unknown, talking.build.frames)
    picture = drawn.draw(4, mouth_shape(open=0.8))
    assert green(picture) == 0
    same = mouth_shape(open=0.8 * float(learned.drive.full_gap) / FULL_GAP_IOD)
    painted = Mouth(talking.painted, talking.build.frames).draw(4, same)
    assert error(picture.picture, painted.picture) < 15


def test_covered_frames_are_not_learned_from(talking: TalkingPortrait) -> None:
    frames = talking.filmed.frames.copy()
    covered = np.arange(len(frames)) % 3 == 0
    frames[covered] = 255
    filmed = replace(talking.filmed, frames=frames, covered=covered)
    data = learn(talking.anatomy, talking.build, filmed, talking.lips)
    drawn = LearnedMouth(talking.painted, data, talking.build.frames).draw(3, mouth_shape(open=0.8))
    assert green(drawn) > 15
    assert (drawn.picture.min(axis=-1) > 240).sum() < 5


def test_a_film_that_shows_enough_is_learned_and_the_report_says_why(
    talking: TalkingPortrait,
) -> None:
    report = judge(talking.filmed, numbers_of(talking.lips.filmed), "auto")
    assert report.kind == "learned" and report.open_frames >= 40
    assert report.widest_gap_iod > 0.15 and str(report.open_frames) in report.reason
    assert judge(talking.filmed, numbers_of(talking.lips.filmed), "painted").kind == "painted"


def test_a_film_that_hardly_opens_its_mouth_is_painted_and_cannot_be_forced(
    talking: TalkingPortrait,
) -> None:
    lips = talking.lips.filmed
    lips[20:] = talking.lips.closed
    report = judge(talking.filmed, numbers_of(lips), "auto")
    assert report.kind == "painted" and "at least 40" in report.reason
    assert judge(None, None, "auto").kind == "painted"
    with pytest.raises(PreparationError, match=r"mouth is 'learned'.*at least 40"):
        mouth_report(talking.filmed, numbers_of(lips), "learned")


def test_a_learned_mouth_survives_the_disk_in_less_than_5_mb(
    talking: TalkingPortrait, learned: LearnedData, mouth: LearnedMouth, tmp_path: Path
) -> None:
    build = replace(talking.build, folder=tmp_path, extras={})
    store_learned(learned, build)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5_000_000
    loaded = load_learned(open_build(build, "learned"))
    assert loaded is not None
    again = LearnedMouth(talking.painted, loaded, talking.build.frames)
    shape = mouth_shape(open=0.6)
    assert error(again.draw(7, shape).picture, mouth.draw(7, shape).picture) < 0.1


def test_a_learned_mouth_of_another_version_is_refused(
    talking: TalkingPortrait, learned: LearnedData, tmp_path: Path
) -> None:
    build = replace(talking.build, folder=tmp_path, extras={})
    store_learned(learned, build)
    avatar = open_build(build, "learned")
    newer = replace(avatar, extras={**avatar.extras, VERSION_ARRAY: np.array(99)})
    with pytest.raises(AvatarOutdated, match=r"version 99.*Prepare it again"):
        load_learned(newer)
    without = {name: array for name, array in avatar.extras.items() if "light" not in name}
    with pytest.raises(AvatarOutdated, match="viseme_learned_light is missing"):
        load_learned(replace(avatar, extras=without))
    assert load_learned(replace(avatar, extras={})) is None


@pytest.mark.slow
def test_the_engine_learns_and_reports_the_mouth(talking: TalkingPortrait, tmp_path: Path) -> None:
    build = replace(talking.build, folder=tmp_path, extras={})
    engine = VisemeEngine(MODELS)
    engine.prepare(build)
    assert build.mouth is not None and build.mouth.kind == "learned"
    avatar = open_build(build, "learned")
    engine.load_avatar(avatar)
    assert load_learned(avatar) is not None


def test_it_speaks_on_the_frames_of_an_action_as_on_those_that_it_was_learned_from(
    talking: TalkingPortrait, learned: LearnedData, tmp_path: Path
) -> None:
    build, action = replace(talking.build, folder=tmp_path, extras={}), slice(20, 40)
    report = MouthReport(kind="learned", reason="")
    PreparedMouth(talking.painted, learned, report).store(build)
    part = replace(
        build,
        frames=build.frames[action],
        landmarks=build.landmarks[action],
        transforms=build.transforms[action],
        turns_deg=talking.filmed.turns_deg[action],
        extras={},
    )
    rows = VisemeEngine(MODELS).extend(build, part)
    avatar = replace(
        open_build(build, "talking"), frames=np.concatenate([build.frames, part.frames])
    )
    for name, added in rows.items():
        avatar.extras[name] = np.concatenate([np.asarray(avatar.extras[name]), added])
    extended = load_mouth(avatar)
    assert isinstance(extended, LearnedMouth)
    own, further = (
        extended.draw_in_frame(frame, mouth_shape(open=0.9)) for frame in (30, FRAMES + 10)
    )
    closed = build.frames[30]
    assert error(further, own) < 0.1 * error(own, closed)
