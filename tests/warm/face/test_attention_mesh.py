"""The attention mesh: the network in parts, and lips that it sees where the plain mesh does not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.portraits import MODELS, portrait
from warm.face.attention_mesh import AttentionMesh, RefinedMesh
from warm.face.finder import FaceFinder
from warm.face.landmarks import eye_centres, inter_ocular, lip_gap
from warm.face.mesh import INPUT_SIZE, FaceMesh
from warm.face.models import ATTENTION_MESH, MESH, FaceModelError, open_interpreter, read_model
from warm.face.tflite_parts import (
    OPERATOR_OUTPUTS,
    SUBGRAPH_INPUTS,
    SUBGRAPH_OPERATORS,
    SUBGRAPH_OUTPUTS,
    cut_part,
    main_graph,
)


@pytest.fixture(scope="module")
def plain() -> NDArray[np.float32]:
    """(468, 3) landmarks of the portrait by the plain mesh."""
    return FaceFinder(MODELS).find(portrait())[0].mesh.points


@pytest.fixture(scope="module")
def mesh() -> AttentionMesh:
    return AttentionMesh(MODELS)


@pytest.fixture(scope="module")
def refined(mesh: AttentionMesh, plain: NDArray[np.float32]) -> RefinedMesh:
    return mesh.track(portrait(), plain)


def test_a_model_cut_in_two_computes_what_the_whole_model_does() -> None:
    model = read_model(MODELS, MESH)
    graph = main_graph(model)
    (source,), (result, *_) = (
        graph.vector(field).integers for field in (SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS)
    )
    operator = graph.vector(SUBGRAPH_OPERATORS).tables[40]
    (middle,) = operator.vector(OPERATOR_OUTPUTS).integers
    random = np.random.default_rng(0)
    tensor = random.random((1, INPUT_SIZE, INPUT_SIZE, 3), np.float32)
    by_parts = evaluate(cut_part(model, [source], [middle]), tensor)
    by_parts = evaluate(cut_part(model, [middle], [result]), by_parts)
    assert np.allclose(by_parts, evaluate(model, tensor), atol=1e-3)


def evaluate(model: bytes, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the first output of a model with one input."""
    net = open_interpreter(model)
    net.set_tensor(net.get_input_details()[0]["index"], tensor)
    net.invoke()
    return np.asarray(net.get_tensor(net.get_output_details()[0]["index"]))


def test_both_meshes_agree_on_closed_lips_and_open_eyes(
    refined: RefinedMesh, plain: NDArray[np.float32]
) -> None:
    apart = np.linalg.norm(refined.points[:, :2] - plain[:, :2], axis=1) / inter_ocular(plain)
    assert np.median(apart) < 0.03
    assert apart.max() < 0.12
    assert lip_gap(refined.points) < 0.04
    assert refined.score > 0.99


def test_each_iris_lies_in_its_eye(refined: RefinedMesh) -> None:
    centres = refined.irises[:, 0]
    apart = np.linalg.norm(centres - np.stack(eye_centres(refined.points)), axis=1)
    assert (apart < 0.1 * inter_ocular(refined.points)).all()
    radius = np.linalg.norm(refined.irises[:, 1:] - centres[:, None], axis=2)
    assert np.ptp(radius, axis=1).max() < 0.35 * radius.mean()


@pytest.mark.parametrize("degrees", [-25, 40])
def test_refined_points_rotate_with_the_picture(
    degrees: float, mesh: AttentionMesh, refined: RefinedMesh
) -> None:
    turn = cv2.getRotationMatrix2D((266, 240), degrees, 1.0)
    turned = cv2.warpAffine(portrait(), turn, (512, 600), borderMode=cv2.BORDER_REPLICATE)
    expected = refined.points.copy()
    expected[:, :2] = refined.points[:, :2] @ turn[:, :2].T + turn[:, 2]
    found = mesh.track(np.asarray(turned, np.uint8), expected)
    error = np.linalg.norm((found.points - expected)[:, :2], axis=1)
    assert error.max() < 0.06 * inter_ocular(expected)
    iris = refined.irises @ turn[:, :2].T + turn[:, 2]
    assert np.abs(found.irises - iris).max() < 0.03 * inter_ocular(expected)


def test_teeth_between_the_lips_are_seen(
    mesh: AttentionMesh, plain: NDArray[np.float32], refined: RefinedMesh
) -> None:
    """Teeth in the lips' shadow are drawn over the lip line; the plain mesh sees closed lips."""
    iod = float(inter_ocular(plain))
    line = refined.points[[78, 82, 13, 312, 308], :2]
    x, y = np.rint(line.mean(axis=0)).astype(int)
    axes = round(0.35 * float(np.ptp(line[:, 0]))), round(0.05 * iod)
    picture = portrait()
    cv2.ellipse(picture, (int(x), int(y)), axes, 0, 0, 360, (120, 135, 150), -1, cv2.LINE_AA)
    soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), np.uint8)
    assert lip_gap(FaceMesh(MODELS).track(soft, plain).points) < 0.04
    assert 0.07 < lip_gap(mesh.track(soft, plain).points) < 0.13


def test_a_folder_with_the_older_models_only_names_the_file_and_the_command(
    tmp_path: Path,
) -> None:
    (tmp_path / MESH).write_bytes((MODELS / MESH).read_bytes())
    expected = rf"{ATTENTION_MESH} is missing.*models face --models"
    with pytest.raises(FaceModelError, match=expected):
        AttentionMesh(tmp_path)
