"""Calibration of the mouth's opening: tables from the drawn gap and from what a mesh reads."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from warm.engines.viseme.calibration import (
    DRAWN_OPENINGS,
    GAIN_RANGE,
    LEVELS,
    OpeningKind,
    calibrate,
    frame_gains,
    identity_tables,
    limited,
    table_of,
)
from warm.engines.viseme.shape import FULL_GAP_IOD, Shape
from warm.face.mesh import Mesh

NOMINAL = DRAWN_OPENINGS * FULL_GAP_IOD
ANY_GAPS = st.lists(
    st.one_of(st.floats(0, 0.6), st.floats()),
    min_size=len(DRAWN_OPENINGS),
    max_size=len(DRAWN_OPENINGS),
).map(np.array)


def test_a_mouth_that_looks_as_it_is_drawn_keeps_its_openings() -> None:
    assert np.allclose(table_of(NOMINAL, NOMINAL), np.linspace(0, 1, LEVELS), atol=0.01)


@pytest.mark.parametrize("factor", [0.75, 1.3])
def test_a_mouth_that_looks_wider_or_narrower_is_drawn_the_other_way(factor: float) -> None:
    table = table_of(NOMINAL, factor * NOMINAL)
    seen = np.interp(table, DRAWN_OPENINGS, factor * NOMINAL)
    slope = np.polyfit(np.linspace(0, FULL_GAP_IOD, LEVELS), seen, 1)[0]
    assert slope == pytest.approx(1.0, abs=0.08)


def test_a_gap_that_is_read_between_closed_lips_does_not_count() -> None:
    assert np.allclose(table_of(NOMINAL, NOMINAL + 0.06), table_of(NOMINAL, NOMINAL), atol=0.02)


def test_a_reading_is_believed_up_to_a_limit() -> None:
    """A mesh that sees no opening, or four times as much, changes the mouth by half at most."""
    blind, exaggerating = table_of(NOMINAL, 0 * NOMINAL), table_of(NOMINAL, 4 * NOMINAL)
    middle = LEVELS // 2
    assert 0.65 < blind[middle] < 0.8
    assert 0.25 < exaggerating[middle] < 0.4


@pytest.mark.parametrize("widest", [0.67, 0.8, 0.95])
def test_a_person_who_opens_less_than_asked_limits_the_widest_openings_only(widest: float) -> None:
    (table, *_), asked = limited(identity_tables(), widest), np.linspace(0, 1, LEVELS)
    assert table[-1] == pytest.approx(widest, abs=1e-3)
    assert (table <= asked + 1e-6).all() and (np.diff(table) > 0.1 / LEVELS).all()
    assert table[3] == pytest.approx(asked[3], abs=0.01)
    assert np.allclose(limited(identity_tables(), 1.0), identity_tables(), atol=1e-4)


@given(drawn=ANY_GAPS, read=ANY_GAPS)
def test_no_measurements_freeze_the_mouth(
    drawn: NDArray[np.float64], read: NDArray[np.float64]
) -> None:
    table = table_of(drawn, read)
    assert table[0] == 0
    assert (np.diff(table) > 0.05 / LEVELS).all()
    assert 0.3 < table[-1] <= DRAWN_OPENINGS[-1]


@dataclass(frozen=True)
class WideMouth:
    """A renderer whose mouth opens further than asked; the picture carries its gap."""

    factor: float
    iod: float

    def draw_in_frame(self, frame: int, mouth_shape: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return a picture whose pixels are the frame and the gap in hundredths of an IOD."""
        gap = self.factor * float(mouth_shape[Shape.OPEN]) * FULL_GAP_IOD
        return np.array([[[frame, round(gap * 500), 0]]], np.uint8)

    def drawn_lips(self, frame: int, mouth_shape: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return straight lips as far apart as the picture says."""
        x = np.linspace(-1, 1, 11)
        gap = self.draw_in_frame(frame, mouth_shape)[0, 0, 1] / 500 * self.iod
        lips = np.stack([np.column_stack([x, np.full(11, y)]) for y in (0.0, gap)])
        return lips.astype(np.float32)


@dataclass(frozen=True)
class Reader:
    """A ruler that reads the gap from those pictures; it sees less of it on one frame."""

    points: NDArray[np.float32]
    iod: float
    nods: bool = False

    def track(self, picture: NDArray[np.uint8], points: NDArray[np.float32]) -> Mesh:
        """Return the face with its inner lips that far apart."""
        assert points.shape == self.points.shape
        frame, gap, _ = picture[0, 0].tolist()
        share = 0.8 if self.nods and frame == 16 else 1.0
        moved = self.points.copy()
        moved[[82, 13, 312], :2] = moved[[87, 14, 317], :2]
        moved[[87, 14, 317], 1] += share * gap / 500 * self.iod
        return Mesh(moved, 20.0)


@pytest.fixture(scope="module")
def upright() -> NDArray[np.float32]:
    """(468, 3) landmarks of a face that is not rolled, with an IOD of 100 pixels."""
    points = np.zeros((468, 3), np.float32)
    points[[33, 133], 0], points[[362, 263], 0] = (-65, -35), (35, 65)
    return points


def test_every_kind_of_opening_has_a_table_of_its_own(upright: NDArray[np.float32]) -> None:
    landmarks = np.stack([upright] * 4)
    tables = calibrate(WideMouth(1.25, 100.0), landmarks, Reader(upright, 100.0))
    assert tables.shape == (len(OpeningKind), LEVELS)
    assert np.allclose(tables[:, -1], 0.8, atol=0.03)


def test_a_frame_whose_gap_looks_narrower_is_drawn_wider(upright: NDArray[np.float32]) -> None:
    landmarks = np.stack([upright] * 33)
    mouth, reader = WideMouth(1.0, 100.0), Reader(upright, 100.0, nods=True)
    gains = frame_gains(mouth, landmarks, reader, "pingpong")
    assert gains[16] == gains.max()
    assert 1.03 < gains[16] < GAIN_RANGE[1]
    assert np.allclose(gains[[0, -1]], gains.min())
    assert 0.95 < gains.min() <= 1.0
