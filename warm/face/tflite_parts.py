"""Parts of a TFLite model as models of their own, cut out of its flatbuffer.

A model with operators that the interpreter lacks runs as the parts between them. The cut edits a
copy of the file in place: it keeps the operators that a part needs and names its inputs and
outputs. Format: https://flatbuffers.dev/internals and TFLite's schema.fbs, version 3.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

MODEL_SUBGRAPHS = 2
SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS = 1, 2, 3
OPERATOR_INPUTS, OPERATOR_OUTPUTS, OPERATOR_CUSTOM_OPTIONS = 1, 2, 5
"""Numbers of fields in the tables of the schema."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a flatbuffer."""

    data: bytes | bytearray
    at: int
    """Position of the table."""

    def field(self, number: int) -> int:
        """Return the position of a field that must be present."""
        vtable = self.at - read(self.data, "<i", self.at)
        return self.at + read(self.data, "<H", vtable + 4 + 2 * number)

    def vector(self, number: int) -> "Vector":
        """Return the vector that a field refers to."""
        return Vector(self.data, follow(self.data, self.field(number)))


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of a flatbuffer: its length, then its items."""

    data: bytes | bytearray
    at: int

    def __len__(self) -> int:
        return read(self.data, "<I", self.at)

    @property
    def integers(self) -> tuple[int, ...]:
        """The items of a vector of int32."""
        return struct.unpack_from(f"<{len(self)}i", self.data, self.at + 4)

    @property
    def content(self) -> bytes:
        """The items of a vector of bytes."""
        return bytes(self.data[self.at + 4 : self.at + 4 + len(self)])

    @property
    def tables(self) -> list[Table]:
        """The items of a vector of tables."""
        places = range(self.at + 4, self.at + 4 + 4 * len(self), 4)
        return [Table(self.data, follow(self.data, place)) for place in places]


def cut_part(model: bytes, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    """Return the part of a model that computes the tensors `outputs` from the tensors `inputs`."""
    data = bytearray(model)
    graph = main_graph(data)
    vector = graph.vector(SUBGRAPH_OPERATORS)
    kept = needed_operators(vector.tables, set(inputs), set(outputs))
    struct.pack_into("<I", data, vector.at, len(kept))
    for place, operator in enumerate(kept, start=1):
        at = vector.at + 4 * place
        struct.pack_into("<I", data, at, operator.at - at)
    append_integers(data, graph.field(SUBGRAPH_INPUTS), inputs)
    append_integers(data, graph.field(SUBGRAPH_OUTPUTS), outputs)
    return bytes(data)


def main_graph(data: bytes | bytearray) -> Table:
    """Return the first graph of a model."""
    return Table(data, follow(data, 0)).vector(MODEL_SUBGRAPHS).tables[0]


def needed_operators(operators: list[Table], inputs: set[int], outputs: set[int]) -> list[Table]:
    """Return the operators, in their order, that compute the outputs from the inputs."""
    needed, kept = outputs - inputs, []
    for operator in reversed(operators):
        if needed.intersection(operator.vector(OPERATOR_OUTPUTS).integers):
            kept.append(operator)
            needed |= set(operator.vector(OPERATOR_INPUTS).integers) - inputs
    return kept[::-1]


def custom_options(model: bytes, output: int) -> bytes:
    """Return the options of the custom operator that computes the tensor `output`."""
    operators = main_graph(model).vector(SUBGRAPH_OPERATORS).tables
    (operator,) = (o for o in operators if output in o.vector(OPERATOR_OUTPUTS).integers)
    return operator.vector(OPERATOR_CUSTOM_OPTIONS).content


def append_integers(data: bytearray, field: int, values: Sequence[int]) -> None:
    """Append a vector of int32 to a flatbuffer, and make the field at `field` refer to it."""
    data.extend(bytes(-len(data) % 4))
    struct.pack_into("<I", data, field, len(data) - field)
    data.extend(struct.pack(f"<I{len(values)}i", len(values), *values))


def follow(data: bytes | bytearray, at: int) -> int:
    """Return the position that the offset at `at` refers to."""
    return at + read(data, "<I", at)


def read(data: bytes | bytearray, kind: str, at: int) -> int:
    """Read one integer of a `struct` format."""
    return int(struct.unpack_from(kind, data, at)[0])
