"""The description of a route: what it takes, what it answers and which scope it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import BaseModel

Scope = Literal["public", "watch", "speak", "prepare", "admin"]
"""What a key must permit; everybody may use a `public` route."""

ATTRIBUTE = "warmtalk_operation"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """The description of a view; `/openapi.json` and the check of keys read it.

    `answers` maps a status to the model of its JSON, an `Answer` or a root model of some, or to
    its media type if it is not JSON; an empty media type means that there is no body. Problem
    details are not among them, because every route may answer with them.
    """

    answers: Mapping[int, type[BaseModel] | str]
    tag: str
    scope: Scope
    body: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    query: type[BaseModel] | None = None


View = TypeVar("View", bound=Callable[..., object])


def operation(
    *,
    body: type[BaseModel] | None = None,
    form: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    answers: Mapping[int, type[BaseModel] | str],
    tag: str,
    scope: Scope,
) -> Callable[[View], View]:
    """Attach the description of a view to it. The view itself stays as it is.

    Write it below the decorator of the route.
    """
    described = Operation(
        answers=dict(answers), tag=tag, scope=scope, body=body, form=form, query=query
    )

    def attach(view: View) -> View:
        setattr(view, ATTRIBUTE, described)
        return view

    return attach


def operation_of(view: Callable[..., object]) -> Operation | None:
    """Return the description of a view; None if it has none."""
    found = getattr(view, ATTRIBUTE, None)
    return found if isinstance(found, Operation) else None
