"""The description of a route: its input, its answers and the scope that it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeVar

from pydantic import BaseModel

Scope = Literal["public", "watch", "speak", "prepare", "admin"]
"""Scope that a key must have; a `public` route needs no key."""

AnswerKind = type[BaseModel] | str
"""The model of an answer's JSON, or its media type; if that is empty, there is no body."""
HeaderName = Literal[
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
]
"""A header that a route reads from the request."""

ATTRIBUTE = "warmtalk_operation"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """The description of a view; `/openapi.json` and the check of keys read it."""

    answers: Mapping[int, AnswerKind | tuple[AnswerKind, ...]]
    """Kind of the answer with each status; several kinds if the request chooses one."""
    tag: str
    scope: Scope
    body: type[BaseModel] | None = None
    """Model of the JSON body; with `query`, the request has one of the two."""
    form: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: tuple[HeaderName, ...] = ()
    """Headers of the request that the view reads."""
    problems: tuple[int, ...] = ()
    """Statuses of errors other than those that follow from the path, the body and the query."""
    events: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    """Model of the data of each server-sent event."""


View = TypeVar("View", bound=Callable[..., object])


def operation(  # noqa: PLR0913 - the members of Operation
    *,
    body: type[BaseModel] | None = None,
    form: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    answers: Mapping[int, AnswerKind | tuple[AnswerKind, ...]],
    tag: str,
    scope: Scope,
    headers: tuple[HeaderName, ...] = (),
    problems: tuple[int, ...] = (),
    events: Mapping[str, type[BaseModel]] = MappingProxyType({}),
) -> Callable[[View], View]:
    """Attach the description of a view to it. The view itself stays as it is.

    Write it below the decorator of the route. `Operation` describes the arguments.
    """
    described = Operation(
        answers=answers,
        tag=tag,
        scope=scope,
        body=body,
        form=form,
        query=query,
        headers=headers,
        problems=problems,
        events=events,
    )

    def attach(view: View) -> View:
        setattr(view, ATTRIBUTE, described)
        return view

    return attach


def operation_of(view: Callable[..., object]) -> Operation | None:
    """Return the description of a view; None if it has none."""
    found = getattr(view, ATTRIBUTE, None)
    return found if isinstance(found, Operation) else None
