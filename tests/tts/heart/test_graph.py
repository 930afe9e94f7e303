"""A cut graph computes what the whole graph computes."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

from tts.heart.graph import FLOAT, GraphError, OnnxGraph, TensorSpec
from tts.protobuf import ProtobufError, bytes_field, number_field

A, B, C, D = (TensorSpec(name, FLOAT, (1, "n")) for name in "abcd")


def node(kind: str, inputs: list[str], output: str) -> bytes:
    names = [*(bytes_field(1, name) for name in inputs), bytes_field(2, output)]
    return bytes_field(1, b"".join([*names, bytes_field(4, kind)]))


def weight(name: str, value: float) -> bytes:
    data = np.array([value], np.float32).tobytes()
    tensor = [
        number_field(1, 1),
        number_field(2, FLOAT),
        bytes_field(8, name),
        bytes_field(9, data),
    ]
    return bytes_field(5, b"".join(tensor))


def model() -> bytes:
    """b = 2a, c = b + 3, d = -c."""
    graph = [
        node("Mul", ["a", "two"], "b"),
        node("Add", ["b", "three"], "c"),
        node("Neg", ["c"], "d"),
        bytes_field(2, "whole"),
        weight("two", 2.0),
        weight("three", 3.0),
        bytes_field(11, A.message()),
        bytes_field(12, D.message()),
    ]
    opset = bytes_field(8, number_field(2, 17))
    return number_field(1, 8) + bytes_field(7, b"".join(graph)) + opset


def run(content: bytes, name: str) -> list[list[float]]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    outputs: list[Any] = session.run(None, {name: np.array([[1.0, 5.0]], np.float32)})
    return [output.ravel().tolist() for output in outputs]


def test_the_halves_of_a_graph_compute_what_the_whole_computes() -> None:
    assert run(model(), "a") == [[-5.0, -13.0]]
    assert run(OnnxGraph(model()).cut([A], [B]), "a") == [[2.0, 10.0]]
    assert run(OnnxGraph(model()).cut([B], [D]), "b") == [[-4.0, -8.0]]


def test_inner_tensors_become_outputs() -> None:
    assert run(OnnxGraph(model()).cut([A], [C, B]), "a") == [[5.0, 13.0], [2.0, 10.0]]


def test_a_part_contains_only_the_weights_that_it_needs() -> None:
    part = OnnxGraph(model()).cut([B], [D])
    assert b"three" in part
    assert b"two" not in part


@pytest.mark.parametrize(
    ("inputs", "outputs", "missing"), [([A], ["x"], "x"), ([C], ["b"], "a"), ([], ["d"], "a")]
)
def test_a_tensor_that_is_missing_is_named(
    inputs: list[TensorSpec], outputs: list[str], missing: str
) -> None:
    with pytest.raises(GraphError, match=f"tensor '{missing}'"):
        OnnxGraph(model()).cut(inputs, [TensorSpec(name, FLOAT, (1, "n")) for name in outputs])


def test_a_truncated_file_is_refused() -> None:
    whole = model()
    for size in range(1, len(whole), 7):
        with pytest.raises((ProtobufError, GraphError)):
            OnnxGraph(whole[:size]).cut([A], [D])
