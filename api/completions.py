"""OpenAI's `POST /v1/chat/completions`: the model's answer, which the face speaks meanwhile."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, cast, get_args

from flask import Blueprint, Response, g, jsonify, request
from pydantic import ConfigDict, Field

from api.answers.completions import CompletionAnswer, ModelsAnswer, OpenAIErrorAnswer
from api.body import Body, LooseQuery, read_body, read_loose_query
from api.caller import caller
from api.client_address import request_client
from api.context import context, find_session
from api.example import example
from api.openai_errors import STATUSES, openai_error, openai_response
from api.operation import AnswerKind, operation
from api.problem import BadBody, BadQuery, problem_of
from api.relay import Relay, RelayedReply
from api.speak import is_wanted
from api.sse import EVENT_STREAM, event_stream
from chat.forwarding import RequestRefused
from warm.conversation.chat_request import ChatRequest, WhenBusy
from warm.conversation.turn_run import TurnRun
from warm.render.jobs import Interrupted, Origin
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.session import Session

SESSION_HEADER = "X-Session-Id"
MAX_ID_CHARS = 64
DONE = "data: [DONE]\n\n"
PASSED_ON = frozenset(STATUSES) - {401, 403}
"""Statuses of the model's server that are those of the answer. With the others it refuses the key
of this server, not that of the client."""
ERRORS: Mapping[int, AnswerKind] = dict.fromkeys(STATUSES, OpenAIErrorAnswer)

completions = Blueprint("completions", __name__)


class CompletionsBody(Body):
    """The body of `POST /v1/chat/completions`; other members are passed to the model's server."""

    model_config = ConfigDict(
        extra="allow",
        **example(messages=[{"role": "user", "content": "Who are you?"}], stream=True),
    )

    messages: list[dict[str, Any]] = Field(min_length=1)
    model: str | None = None
    stream: bool | None = None
    n: int | None = None
    user: str | None = None
    """The session, unless the header or the query names one."""


class CompletionsQuery(LooseQuery):
    """The query of `POST /v1/chat/completions`."""

    session_id: str | None = None
    when_busy: str = "queue"


@completions.post("/v1/chat/completions")
@operation(
    body=CompletionsBody,
    query=CompletionsQuery,
    answers={200: (CompletionAnswer, EVENT_STREAM), **ERRORS},
    tag="chat",
    scope="speak",
)
def complete() -> Response:
    """Pass a request to the language model, and speak the answer; it is returned as it is.

    The session is the header `X-Session-Id`, `session_id` of the query, or `user`.
    """
    body, query = read_body(CompletionsBody), read_loose_query(CompletionsQuery)
    require_possible(body)
    relay = Relay()
    asked = chat_request(body, query, relay)
    conversations = context().conversations
    content = body.model_dump(exclude_unset=True)
    run = conversations.speak_reply(
        asked, lambda: RelayedReply(conversations.model.forward(content, relay.put), relay)
    )
    contents = relay.contents(lambda: run.is_over)
    first = next(contents, None)
    if first is None:
        return openai_response(problem_of(error_of(run)))
    if body.stream:
        return event_stream(event_texts(first, contents))
    for _ in contents:
        pass  # its end
    return jsonify(first)


@completions.get("/v1/models")
@operation(answers={200: ModelsAnswer, **ERRORS}, tag="chat", scope="watch")
def models() -> dict[str, Any]:
    """The language models that may be asked for."""
    chosen = context().settings.chat_model
    model = context().conversations.model
    names = [chosen] if chosen and model.state().kind == "remote" else model.models()
    listed = [
        {"id": name, "object": "model", "created": 0, "owned_by": "warmtalk"} for name in names
    ]
    return {"object": "list", "data": listed}


def require_possible(body: CompletionsBody) -> None:
    """Raise BadBody for a request that the embedded model cannot answer."""
    if context().conversations.model.state().kind != "embedded":
        return
    faults = {}
    if (body.n or 1) != 1:
        faults["n"] = f"n = {body.n}: the embedded model writes one answer"
    for name in ("tools", "functions"):
        if (body.model_extra or {}).get(name):
            faults[name] = f"{name}: the embedded model calls none"
    if any(not is_text(message) for message in body.messages):
        faults["messages"] = "messages: the embedded model reads texts only"
    if faults:
        fault = f"{'; '.join(faults.values())}; set chat_url to the server of another model"
        raise BadBody(HTTPStatus.BAD_REQUEST, fault, faults)


def is_text(message: Mapping[str, Any]) -> bool:
    """True if a message has nothing but texts."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return all(isinstance(part, dict) and part.get("type") == "text" for part in parts)


def chat_request(body: CompletionsBody, query: CompletionsQuery, relay: Relay) -> ChatRequest:
    """Return the request to speak the answer."""
    session = session_of(body, query)
    if query.when_busy not in get_args(WhenBusy):
        raise BadQuery("when_busy", query.when_busy, f"must be {' or '.join(get_args(WhenBusy))}")
    wanted = partial(is_wanted, request.environ, session.id, context())
    return ChatRequest(
        session=session,
        user_text=user_text(body.messages),
        owner=caller().name,
        origin=Origin(
            client=request_client(),
            request_id=g.request_id,
            is_wanted=lambda: relay.is_ended or wanted(),
        ),
        when_busy=cast(WhenBusy, query.when_busy),
    )


def session_of(body: CompletionsBody, query: CompletionsQuery) -> Session:
    """Return the session of a request; raises BadSessionId."""
    named = request.headers.get(SESSION_HEADER) or query.session_id
    if named is None and body.user:  # clients send addresses and the like
        named = re.sub(r"[^A-Za-z0-9_-]", "-", body.user)[:MAX_ID_CHARS]
    return find_session(named or DEFAULT_SESSION)


def user_text(messages: list[dict[str, Any]]) -> str:
    """Return the last text of the user, for the history."""
    said = [each.get("content") for each in messages if each.get("role") == "user"]
    last = said[-1] if said else ""
    parts = last if isinstance(last, list) else [{"text": last}]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def event_texts(first: dict[str, Any], contents: Iterator[dict[str, Any]]) -> Iterator[str]:
    """Yield the events of a stream; an error is the last one but the mark of the end."""
    try:
        yield event_text(first)
        for content in contents:
            yield event_text(content)
    except Exception as error:  # noqa: BLE001 - the top of a request whose response has started
        yield event_text(openai_error(problem_of(error)))
    yield DONE


def event_text(content: Mapping[str, Any]) -> str:
    """Return the text of one event."""
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"


def error_of(run: TurnRun) -> Exception:
    """Return the error of a turn that ended without an answer."""
    try:
        for _ in run.events():
            pass
    except Exception as error:  # noqa: BLE001 - it is answered
        return error
    return Interrupted("the request was interrupted before the model answered; send it again")


@completions.errorhandler(Exception)
def answer_error(error: Exception) -> Response:
    """Answer an error in OpenAI's shape; one of the model's server as it came."""
    if isinstance(error, RequestRefused) and error.status in PASSED_ON:
        reported = (error.content or {}).get("error")
        if isinstance(reported, dict) and isinstance(reported.get("message"), str):
            response = jsonify(error.content)
            response.status_code = error.status
            return response
    return openai_response(problem_of(error))
