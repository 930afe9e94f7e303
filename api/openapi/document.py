"""The OpenAPI document of an application."""

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from typing import cast

from flask import Flask
from pydantic import BaseModel
from werkzeug.routing import Rule

from api.openapi.forms import form_content
from api.openapi.parameters import document_path, parameters
from api.openapi.problems import problem_responses, problem_statuses
from api.openapi.responses import JSON, responses
from api.openapi.schemas import Json, Schemas
from api.openapi.security import SCHEMES, security
from api.openapi.tags import TAGS
from api.operation import Operation, operation_of
from warm import VERSION

DESCRIPTION = """\
A warm conversational talking-head server. Errors are problem details (RFC 9457) with a `kind`.
Every `GET` also accepts `HEAD`, and every route `OPTIONS`."""
IMPLIED = ("HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one rule, and its operation."""

    rule: Rule
    method: str
    operation: Operation
    text: str
    """Description: the docstring of the view."""


def routes(app: Flask) -> Iterator[Route]:
    """Yield the routes that have an operation, in the order in which they were registered."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        found = operation_of(view)
        if found is None:
            continue
        for method in sorted((rule.methods or set()) - set(IMPLIED)):
            text = cleandoc(view.__doc__ or "")
            yield Route(rule=rule, method=method, operation=found, text=text)


def make_document(app: Flask) -> Json:
    """Return the document, without `servers`, which depend on the request."""
    found = list(routes(app))
    schemas = Schemas(route.operation for route in found)
    paths: dict[str, Json] = {}
    for route in found:
        methods = paths.setdefault(document_path(route.rule.rule), {})
        methods[route.method.lower()] = operation_json(route, schemas)
    used = {route.operation.tag for route in found}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Warmtalk", "version": VERSION, "description": DESCRIPTION},
        "tags": [{"name": name, "description": TAGS[name]} for name in TAGS if name in used],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {
                component(status): response
                for status, response in problem_responses(schemas).items()
            },
            "securitySchemes": SCHEMES,
        },
    }


def operation_json(route: Route, schemas: Schemas) -> Json:
    """Return one operation."""
    operation = route.operation
    summary, _, rest = route.text.partition("\n\n")
    found = parameters(route.rule, operation, schemas)
    problems = problem_statuses(route.rule, route.method, operation)
    answers = responses(operation, schemas) | {
        str(status): {"$ref": f"#/components/responses/{component(str(status))}"}
        for status in problems
    }
    return {
        "operationId": operation_id(route),
        "tags": [operation.tag],
        "summary": " ".join(summary.split()),
        **({"description": rest} if rest else {}),
        **({"parameters": found} if found else {}),
        **request_body(operation, schemas),
        "responses": dict(sorted(answers.items())),
        "security": security(operation.scope),
    }


def operation_id(route: Route) -> str:
    """Return an id of the operation; the same view may serve several paths."""
    name = route.rule.endpoint.replace(".", "_")
    return f"{name}_default" if route.rule.defaults else name


def component(status: str) -> str:
    """Name of the response with a status among the components."""
    return f"Problem{status}"


def request_body(operation: Operation, schemas: Schemas) -> Json:
    """Return the body of the request: JSON, a form, or either."""
    content: Json = {}
    if operation.form is not None:
        content |= form_content(operation.form, schemas)
    if operation.body is not None:
        content[JSON] = body_json(operation.body, schemas)
    if not content:
        return {}
    return {"requestBody": {"required": operation.query is None, "content": content}}


def body_json(model: type[BaseModel], schemas: Schemas) -> Json:
    """Return the content of a body, with the examples of its model."""
    examples = cast(Json, model.model_config.get("json_schema_extra") or {}).get("examples", [])
    named = {f"example{number}": {"value": each} for number, each in enumerate(examples, start=1)}
    return {
        "schema": schemas.of_request(model),
        **({"examples": named} if named else {}),
    }
