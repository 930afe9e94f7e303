"""Segmentation of the lower face, by landmarks or by a face parser."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.engines.musetalk.tiny_weights import write_parser
from tests.warm.portraits import build_portrait, portrait
from warm.engines.musetalk.device import choose_device
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.engines.musetalk.errors import IncompatibleConfig
from warm.engines.musetalk.face_parsing import FaceParser, lower_face_from_landmarks
from warm.engines.musetalk.mask import PARSING_PX, soft_mask
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.view import FaceView, face_views

LABELS = ["background", "skin", "nose", "mouth", "u_lip", "l_lip", "neck"]


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> FaceView:
    return face_views(
        build_portrait(tmp_path_factory.mktemp("sitter"), portrait()), "reference", 0
    )[0]


def test_the_landmarks_mark_the_mouth_and_not_the_nose(view: FaceView) -> None:
    mask = soft_mask(lower_face_from_landmarks(view), view.box)
    square = mask.shape[0]
    left, top = (view.box.left + view.box.right) // 2 - square // 2, 0
    top = (view.box.top + view.box.bottom) // 2 - square // 2
    points = np.round(view.points - [left, top]).astype(int)
    lips, bridge, jaw = points[48:68], points[28], points[8]
    assert (mask[lips[:, 1], lips[:, 0]] > 240).all()
    assert mask[bridge[1], bridge[0]] < 20
    assert mask[jaw[1], jaw[0]] > 60


def parsed_face(models: Path, view: FaceView, seen: str, labels: list[str]) -> NDArray[np.uint8]:
    write_parser(models, labels, seen)
    layout = MuseTalkOptions(models_dir=models, face_mask="parser").layout()
    assert layout.parser is not None and layout.parser_weights is not None
    parser = FaceParser(layout.parser, layout.parser_weights, choose_device("cpu", "fp32"))
    shutil.rmtree(models / "face-parsing")
    return parser.lower_face(view, portrait())


def test_a_parser_marks_skin_and_lips_and_nothing_else(
    weights: Path, view: FaceView, tmp_path: Path
) -> None:
    models = Path(shutil.copytree(weights, tmp_path / "models"))
    marked = {seen: parsed_face(models, view, seen, LABELS) for seen in LABELS}
    assert {seen for seen, mask in marked.items() if mask.all()} == {
        *("skin", "mouth", "u_lip", "l_lip")
    }
    assert {seen for seen, mask in marked.items() if not mask.any()} == {
        *("background", "nose", "neck")
    }
    assert marked["skin"].shape == (PARSING_PX, PARSING_PX)


def test_a_parser_of_other_classes_is_refused(
    weights: Path, view: FaceView, tmp_path: Path
) -> None:
    models = Path(shutil.copytree(weights, tmp_path / "models"))
    with pytest.raises(IncompatibleConfig, match="id2label lacks l_lip, nose"):
        parsed_face(models, view, "skin", ["skin", "mouth", "u_lip"])


def test_an_avatar_keeps_the_masks_of_the_parser(weights: Path, tmp_path: Path) -> None:
    models = Path(shutil.copytree(weights, tmp_path / "models"))
    write_parser(models, LABELS, "skin")
    masks = {}
    for face_mask in ("landmarks", "parser"):
        build = build_portrait(tmp_path / face_mask, portrait())
        chosen = MuseTalkOptions(models_dir=models, device="cpu", face_mask=face_mask)  # type: ignore[arg-type]
        MuseTalkEngine(chosen).prepare(build)
        masks[face_mask] = build.extras["musetalk_masks"]
        assert face_mask in str(build.extras["musetalk_recipe"])
    assert (masks["parser"] > 250).mean() > (masks["landmarks"] > 250).mean()
