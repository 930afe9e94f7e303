"""JSON schemas of the models of all operations."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.answers.problem import ProblemAnswer
from api.operation import AnswerKind, Operation

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]

REFERENCE = "#/components/schemas/{model}"


class Schemas:
    """The schema of each model, by reference to the components of the document."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        used = dict.fromkeys(each for found in operations for each in models_of(found))
        references, definitions = models_json_schema(
            [*used, (ProblemAnswer, "serialization")], ref_template=REFERENCE
        )
        self._references = references
        self.components: Mapping[str, Json] = definitions.get("$defs", {})

    def of_request(self, model: type[BaseModel]) -> Json:
        """Return the schema of the input of `model`."""
        return self._references[model, "validation"]

    def of_answer(self, model: type[BaseModel]) -> Json:
        """Return the schema of an answer."""
        return self._references[model, "serialization"]

    def problem(self) -> Json:
        """Return the schema of problem details."""
        return self.of_answer(ProblemAnswer)

    def component(self, model: type[BaseModel]) -> Json:
        """Return the schema of the input of `model` itself, not a reference to it."""
        return self.components[self.of_request(model)["$ref"].rpartition("/")[2]]

    def properties(self, model: type[BaseModel]) -> tuple[Mapping[str, Json], set[str]]:
        """Return the schema of each member of a request's model, and the required ones."""
        component = self.component(model)
        return component.get("properties", {}), set(component.get("required", ()))


def models_of(operation: Operation) -> Iterator[tuple[type[BaseModel], Mode]]:
    """Yield the models of an operation, and the direction in which each is used."""
    for model in (operation.body, operation.form, operation.query):
        if model is not None:
            yield model, "validation"
    for kind in operation.answers.values():
        for each in kinds_of(kind):
            if not isinstance(each, str):
                yield each, "serialization"
    for event in operation.events.values():
        yield event, "serialization"


def kinds_of(kind: AnswerKind | tuple[AnswerKind, ...]) -> tuple[AnswerKind, ...]:
    """Return the kinds of the answer with one status."""
    return kind if isinstance(kind, tuple) else (kind,)
