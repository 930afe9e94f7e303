"""A video's own colours of teeth and cavity: they are found, and doubtful ones are not used."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from tests.warm.portraits import build_portrait, mouth_shape, portrait
from warm.avatars.filmed_mouth import FilmedMouth
from warm.engines.viseme.anatomy import LOWER_INNER, UPPER_INNER, Anatomy, Floats32, build_anatomy
from warm.engines.viseme.face_light import FaceLight
from warm.engines.viseme.mouth import Mouth, MouthData
from warm.engines.viseme.mouth_colours import MouthColours
from warm.engines.viseme.own_colours import LEAST_FRAMES, own_colours
from warm.engines.viseme.preparation import paint_interior, uncalibrated_mouth

OPENINGS = np.linspace(0.4, 1.0, LEAST_FRAMES + 2)


class Person:
    """The portrait, with a mouth that can be painted in any colours."""

    def __init__(self, anatomy: Anatomy, landmarks: Floats32, data: MouthData) -> None:
        count = len(OPENINGS)
        self.anatomy, self.landmarks = anatomy, landmarks
        self.closed = np.repeat(portrait()[None], count, axis=0)
        self._data = replace(
            data,
            to_frame=np.repeat(data.to_frame, count, axis=0),
            lip_lines=np.repeat(data.lip_lines, count, axis=0),
            gains=np.ones(count, np.float32),
            masks=np.repeat(data.masks, count, axis=0),
            curvatures=np.repeat(data.curvatures, count, axis=0),
        )
        self.typical = MouthColours.of(anatomy, portrait(), FaceLight.of(anatomy, portrait()))

    def paint(self, colours: MouthColours) -> Mouth:
        interior = paint_interior(self.anatomy, portrait(), colours)
        return Mouth(replace(self._data, **asdict(interior)), self.closed)

    def film(self, colours: MouthColours) -> FilmedMouth:
        """Film the person, who has these colours, with different openings."""
        mouth = self.paint(colours)
        frames, landmarks = [], []
        for frame, opening in enumerate(OPENINGS):
            shape = mouth_shape(open=opening)
            frames.append(mouth.draw_in_frame(frame, shape))
            points = self.landmarks.copy()
            upper, lower = mouth.drawn_lips(frame, shape)[:, ::4]
            points[UPPER_INNER, :2], points[LOWER_INNER, :2] = upper, lower
            landmarks.append(points)
        nothing = np.zeros(0)
        return FilmedMouth(
            frames=np.stack(frames),
            landmarks=np.stack(landmarks),
            covered=np.zeros(len(frames), np.bool_),
            turns_deg=nothing,
            layout=nothing,
            to_frame=nothing,
            grid_to_layout=nothing,
            opening_field=lambda _: np.zeros(0, np.float32),
        )


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Person:
    build = build_portrait(tmp_path_factory.mktemp("own"), portrait())
    anatomy = build_anatomy(build.landmarks, build.transforms, build.loop)
    return Person(anatomy, build.landmarks[0], uncalibrated_mouth(anatomy, portrait()[None]))


def test_teeth_and_cavity_are_those_of_the_video(person: Person) -> None:
    true = replace(
        person.typical,
        teeth=person.typical.teeth * (0.8, 0.75, 0.7),
        cavity=person.typical.cavity + np.array([10.0, 12.0, 40.0]),
    )
    found = own_colours(person.typical, person.film(true), person.paint)
    assert found is not None
    assert found.teeth == pytest.approx(true.teeth, rel=0.06)
    assert found.cavity == pytest.approx(true.cavity, rel=0.12, abs=2)


def test_the_tongue_keeps_its_hue(person: Person) -> None:
    bluish = replace(person.typical, tongue=person.typical.tongue[::-1].copy())
    found = own_colours(person.typical, person.film(bluish), person.paint)
    assert found is not None
    ratio = found.tongue / person.typical.tongue
    assert np.ptp(ratio) < 1e-6


def test_colours_that_are_as_expected_are_kept(person: Person) -> None:
    found = own_colours(person.typical, person.film(person.typical), person.paint)
    assert found is not None
    assert found.teeth == pytest.approx(person.typical.teeth, rel=0.03)
    assert found.cavity == pytest.approx(person.typical.cavity, rel=0.1, abs=2)


def test_a_red_mouth_without_teeth_gets_no_red_teeth(person: Person) -> None:
    red = person.typical.tongue
    toothless = replace(person.typical, teeth=red, gloss=0 * red)
    found = own_colours(person.typical, person.film(toothless), person.paint)
    assert found is not None
    assert found.teeth[0] / found.teeth[2] > 0.9 * person.typical.teeth[0] / person.typical.teeth[2]


def test_too_few_open_frames_give_no_colours(person: Person) -> None:
    filmed = person.film(person.typical)
    covered = np.arange(len(filmed.frames)) >= LEAST_FRAMES - 1
    assert own_colours(person.typical, replace(filmed, covered=covered), person.paint) is None
