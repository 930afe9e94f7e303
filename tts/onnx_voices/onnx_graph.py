"""Graph of an ONNX file: its inputs, outputs and nodes; cut in parts without the package `onnx`.

Field numbers are those of ONNX's public `onnx.proto`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tts.protobuf import BYTES, ProtobufError, bytes_field, fields, number_field

FLOAT, INT64 = 1, 7
"""Element types of tensors."""

_IR_VERSION, _GRAPH, _OPSET = 1, 7, 8
_NODE, _GRAPH_NAME, _INITIALIZER, _INPUT, _OUTPUT = 1, 2, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _OP_TYPE, _ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 1, 6, 11
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _RAW_DATA, _EXTERNAL_DATA = 1, 2, 8, 9, 13
_VALUE_NAME, _VALUE_TYPE = 1, 2
_MIN_IR_VERSION = 3
"""Older files list weights as inputs in another way; no speech network is in such a file."""


class GraphError(ValueError):
    """A file is not an ONNX model, or its graph lacks something; the message is a predicate."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph."""

    op: str
    inputs: tuple[str, ...]
    """Names of tensors; "" for one that is omitted."""
    outputs: tuple[str, ...]
    captured: tuple[str, ...]
    """Tensors that graphs inside the node use."""
    attributes: tuple[str, ...]
    """Their names."""
    data: bytes | memoryview
    """The serialized node."""


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """The parts of an ONNX file."""

    header: tuple[bytes, ...]
    """Serialized version and operator sets."""
    opset: int
    """Version of the standard operators."""
    nodes: tuple[Node, ...]
    """In an order in which they can be computed."""
    initializers: dict[str, bytes | memoryview] = field(default_factory=dict)
    """Serialized weights by name."""
    inputs: dict[str, bytes | memoryview] = field(default_factory=dict)
    """Serialized names and types of the inputs."""
    outputs: tuple[str, ...] = ()

    @classmethod
    def parse(cls, content: bytes) -> "OnnxGraph":
        """Read an ONNX file without copying its weights; raises GraphError."""
        try:
            return _parse(memoryview(content))
        except (ProtobufError, UnicodeDecodeError) as error:
            raise GraphError(f"is not an ONNX model, or is truncated: {error}") from error

    def nodes_of(self, op: str) -> list[Node]:
        """Return the nodes of one kind, in order."""
        return [node for node in self.nodes if node.op == op]

    def producers(self) -> dict[str, Node]:
        """Return the node that computes each tensor."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    def after(self, names: Iterable[str]) -> set[str]:
        """Return the tensors that depend on any of `names`, and `names` themselves."""
        found = set(names)
        for node in self.nodes:
            if any(name in found for name in (*node.inputs, *node.captured)):
                found.update(node.outputs)
        return found

    def with_nodes(self, change: Callable[[Node], Iterable[Node]]) -> "OnnxGraph":
        """Return the graph with each node replaced by those that `change` returns for it."""
        return replace(self, nodes=tuple(new for node in self.nodes for new in change(node)))

    def with_weights(self, weights: Mapping[str, bytes]) -> "OnnxGraph":
        """Return the graph with further serialized weights."""
        return replace(self, initializers={**self.initializers, **weights})

    def with_input(self, name: str, element_type: int, rank: int) -> "OnnxGraph":
        """Return the graph with one more input of any size."""
        return replace(self, inputs={**self.inputs, name: tensor_info(name, element_type, rank)})

    def part(self, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
        """Serialize the part that computes `outputs` from `inputs`.

        Inputs that are not inputs of the whole graph become float tensors. Raises GraphError if
        the outputs need an input that is not among `inputs`.
        """
        nodes = self._needed(inputs, outputs)
        used = {name for node in nodes for name in (*node.inputs, *node.captured)}
        content = [bytes_field(_NODE, node.data) for node in nodes]
        content.append(bytes_field(_GRAPH_NAME, "part"))
        content += [
            bytes_field(_INITIALIZER, data)
            for name, data in self.initializers.items()
            if name in used
        ]
        content += [
            bytes_field(_INPUT, self.inputs.get(name) or tensor_info(name, FLOAT))
            for name in inputs
        ]
        content += [bytes_field(_OUTPUT, bytes_field(_VALUE_NAME, name)) for name in outputs]
        return b"".join([*self.header, bytes_field(_GRAPH, b"".join(content))])

    def _needed(self, inputs: Sequence[str], outputs: Sequence[str]) -> list[Node]:
        producers = self.producers()
        needed, waiting = set[str](), list(outputs)
        given = {*inputs, *self.initializers, ""}
        while waiting:
            name = waiting.pop()
            if name in given or name in needed:
                continue
            if name not in producers:
                raise GraphError(f"has no tensor {name!r}")
            node = producers[name]
            needed.update(node.outputs)
            waiting += (*node.inputs, *node.captured)
        return [node for node in self.nodes if any(name in needed for name in node.outputs)]


def make_node(op: str, inputs: Sequence[str], outputs: Sequence[str], name: str) -> Node:
    """Return a node without attributes."""
    data = b"".join(
        [
            *(bytes_field(_NODE_INPUT, each) for each in inputs),
            *(bytes_field(_NODE_OUTPUT, each) for each in outputs),
            bytes_field(_NODE_NAME, name),
            bytes_field(_OP_TYPE, op),
        ]
    )
    return Node(op, tuple(inputs), tuple(outputs), (), (), data)


def make_tensor(name: str, element_type: int, dims: Sequence[int], content: bytes) -> bytes:
    """Serialize a weight; `content` holds its numbers in little-endian order."""
    return b"".join(
        [
            *(number_field(_TENSOR_DIMS, size) for size in dims),
            number_field(_TENSOR_TYPE, element_type),
            bytes_field(_TENSOR_NAME, name),
            bytes_field(_RAW_DATA, content),
        ]
    )


def tensor_info(name: str, element_type: int, rank: int | None = None) -> bytes:
    """Serialize the name and type of a tensor whose sizes are unknown."""
    kind = number_field(1, element_type)
    if rank is not None:
        kind += bytes_field(2, bytes_field(1, b"") * rank)
    return bytes_field(_VALUE_NAME, name) + bytes_field(_VALUE_TYPE, bytes_field(1, kind))


def _parse(content: memoryview) -> OnnxGraph:
    header, graph, version, opset = list[bytes](), None, 0, 0
    for each in fields(content):
        if each.number == _IR_VERSION:
            version = each.value
            header.append(number_field(_IR_VERSION, version))
        elif each.number == _OPSET:
            header.append(bytes_field(_OPSET, each.data))
            opset = opset or _opset_version(each.data)
        elif each.number == _GRAPH:
            graph = each.data
    if graph is None or version < _MIN_IR_VERSION:
        raise GraphError("is not an ONNX model: it has no graph")
    return _parse_graph(tuple(header), opset, graph)


def _opset_version(data: memoryview) -> int:
    """Return the version of the standard operators; 0 for operators of others."""
    found = {each.number: each for each in fields(data)}
    is_standard = _OPSET_DOMAIN not in found or not found[_OPSET_DOMAIN].data
    return found[_OPSET_VERSION].value if is_standard and _OPSET_VERSION in found else 0


def _parse_graph(header: tuple[bytes, ...], opset: int, graph: memoryview) -> OnnxGraph:
    nodes, outputs = list[Node](), list[str]()
    initializers = dict[str, bytes | memoryview]()
    inputs = dict[str, bytes | memoryview]()
    for each in fields(graph):
        if each.number == _NODE:
            nodes.append(_node(each.data))
        elif each.number == _INITIALIZER:
            initializers[_initializer_name(each.data)] = each.data
        elif each.number == _INPUT:
            inputs[_text(each.data, _VALUE_NAME)] = each.data
        elif each.number == _OUTPUT:
            outputs.append(_text(each.data, _VALUE_NAME))
    inputs = {name: info for name, info in inputs.items() if name not in initializers}
    return OnnxGraph(header, opset, tuple(nodes), initializers, inputs, tuple(outputs))


def _node(data: memoryview) -> Node:
    inputs, outputs, op = list[str](), list[str](), ""
    captured, attributes = list[str](), list[str]()
    for each in fields(data):
        if each.number == _NODE_INPUT:
            inputs.append(str(each.data, "utf-8"))
        elif each.number == _NODE_OUTPUT:
            outputs.append(str(each.data, "utf-8"))
        elif each.number == _OP_TYPE:
            op = str(each.data, "utf-8")
        elif each.number == _ATTRIBUTE and each.wire_type == BYTES:
            captured += _names_in_attribute(each.data)
            attributes.append(_text(each.data, _ATTRIBUTE_NAME))
    return Node(op, tuple(inputs), tuple(outputs), tuple(captured), tuple(attributes), data)


def _names_in_attribute(data: memoryview) -> Iterator[str]:
    """Yield the tensors that the nodes of a graph in an attribute use."""
    for each in fields(data):
        if each.number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS) and each.wire_type == BYTES:
            inner = _parse_graph((), 0, each.data)
            own = {*inner.producers(), *inner.initializers, *inner.inputs}
            for node in inner.nodes:
                yield from (name for name in (*node.inputs, *node.captured) if name not in own)
            yield from (name for name in inner.outputs if name not in own)


def _initializer_name(data: memoryview) -> str:
    name = ""
    for each in fields(data):
        if each.number == _TENSOR_NAME:
            name = str(each.data, "utf-8")
        elif each.number == _EXTERNAL_DATA:
            raise GraphError("keeps its weights in another file, which is not supported")
    return name


def _text(data: memoryview, number: int) -> str:
    found = [each.data for each in fields(data) if each.number == number]
    return str(found[-1], "utf-8") if found else ""
