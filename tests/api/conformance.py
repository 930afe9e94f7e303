"""Comparison of every answer of an application with the description of its route."""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest
from flask import Flask, Response, request
from pydantic import BaseModel, ValidationError

from api.answers.problem import ProblemAnswer
from api.openapi.problems import PROBLEM, problem_statuses
from api.openapi.schemas import kinds_of
from api.operation import Operation, operation_of
from api.problem import problem_kinds
from api.sse import EVENT_STREAM

BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Conformance:
    """The faults of the answers of one application, or of all, so far. Any thread."""

    def __init__(self, app: Flask | None = None) -> None:
        """Watch `app`, or nothing yet."""
        self.faults: list[str] = []
        if app is not None:
            process = app.process_response
            app.process_response = partial(self._checked, app, process)  # type: ignore[method-assign]

    def watch_all(self, patch: pytest.MonkeyPatch) -> None:
        """Watch the answers of all applications in this process."""
        process = Flask.process_response

        def checked(app: Flask, response: Response) -> Response:
            return self._checked(app, partial(process, app), response)

        patch.setattr(Flask, "process_response", checked)

    def _checked(
        self, app: Flask, process: Callable[[Response], Response], response: Response
    ) -> Response:
        response = process(response)
        if request.url_rule is not None and request.method not in ("HEAD", "OPTIONS"):
            view = app.view_functions[request.url_rule.endpoint]
            found = operation_of(view)
            if found is not None and not hasattr(view, "__wrapped__"):  # else a test replaced it
                self._compare(response, found)
        return response

    def _compare(self, response: Response, operation: Operation) -> None:
        status = response.status_code
        assert request.url_rule is not None
        if status == HTTPStatus.PERMANENT_REDIRECT:  # of a path prefix without its slash
            return
        if status not in operation.answers:
            if status not in problem_statuses(request.url_rule, request.method, operation):
                self._note(response, "the status is not documented")
            elif response.mimetype != PROBLEM:
                self._note(response, f"{response.mimetype}: must be problem details")
            elif self._validate(response, ProblemAnswer):
                self._check_kind(response)
            return
        kinds = kinds_of(operation.answers[status])
        models = [kind for kind in kinds if not isinstance(kind, str)]
        types = [kind for kind in kinds if isinstance(kind, str)]
        if response.mimetype == "application/json" and models:
            self._validate(response, models[0])
        elif response.mimetype == EVENT_STREAM in types:
            response.response = self._events(response.response, operation)
        elif "" in types and not response.get_data():
            pass
        elif response.mimetype not in types and "*/*" not in types and status not in BODILESS:
            self._note(response, f"{response.mimetype}: the media type is not documented")

    def _check_kind(self, response: Response) -> None:
        kind = json.loads(response.get_data()).get("kind")
        if kind not in problem_kinds().get(response.status_code, ()):
            self._note(response, f"{kind}: is not a kind of this status")

    def _validate(self, response: Response, model: type[BaseModel]) -> bool:
        try:
            model.model_validate_json(response.get_data(), strict=True)
        except ValidationError as invalid:
            self._note(response, str(invalid))
            return False
        return True

    def _events(self, texts: Iterable[Any], operation: Operation) -> Iterator[Any]:
        for text in texts:
            name, data = event_of(text)
            if name and name not in operation.events:
                self.faults.append(f"event {name}: is not documented")
            elif name:
                try:
                    operation.events[name].model_validate_json(data, strict=True)
                except ValidationError as invalid:
                    self.faults.append(f"event {name}: {invalid}")
            yield text
        getattr(texts, "close", lambda: None)()

    def _note(self, response: Response, fault: str) -> None:
        shown = "" if response.is_streamed else response.get_data()[:300]
        self.faults.append(
            f"{request.method} {request.full_path} {response.status_code}: {fault} {shown!r}"
        )


def event_of(text: str | bytes) -> tuple[str, str]:
    """Name and data of a server-sent event; empty for comments and settings."""
    lines = (text.decode() if isinstance(text, bytes) else text).splitlines()
    members = dict(line.partition(": ")[::2] for line in lines if line)
    data = members.get("data", "").removeprefix("[DONE]")  # the end of a stream of OpenAI
    assert not data or json.loads(data) is not None
    return members.get("event", ""), data
