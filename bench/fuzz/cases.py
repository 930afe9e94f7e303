"""Requests generated from an OpenAPI document: valid ones, and ones with faults."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, GenerationMode
from schemathesis import Case as AnyCase
from schemathesis.core.result import Ok

Operation: TypeAlias = "APIOperation[Any, Any, Any, Any]"
Case: TypeAlias = "AnyCase[Operation]"

KNOWN_SHARE = 3
"""One in `KNOWN_SHARE` valid requests gets values of the path that exist."""

BYTES = "application/octet-stream"
OTHER_BYTES = ("application/sdp", "application/trickle-ice-sdpfrag")
"""Media types of bodies that are sent as they are generated."""

Known = Mapping[str, str]
"""Values that exist, by the name of the variable of the path."""


def operations_of(document: dict[str, Any], app: Flask | None = None) -> list[Operation]:
    """Return the operations of a document; their requests are for `app`, or for a real server."""
    schemathesis.serializer.alias(list(OTHER_BYTES), BYTES)
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    return [read.ok() for read in schema.get_all_operations() if isinstance(read, Ok)]


def cases(operation: Operation, count: int, number: int, known: Known) -> Iterator[Case]:
    """Yield up to `count` requests; fewer if the operation has no more. `number` is the seed."""
    for index, case in enumerate(generated(operation, count, number)):
        if index % KNOWN_SHARE == 0 and case.meta and case.meta.generation.mode.is_positive:
            found = {name: known[name] for name in case.path_parameters if name in known}
            case.path_parameters.update(found)
        yield case


def generated(operation: Operation, count: int, number: int) -> list[Case]:
    """Return up to `count` different requests."""
    found: list[Case] = []
    valid = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    faulty = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(valid, faulty) if takes_input(operation) else valid)
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def takes_input(operation: Operation) -> bool:
    """True if the operation has parameters or a body, which can have faults."""
    return bool(list(operation.iter_parameters()) or operation.body)
