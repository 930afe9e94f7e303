"""Writes ONNX models for tests: nodes with attributes, weights, inputs and outputs."""

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tts.onnx_voices.onnx_graph import FLOAT, INT64, make_tensor, tensor_info
from tts.protobuf import bytes_field, number_field

IR_VERSION, OPSET = 8, 15
Attribute = int | float | Sequence[int]
TYPES = {np.dtype(np.float32): FLOAT, np.dtype(np.int64): INT64}


class ModelWriter:
    """Collects the parts of a model."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.count = 0

    def weight(self, values: object, dtype: type = np.float32) -> str:
        array = np.asarray(values, dtype)
        name = self._name("weight")
        kind = TYPES[array.dtype]
        self.parts.append(bytes_field(5, make_tensor(name, kind, array.shape, array.tobytes())))
        return name

    def node(self, op: str, inputs: Sequence[str], name: str = "", **attributes: Attribute) -> str:
        output = name or self._name(op)
        content = [bytes_field(1, each) for each in inputs]
        content += [bytes_field(2, output), bytes_field(3, output), bytes_field(4, op)]
        content += [bytes_field(5, attribute(key, value)) for key, value in attributes.items()]
        self.parts.append(bytes_field(1, b"".join(content)))
        return output

    def input(self, name: str, kind: int, rank: int) -> str:
        self.parts.append(bytes_field(11, tensor_info(name, kind, rank)))
        return name

    def output(self, name: str) -> None:
        self.parts.append(bytes_field(12, tensor_info(name, FLOAT)))

    def serialized(self, *, ir_version: int = IR_VERSION, opset: int = OPSET) -> bytes:
        graph = bytes_field(2, "tiny") + b"".join(self.parts)
        return (
            number_field(1, ir_version)
            + bytes_field(8, bytes_field(1, "") + number_field(2, opset))
            + bytes_field(7, graph)
        )

    def _name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}_{self.count}"


def attribute(name: str, value: Attribute) -> bytes:
    """Serialize an attribute of a node."""
    if isinstance(value, float):
        return bytes_field(1, name) + b"\x15" + struct.pack("<f", value) + number_field(20, 1)
    if isinstance(value, int):
        return bytes_field(1, name) + number_field(3, value) + number_field(20, 2)
    return (
        bytes_field(1, name)
        + b"".join(number_field(8, each) for each in value)
        + number_field(20, 7)
    )


def random(*shape: int, seed: int, scale: float = 1.0) -> NDArray[np.float32]:
    """Return fixed random weights."""
    values = np.random.default_rng(seed).standard_normal(shape) * scale
    return values.astype(np.float32)
