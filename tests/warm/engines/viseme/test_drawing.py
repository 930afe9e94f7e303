"""The steps of drawing a mouth, each on its own."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.warm.portraits import MODELS, build_portrait, mouth_shape, portrait, rotation_about_face
from warm.engines.viseme.anatomy import (
    LIP_LINE_POINTS,
    Anatomy,
    Floats32,
    apply,
    build_anatomy,
    compose,
    invert,
    smooth_along_loop,
)
from warm.engines.viseme.blend_weights import compute_blend_weights, interpolate_tables, jaw_drop
from warm.engines.viseme.calibration import OpeningKind, identity_tables
from warm.engines.viseme.displacement_fields import (
    Blendshape,
    DisplacementFields,
    Region,
    Smile,
    arc_shift,
    build_displacement_fields,
    lip_shifts,
    thin_plate_spline,
)
from warm.engines.viseme.face_light import FaceLight
from warm.engines.viseme.interior import Texture, coverage, illumination, opening_rect
from warm.engines.viseme.interior_textures import teeth_texture, tongue_texture
from warm.engines.viseme.lip_line import snap_to_dark_line
from warm.engines.viseme.mouth_colours import MouthColours
from warm.engines.viseme.shape import FULL_GAP_IOD
from warm.engines.viseme.warp import (
    STEEP_NEWTON_FRACTIONS,
    PixelRect,
    below_line,
    invert_displacement,
    rows_with_both_layers,
    unfolded,
)
from warm.face.finder import FaceFinder

IDENTITY = identity_tables()
COLOURS = MouthColours(
    teeth=np.array([150.0, 170.0, 200.0]),
    gums=np.array([70.0, 80.0, 150.0]),
    tongue=np.array([70.0, 80.0, 150.0]),
    cavity=np.array([12.0, 16.0, 50.0]),
    gloss=np.array([75.0, 85.0, 100.0]),
)
FRONTAL = FaceLight(np.array([130.0, 160.0, 220.0]), 150.0, 0.0)


def teeth(sides: tuple[float, float] = (1.0, 1.0), *, upper: bool) -> Texture:
    return Texture.of(teeth_texture(80.0, COLOURS, FRONTAL, sides, upper=upper))


@pytest.fixture(scope="module")
def anatomy(tmp_path_factory: pytest.TempPathFactory) -> Anatomy:
    build = build_portrait(tmp_path_factory.mktemp("anatomy"), portrait())
    return snap_to_dark_line(
        build_anatomy(build.landmarks, build.transforms, build.loop), build.frames
    )


@pytest.fixture(scope="module")
def fields(anatomy: Anatomy) -> DisplacementFields:
    return build_displacement_fields(anatomy)


def test_affines_invert_and_compose() -> None:
    one, two = rotation_about_face(20.0, 1.3), rotation_about_face(-7.0, 0.8)
    points = np.array([[3.0, 4.0], [100.0, -20.0]])
    assert np.allclose(apply(invert(one), apply(one, points)), points)
    assert np.allclose(apply(compose(one, two), points), apply(one, apply(two, points)))


def test_smoothing_continues_across_the_ends_of_a_loop() -> None:
    ramp = np.arange(20.0)
    assert smooth_along_loop(ramp, "forward")[0] > 3
    assert smooth_along_loop(ramp, "pingpong")[0] < 2


def test_the_anatomy_follows_a_turned_head(tmp_path: object) -> None:
    points = FaceFinder(MODELS).find(portrait())[0].mesh.points
    pose = rotation_about_face(15.0)
    turned = points.copy()
    turned[:, :2] = points[:, :2] @ pose[:, :2].T + pose[:, 2]
    transform = np.array([[1.0, 0.0, 140.0], [0.0, 1.0, 110.0]])
    both = build_anatomy(np.stack([points]), transform[None], "forward")
    other = build_anatomy(np.stack([turned]), compose(pose, transform)[None], "forward")
    assert np.allclose(both.points, other.points, atol=1e-4)
    assert np.allclose(apply(pose, both.lip_lines[0]), other.lip_lines[0], atol=1e-3)


def test_the_lip_line_is_the_dark_line(anatomy: Anatomy) -> None:
    """The landmarks alone are on the brighter upper lip at the mouth's corners."""
    grey = cv2.cvtColor(portrait(), cv2.COLOR_BGR2GRAY).astype(np.float32)
    line = anatomy.lip_lines[:1].astype(np.float32)
    levels = [
        cv2.remap(grey, line + np.array([0, off], np.float32), np.empty(0), cv2.INTER_LINEAR).mean()
        for off in (0, 4)
    ]
    assert levels[0] < levels[1] - 25


