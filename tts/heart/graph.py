"""Cut a part out of an ONNX graph, without the package `onnx`.

An ONNX file is a `ModelProto`; the numbers of its fields are those of onnx.proto, version 3
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tts.protobuf import BYTES, Field, bytes_field, fields, number_field

FLOAT, INT64 = 1, 7
"""Element types of tensors."""

_MODEL_GRAPH = 7
_NODES, _GRAPH_NAME, _INITIALIZERS, _INPUTS, _OUTPUTS = 1, 2, 5, 11, 12
_NODE_INPUTS, _NODE_OUTPUTS = 1, 2
_INITIALIZER_NAME = 8


class GraphError(ValueError):
    """A tensor to cut at is not in the graph."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, element type and shape of a tensor at which a graph is cut."""

    name: str
    element_type: int
    shape: tuple[int | str, ...]
    """A string is the name of a size that is known at run time."""

    def message(self) -> bytes:
        """Return the `ValueInfoProto` of this tensor."""
        sizes = b"".join(bytes_field(1, _dimension(size)) for size in self.shape)
        tensor = number_field(1, self.element_type) + bytes_field(2, sizes)
        return bytes_field(1, self.name) + bytes_field(2, bytes_field(1, tensor))


@dataclass(frozen=True, slots=True)
class _Node:
    message: memoryview
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class OnnxGraph:
    """The graph of a model, of which parts can be cut out."""

    def __init__(self, model: bytes) -> None:
        """Read a model; raises ProtobufError if it is damaged."""
        parts = list(fields(memoryview(model)))
        graph = [part for f in parts if f.number == _MODEL_GRAPH for part in fields(f.data)]
        weights = [f.data for f in graph if f.number == _INITIALIZERS]
        self._others = [_copy(field) for field in parts if field.number != _MODEL_GRAPH]
        self._nodes = [_node(field.data) for field in graph if field.number == _NODES]
        self._weights = {_name(data, _INITIALIZER_NAME): data for data in weights}

    def cut(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> bytes:
        """Return the model that computes `outputs` from `inputs`, with the weights for it only.

        Raises GraphError if a tensor is not in the graph.
        """
        given = {spec.name for spec in inputs}
        needed = _needed_nodes(self._nodes, given, [spec.name for spec in outputs])
        kept = [node for node in self._nodes if node.outputs in needed]
        used = {name for node in kept for name in node.inputs}
        _check_complete(kept, used, given | self._weights.keys())
        weights = [data for name, data in self._weights.items() if name in used]
        content = [bytes_field(_GRAPH_NAME, "part")]
        content += [bytes_field(_NODES, node.message) for node in kept]
        content += [bytes_field(_INITIALIZERS, data) for data in weights]
        content += [bytes_field(_INPUTS, spec.message()) for spec in inputs]
        content += [bytes_field(_OUTPUTS, spec.message()) for spec in outputs]
        return b"".join([*self._others, bytes_field(_MODEL_GRAPH, b"".join(content))])


def _needed_nodes(
    nodes: Sequence[_Node], given: set[str], wanted: Sequence[str]
) -> set[tuple[str, ...]]:
    """Return the outputs of each node between the given tensors and the wanted ones."""
    producers = {name: node for node in nodes for name in node.outputs}
    needed = set[tuple[str, ...]]()
    waiting = list(wanted)
    missing = [name for name in wanted if name not in producers]
    if missing:
        raise GraphError(f"the graph has no tensor {missing[0]!r}")
    while waiting:
        node = producers.get(waiting.pop())
        if node is not None and node.outputs not in needed:
            needed.add(node.outputs)
            waiting += [name for name in node.inputs if name not in given]
    return needed


def _check_complete(kept: Sequence[_Node], used: set[str], known: set[str]) -> None:
    """Raise GraphError if a node needs a tensor that neither a node, a weight nor an input is."""
    made = {name for node in kept for name in node.outputs}
    missing = sorted(used - made - known - {""})
    if missing:
        raise GraphError(f"the part of the graph lacks the tensor {missing[0]!r}")


def _node(message: memoryview) -> _Node:
    names: dict[int, list[str]] = {_NODE_INPUTS: [], _NODE_OUTPUTS: []}
    for field in fields(message):
        if field.number in names:
            names[field.number].append(str(field.data, "utf-8"))
    return _Node(message, tuple(names[_NODE_INPUTS]), tuple(names[_NODE_OUTPUTS]))


def _name(message: memoryview, number: int) -> str:
    return next((str(f.data, "utf-8") for f in fields(message) if f.number == number), "")


def _dimension(size: int | str) -> bytes:
    return number_field(1, size) if isinstance(size, int) else bytes_field(2, size)


def _copy(field: Field) -> bytes:
    if field.wire_type == BYTES:
        return bytes_field(field.number, field.data)
    return number_field(field.number, field.value)
