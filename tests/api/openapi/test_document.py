"""The OpenAPI document: complete, valid, and in agreement with the routes."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient

from api.openapi.document import document_path, make_document, routes
from api.openapi.parameters import IN_RULE
from api.openapi.problems import problem_statuses
from api.openapi.tags import TAGS
from api.operation import operation_of
from api.problem import problem_kinds
from app import BLUEPRINTS

Json = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def bare() -> Flask:
    """An application with all routes, which cannot serve any of them."""
    app = Flask("routes", static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


@pytest.fixture(scope="module")
def document(bare: Flask) -> Json:
    return make_document(bare)


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def test_every_route_has_an_operation(bare: Flask) -> None:
    missing = [
        rule.rule
        for rule in bare.url_map.iter_rules()
        if operation_of(bare.view_functions[rule.endpoint]) is None
    ]
    assert missing == []


def test_it_has_every_route_and_no_other(bare: Flask, document: Json) -> None:
    expected = {
        f"{method} {document_path(rule.rule)}"
        for rule in bare.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {name for name, _ in operations(document)} == expected


def test_it_is_valid_openapi(document: Json) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.validate()
    assert all(found.ok() for found in schema.get_all_operations())


def test_its_references_lead_somewhere(document: Json) -> None:
    for reference in references(document):
        found = document
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
        assert found, reference


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def test_the_variables_of_each_path_are_its_path_parameters(bare: Flask) -> None:
    document = make_document(bare)
    for route in routes(bare):
        path = document_path(route.rule.rule)
        found = document["paths"][path][route.method.lower()].get("parameters", [])
        named = [each["name"] for each in found if each["in"] == "path"]
        assert named == IN_RULE.findall(route.rule.rule), path
        assert all(each["required"] for each in found if each["in"] == "path")


def test_no_operation_names_a_parameter_twice(document: Json) -> None:
    for name, operation in operations(document):
        named = [(each["in"], each["name"]) for each in operation.get("parameters", [])]
        assert len(named) == len(set(named)), name


def test_each_operation_has_an_id_of_its_own_and_a_summary(document: Json) -> None:
    found = list(operations(document))
    ids = [operation["operationId"] for _, operation in found]
    assert len(set(ids)) == len(ids)
    assert [name for name, operation in found if not operation["summary"]] == []


def test_each_tag_is_described(bare: Flask) -> None:
    assert {route.operation.tag for route in routes(bare)} <= TAGS.keys()


def test_each_operation_names_the_scope_that_a_key_must_have(bare: Flask, document: Json) -> None:
    for route in routes(bare):
        path = document_path(route.rule.rule)
        alternatives = document["paths"][path][route.method.lower()]["security"]
        scopes = {scope for each in alternatives for names in each.values() for scope in names}
        assert scopes == {route.operation.scope} - {"public"}, path


def test_each_documented_error_has_a_kind(bare: Flask) -> None:
    for route in routes(bare):
        statuses = set(problem_statuses(route.rule, route.method, route.operation))
        assert statuses <= problem_kinds().keys()
        assert set(route.operation.problems) <= problem_kinds().keys(), route.rule.rule


def test_its_examples_are_valid(document: Json) -> None:
    found = list(examples(document))
    assert len(found) > 10
    for name, schema, example in found:
        rooted = {**schema, "components": document["components"]}
        assert jsonschema_rs.is_valid(rooted, example), f"{name}: {json.dumps(example)}"


def examples(document: Json) -> Iterator[tuple[str, Json, Any]]:
    """Name, schema and value of every example."""
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            yield name, schema, example
        for member, part in schema.get("properties", {}).items():
            for example in part.get("examples", ()):
                yield f"{name}.{member}", part, example
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            for example in parameter["schema"].get("examples", ()):
                yield f"{name} {parameter['name']}", parameter["schema"], example


def test_every_body_of_json_has_an_example(bare: Flask, document: Json) -> None:
    lacking = []
    for route in routes(bare):
        path = document_path(route.rule.rule)
        if route.operation.body is not None:
            body = document["paths"][path][route.method.lower()]["requestBody"]
            if not body["content"]["application/json"].get("examples"):
                lacking.append(path)
    assert lacking == []


def test_it_is_served_below_the_prefix_of_a_proxy(client: FlaskClient) -> None:
    answer = client.get("/openapi.json")
    assert answer.json is not None
    assert answer.json["openapi"].startswith("3.1.")
    assert answer.json["servers"] == [{"url": "/"}]
    behind = client.get("/openapi.json", environ_overrides={"SCRIPT_NAME": "/talk"})
    assert behind.json is not None
    assert behind.json["servers"] == [{"url": "/talk"}]


def test_a_client_that_has_it_gets_304(client: FlaskClient) -> None:
    tag = client.get("/openapi.json").headers["ETag"]
    assert client.get("/openapi.json", headers={"If-None-Match": tag}).status_code == 304
