"""Own teeth are used only if they certainly are a row of teeth in enough light."""

from dataclasses import replace

import numpy as np
import pytest

from warm.engines.viseme.anatomy import Floats
from warm.engines.viseme.mouth_colours import MouthColours
from warm.engines.viseme.own_teeth import OwnTeeth
from warm.engines.viseme.own_teeth_gate import TeethEvidence, teeth_note
from warm.engines.viseme.texture_canvas import texture_size

SCALE = 100.0
WIDTH, HEIGHT = texture_size(SCALE)
LIPS = np.array([[90.0, 95.0, 170.0], [100.0, 105.0, 185.0]])
EXPECTED = MouthColours(
    teeth=np.array([150.0, 170.0, 200.0]),
    gums=np.array([70.0, 80.0, 150.0]),
    tongue=np.array([70.0, 80.0, 150.0]),
    cavity=np.array([12.0, 16.0, 50.0]),
    gloss=np.array([75.0, 85.0, 100.0]),
)


def row(width: int = 48, colour: tuple[int, int, int] = (120, 138, 165)) -> OwnTeeth:
    columns = np.zeros(WIDTH, bool)
    columns[WIDTH // 2 - width // 2 : WIDTH // 2 + width // 2] = True
    return OwnTeeth(
        np.full((HEIGHT, WIDTH, 3), colour, np.float32),
        np.full(WIDTH, 8.0),
        22.0 - 0.004 * (np.arange(WIDTH) - WIDTH / 2) ** 2,
        columns,
        is_edge_hidden=False,
    )


def evidence(own: OwnTeeth, exposure: float = 1.0, *, coloured: bool = True) -> TeethEvidence:
    """Evidence in a picture of another exposure, or in one without colour."""

    def pictured(colours: Floats) -> Floats:
        grey = colours @ [0.114, 0.587, 0.299]
        shown = colours if coloured else np.repeat(grey[..., None], 3, axis=-1)
        return np.asarray(exposure * shown)

    own = replace(own, colour=pictured(own.colour.astype(np.float64)).astype(np.float32))
    expected = replace(EXPECTED, teeth=pictured(EXPECTED.teeth))
    return TeethEvidence.of(own, pictured(LIPS), expected, SCALE)


@pytest.mark.parametrize("exposure", [1.0, 0.3, 1.2])
@pytest.mark.parametrize("coloured", [True, False])
def test_a_wide_bright_row_is_used_in_any_exposure_and_without_colour(
    exposure: float, coloured: bool
) -> None:
    assert not evidence(row(), exposure, coloured=coloured).objection


def test_two_teeth_are_too_few() -> None:
    assert evidence(row(width=28)).objection == "only 0.28 eye distances wide (0.35 needed)"


def test_teeth_in_deep_shade_are_not_used() -> None:
    assert "58% needed" in evidence(row(colour=(75, 86, 104))).objection


def test_a_lip_in_its_own_shade_is_not_taken_for_teeth() -> None:
    assert "less red than the lips" in evidence(row(colour=(82, 90, 150))).objection


def test_a_grey_lip_is_not_taken_for_teeth() -> None:
    shaded_lip = row(colour=(100, 102, 105))
    assert "darker" in evidence(shaded_lip, coloured=False).objection


def test_a_row_with_many_missing_columns_is_not_used() -> None:
    own = row()
    own.columns[WIDTH // 2 - 5 : WIDTH // 2 + 5] = False
    assert "85% needed" in evidence(own).objection


def test_a_ragged_edge_is_not_used() -> None:
    own = row()
    own.bottom[::2] += 8
    assert "edge is uneven" in evidence(own).objection


def test_the_report_says_why_teeth_are_painted() -> None:
    narrow = row(width=28)
    assert teeth_note(narrow, evidence(narrow).objection) == (
        "The photo shows upper teeth only 0.28 eye distances wide (0.35 needed); "
        "painted ones are used."
    )
    assert teeth_note(row(), "") == "The upper teeth look like those in the photo."
    assert not teeth_note(None, "")
