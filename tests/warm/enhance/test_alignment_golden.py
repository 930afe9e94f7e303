"""The alignment compared with matrices and crops of the published helper."""

import json
from typing import Any

import numpy as np
import pytest

from bench.restoration.golden import FOLDER, GoldenSet
from warm.enhance.alignment import FIVE_POINTS, aligned_crop, aligned_transform, inverse

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is missing")
SETS = ("exact", "frontal", "edge", "turned", "outlier")
CROPS = {"square_1": "frontal", "edge_1": "edge"}


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / "align.json").read_text())
    return content


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "align.npz") as opened:
        return dict(opened)


def points_of(facts: dict[str, Any], name: str) -> np.ndarray:
    return np.array(facts["sets"][name]["landmarks"])


def test_the_template_is_the_published_one(facts: dict[str, Any]) -> None:
    assert FIVE_POINTS.tolist() == facts["template_512"]


@pytest.mark.parametrize("name", SETS)
def test_transforms_are_the_least_squares_over_all_five_points(
    facts: dict[str, Any], name: str
) -> None:
    expected = np.array(facts["sets"][name]["least_squares_all5"])
    assert np.allclose(aligned_transform(points_of(facts, name)), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["exact", "frontal", "edge", "turned"])
def test_they_are_the_published_ones_where_no_point_is_dropped(
    facts: dict[str, Any], name: str
) -> None:
    found, published = aligned_transform(points_of(facts, name)), facts["sets"][name]["lmeds"]
    difference = np.abs(found - published)
    assert difference[:, :2].max() <= 1e-5
    assert difference[:, 2].max() <= 1e-3


@pytest.mark.parametrize("name", ["square_1", "square_2", "edge_1", "exact_1"])
def test_inverses_are_the_published_ones(facts: dict[str, Any], name: str) -> None:
    case = facts["cases"][name]
    found = inverse(aligned_transform(points_of(facts, case["set"])))
    difference = np.abs(case["upscale"] * found - case["inverse"])
    assert difference[:, :2].max() <= 1e-5
    assert difference[:, 2].max() <= 1e-3


@pytest.mark.parametrize("name", CROPS)
def test_crops_are_the_published_ones(
    facts: dict[str, Any], arrays: dict[str, np.ndarray], name: str
) -> None:
    frame = GoldenSet("small").recipe.picture_bgr("frame", 320)
    crop = aligned_crop(frame, aligned_transform(points_of(facts, CROPS[name])))
    difference = np.abs(crop[::4, ::4].astype(int) - arrays[f"{name}.crop_every4"])
    assert difference.max() <= 2
    assert difference.mean() < 0.05