def test_a_spline_passes_through_its_points() -> None:
    rng = np.random.default_rng(1)
    points, shifts = rng.uniform(-1, 1, (30, 2)), rng.normal(0, 0.1, (30, 2))
    assert np.allclose(thin_plate_spline(points, shifts, points), shifts, atol=0.02)


def test_a_spline_reproduces_an_affine_motion_everywhere() -> None:
    rng = np.random.default_rng(2)
    points, far = rng.uniform(-1, 1, (12, 2)), rng.uniform(-5, 5, (7, 2))
    turn = np.array([[0.1, -0.2], [0.3, 0.05]])
    assert np.allclose(
        thin_plate_spline(points, points @ turn + 0.5, far), far @ turn + 0.5, atol=1e-6
    )


def test_fields_vanish_at_the_regions_border(fields: DisplacementFields) -> None:
    for edge in (np.s_[:, :, 0], np.s_[:, :, -1], np.s_[:, :, :, 0], np.s_[:, :, :, -1]):
        assert np.abs(fields.grid[edge]).max() == 0


def test_layers_differ_between_the_corners_and_agree_outside(
    anatomy: Anatomy, fields: DisplacementFields
) -> None:
    upper, lower = fields.lip_line[:, Blendshape.OPEN]
    gap = (lower - upper)[:, 1]
    assert gap[len(gap) // 2] == pytest.approx(FULL_GAP_IOD, abs=0.01)
    assert abs(gap[0]) < 0.01 and abs(gap[-1]) < 0.01
    size = fields.grid.shape[2]
    x = Region.of(anatomy).nodes(size)[:, 0].reshape(size, size)
    outside = (x < anatomy.lip_line[0, 0] - 0.04) | (x > anatomy.lip_line[-1, 0] + 0.04)
    assert np.array_equal(fields.grid[0][:, outside], fields.grid[1][:, outside])


def bent_line(anatomy: Anatomy, bump: Floats32) -> Anatomy:
    """The anatomy with a lip line of this height (41,), IOD, between its own corners."""
    line = anatomy.lip_line.copy()
    line[:, 1] = bump
    return replace(anatomy, lip_line=line)


ACROSS = np.linspace(-1, 1, LIP_LINE_POINTS)
LIP_LINES = {
    "tubercle": 0.06 * np.exp(-((ACROSS / 0.18) ** 2)),
    "off the middle": 0.05 * np.exp(-(((ACROSS - 0.25) / 0.15) ** 2)),
    "two waves": 0.03 * np.cos(3 * np.pi * ACROSS),
    "arch": -0.05 * (1 - ACROSS**2),
    "one corner up": 0.04 * ACROSS + 0.04 * np.exp(-((ACROSS / 0.15) ** 2)),
}


@pytest.mark.parametrize("name", LIP_LINES)
def test_the_lower_edge_of_an_open_mouth_is_an_arc_for_any_lips(
    anatomy: Anatomy, name: str
) -> None:
    """Catches an imprint of the upper lip's middle in the lower lip: a hole that ends in a V."""
    bent = bent_line(anatomy, LIP_LINES[name].astype(np.float32))
    down = arc_shift(bent, bent.lip_line)
    assert (down >= 0).all()
    assert down[[0, -1]] == pytest.approx(0, abs=1e-9)
    inner = np.abs(ACROSS) < 0.7
    bending = np.diff((bent.lip_line[:, 1] + down)[inner], 2)
    assert np.abs(bending).max() < 0.25 * np.abs(np.diff(LIP_LINES[name], 2)).max() + 6e-4


def test_the_upper_lip_keeps_its_bow(fields: DisplacementFields) -> None:
    assert np.abs(fields.lip_line[0, Blendshape.ARC]).max() < 1e-6
    assert compute_blend_weights(mouth_shape(), IDENTITY, 1.0)[Blendshape.ARC] == 0
    assert compute_blend_weights(mouth_shape(open=0.5), IDENTITY, 1.0)[Blendshape.ARC] == 1


@pytest.mark.parametrize(("stretch", "lift"), [(1.25, 0.0), (1.0, 0.08), (1.25, 0.08)])
def test_rounding_relaxes_a_smile(anatomy: Anatomy, stretch: float, lift: float) -> None:
    """Catches a /u/ that keeps wide or raised corners."""
    across = np.linspace(-1, 1, LIP_LINE_POINTS)
    line = np.column_stack([0.4 * stretch * across, -lift * across**4])
    smile = Smile.of(replace(anatomy, lip_line=line))
    assert smile.inwards == pytest.approx(0.8 * 0.4 * (stretch - 1), abs=0.01)
    assert (smile.down > 0.6 * lift) if lift else (smile.down == 0)
    relaxed = lip_shifts(np.array([-1.0, 0.0, 1.0]), smile)[:, Blendshape.ROUND]
    neutral = lip_shifts(np.array([-1.0, 0.0, 1.0]), Smile(0.0, 0.0))[:, Blendshape.ROUND]
    assert relaxed[0, 0] - neutral[0, 0] == pytest.approx(smile.inwards)
    assert relaxed[[0, 2], 1] == pytest.approx(smile.down)
    assert relaxed[1] == pytest.approx(neutral[1])


def test_the_chin_moves_less_than_the_lower_lip(
    anatomy: Anatomy, fields: DisplacementFields
) -> None:
    size = fields.grid.shape[2]
    nodes = Region.of(anatomy).nodes(size)
    chin = int(np.abs(nodes - anatomy.points[199]).sum(axis=1).argmin())
    drop = fields.grid[1, Blendshape.OPEN].reshape(-1, 2)[chin, 1]
    lip = fields.lip_line[1, Blendshape.OPEN, 20, 1]
    assert 0.65 < drop / FULL_GAP_IOD < 0.8
    assert lip > drop


def test_a_displacement_field_is_inverted() -> None:
    y, x = np.mgrid[:40, :40].astype(np.float32)
    bump = np.exp(-((x - 20) ** 2 + (y - 22) ** 2) / 60)
    moves = np.stack([1.5 * bump, 4.0 * bump], axis=-1)
    field = np.dstack([moves, np.gradient(moves[..., 1], axis=0)]).astype(np.float32)
    nodes = np.stack([x, y], axis=-1)[6:34, 6:34].copy()
    source = nodes + invert_displacement(field, nodes)
    back = source + cv2.remap(moves, source, np.empty(0), cv2.INTER_LINEAR)
    assert np.abs(back - nodes).max() < 0.1


def test_a_lip_that_is_pushed_together_is_read_in_order() -> None:
    """Without enough Newton steps, rows of the lip came to lie in a pattern of scales."""
    y, x = np.mgrid[:64, :64].astype(np.float32)
    pushed = 14 * np.exp(-(((y - 26) / 9) ** 2)) * np.exp(-(((x - 32) / 14) ** 2))
    slope = np.gradient(pushed, axis=0)
    assert slope.min() < -1
    field = unfolded(np.stack([0 * pushed, pushed, slope], axis=-1).astype(np.float32))
    down, across = np.mgrid[2:62:0.5, 2:62:0.5].astype(np.float32)
    nodes = np.stack([across, down], axis=-1)
    source = nodes + invert_displacement(field, nodes, STEEP_NEWTON_FRACTIONS)
    assert np.diff(source[..., 1], axis=0).min() > 0


def test_outside_the_grid_nothing_moves() -> None:
    field = np.full((8, 8, 3), 2.0, np.float32)
    nodes = np.array([[[-30.0, 4.0], [4.0, 40.0]]], np.float32)
    assert np.abs(invert_displacement(field, nodes)).max() == 0


@pytest.mark.parametrize("degrees", [0.0, 25.0, -25.0])
def test_the_line_between_the_layers_continues_level_with_the_face(degrees: float) -> None:
    rect = PixelRect(10, 20, 90, 80)
    pose = rotation_about_face(degrees, 60.0)
    pose[:, 2] = (50, 60)
    line = apply(pose, np.array([[-0.3, 0.0], [0.0, 0.02], [0.3, 0.0]])).astype(np.float32)
    below = below_line(line, pose, rect)
    for x, y in ((-0.6, 0.15), (0.0, 0.15), (0.6, 0.15), (-0.6, -0.15), (0.0, -0.15), (0.6, -0.15)):
        column, row = np.round(apply(pose, np.array([[x, y]]))[0] - rect.corner).astype(int)
        if 0 <= column < rect.width and 0 <= row < rect.height:
            assert bool(below[row, column]) == (y > 0)
    low, high = rows_with_both_layers(line, pose, rect)
    assert not below[:low].any()
    assert below[high:].all()


def test_a_fully_rounded_opening_uses_the_funnel_alone() -> None:
    weights = compute_blend_weights(mouth_shape(open=0.5, round=1.0), IDENTITY, 1.0)
    assert weights[Blendshape.FUNNEL] == pytest.approx(0.5)
    assert weights[Blendshape.OPEN] == weights[Blendshape.PART] == 0


def test_extreme_numbers_are_limited() -> None:
    weights = compute_blend_weights(
        mouth_shape(open=50, wide=-9, round=7, press=3, tuck=-2), IDENTITY, 1.0
    )
    assert np.abs(weights).max() <= 1.2
    assert interpolate_tables(IDENTITY, 50.0).max() == pytest.approx(1.2)


def test_closed_teeth_keep_the_jaw_up() -> None:
    apart, together = (
        jaw_drop(compute_blend_weights(mouth_shape(open=0.5, teeth=teeth), IDENTITY, 1.0))
        for teeth in (0.0, 1.0)
    )
    assert together < 0.3 * apart
    assert OpeningKind.TEETH in tuple(OpeningKind)


def ellipse(width: float, height: float) -> Floats32:
    turn = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    return np.column_stack([40 + width * np.cos(turn), 30 + height * np.sin(turn)]).astype(
        np.float32
    )


def test_an_opening_covers_its_own_area() -> None:
    outline = ellipse(25, 8.3)
    cover = coverage(outline, PixelRect(5, 10, 70, 40), 0.7)
    assert cover.sum() == pytest.approx(np.pi * 25 * 8.3, rel=0.05)
    assert cover.max() == 1 and cover[0].max() == 0


def test_a_hairline_opening_is_translucent() -> None:
    assert coverage(ellipse(25, 0.3), PixelRect(5, 10, 70, 40), 0.7).max() < 0.7


def test_an_opening_outside_the_picture_gives_an_empty_rect() -> None:
    draw_frame = np.zeros((20, 20, 3), np.uint8)
    rect = opening_rect(ellipse(10, 5), (100, 100), draw_frame)
    assert rect.width <= 0 or rect.height <= 0


def test_light_fades_under_the_upper_lip() -> None:
    lit = illumination(coverage(ellipse(25, 12), PixelRect(5, 10, 70, 40), 0.7), 80.0)
    assert lit[30, 35] > lit[11, 35]
    assert 0 < lit.min() <= lit.max() <= 1


@pytest.mark.parametrize("upper", [True, False])
def test_teeth_are_warm_white_and_have_gaps(*, upper: bool) -> None:
    texture = teeth(upper=upper)
    solid = texture.opacity > 0.99
    blue, green, red = (texture.colour[..., c][solid].mean() for c in range(3))
    assert red > green > blue > 0.6 * red
    row = texture.colour[..., 1][len(texture.colour) // 2 + (-8 if upper else -2)]
    assert row[texture.colour.shape[1] // 2 - 20 : texture.colour.shape[1] // 2 + 20].std() > 3


def test_upper_teeth_start_at_the_top_and_lower_teeth_at_the_bottom() -> None:
    rows = np.arange(round(0.44 * 80))
    tall = {upper: (teeth(upper=upper).opacity[:, 40] * rows).sum() for upper in (True, False)}
    assert tall[True] < tall[False]


def test_a_turned_head_shows_its_far_teeth_narrower() -> None:
    opacity = teeth((0.7, 1.3), upper=True).opacity
    middle = opacity.shape[1] // 2
    assert opacity[:, :middle].sum() < 0.75 * opacity[:, middle:].sum()


def test_the_tongue_is_red_and_wider_than_it_is_high() -> None:
    texture = Texture.of(tongue_texture(80.0, COLOURS, FRONTAL, (1.0, 1.0)))
    solid = texture.opacity > 0.9
    blue, _, red = texture.colour[solid].mean(axis=0)
    assert red > 1.5 * blue
    assert solid.any(axis=0).sum() > solid.any(axis=1).sum()
