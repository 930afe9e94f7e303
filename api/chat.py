"""A conversation: a text in, an answer that is spoken while the model writes it."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from flask import Blueprint, Response, g, jsonify, request
from pydantic import BaseModel, Field

from api.answers.chat import (
    ForgottenAnswer,
    HistoryAnswer,
    ModelAnswer,
    SentenceEvent,
    TokenEvent,
    TurnAnswer,
    TurnEvent,
)
from api.answers.problem import ProblemAnswer
from api.answers.speech import CommittedEvent
from api.body import Body, read_body, read_query
from api.caller import caller
from api.client_address import client_address, request_client
from api.context import context, find_session
from api.example import example
from api.operation import operation
from api.problem import TooManyViewers
from api.serializers import url
from api.speak import is_wanted
from api.sse import EVENT_STREAM, event_stream, sse
from api.turns import event_texts, find_turn, turn_json, turns_of
from warm.conversation.chat_request import ChatRequest, WhenBusy
from warm.conversation.turn_run import TurnRun
from warm.conversation.turn_table import MAX_HISTORY
from warm.render.jobs import Origin
from warm.sessions.paths import DEFAULT_SESSION

TURN_EVENTS: Mapping[str, type[BaseModel]] = {
    "turn": TurnEvent,
    "token": TokenEvent,
    "sentence": SentenceEvent,
    "fragment": CommittedEvent,
    "done": TurnEvent,
    "error": ProblemAnswer,
}

chat = Blueprint("chat", __name__)


class GreetingBody(Body):
    """The body of `POST /chat/greeting`."""

    model_config = example(session_id="paris")

    session_id: str = DEFAULT_SESSION
    persona: str | None = None
    """A persona of `GET /personas`; default: that of the session."""
    voice: str | None = None
    language: str | None = None
    speed: float | None = None
    lead_s: Annotated[float | None, Field(ge=0.2, le=60)] = None
    stream: bool = False
    """True: the answer is a stream of events."""
    when_busy: WhenBusy = "queue"
    """While the session answers: queue waits, interrupt ends that answer, refuse fails."""
    position_s: Annotated[float | None, Field(ge=0, le=10_000_000, allow_inf_nan=False)] = None
    """Position of the player in the film, seconds: earlier speech was heard."""


class ChatBody(GreetingBody):
    """The body of `POST /chat`."""

    model_config = example(user_text="What is the capital of France?", session_id="paris")

    user_text: str
    replaces: str | None = None
    """The `job_id` of a turn that is forgotten first, with all later ones."""


class SessionQuery(Body):
    """The query of `DELETE /chat/history`."""

    session_id: str = DEFAULT_SESSION


class HistoryQuery(SessionQuery):
    """The query of `GET /chat/history`."""

    limit: Annotated[int, Field(ge=1, le=MAX_HISTORY, strict=False)] = 100
    """Maximum number of turns; the last ones are returned."""


@chat.post("/chat")
@operation(
    body=ChatBody,
    answers={200: EVENT_STREAM, 202: TurnAnswer},
    problems=(404, 409, 507),
    events=TURN_EVENTS,
    tag="chat",
    scope="speak",
)
def ask() -> Response:
    """Have the language model answer a text, and speak the answer while it is written.

    Answers 202 at once; or, with `stream` or `Accept: text/event-stream`, with events.
    """
    body = read_body(ChatBody)
    asked = replace(chat_request(body), user_text=body.user_text, replaces=body.replaces)
    return run_response(context().conversations.chat(asked), is_stream=wants_stream(body))


@chat.post("/chat/greeting")
@operation(
    body=GreetingBody,
    answers={200: EVENT_STREAM, 202: TurnAnswer},
    problems=(404, 409, 507),
    events=TURN_EVENTS,
    tag="chat",
    scope="speak",
)
def greet() -> Response:
    """Have the persona speak its greeting; answers as `POST /chat`."""
    body = read_body(GreetingBody)
    run = context().conversations.greet(chat_request(body))
    return run_response(run, is_stream=wants_stream(body))


def chat_request(body: GreetingBody) -> ChatRequest:
    """Return the request of a body, without the text."""
    session = find_session(body.session_id)
    wanted = partial(is_wanted, request.environ, session.id, context())
    return ChatRequest(
        session=session,
        user_text="",
        owner=caller().name,
        origin=Origin(
            client=request_client(),
            request_id=g.request_id,
            is_wanted=wanted if wants_stream(body) else lambda: True,
        ),
        persona=body.persona,
        voice=body.voice,
        language=body.language,
        speed=body.speed,
        lead_s=body.lead_s,
        when_busy=body.when_busy,
        position_s=body.position_s,
    )


def wants_stream(body: GreetingBody) -> bool:
    """True if the answer is to be a stream of events."""
    best = request.accept_mimetypes.best_match(["application/json", EVENT_STREAM])
    return body.stream or best == EVENT_STREAM


def run_response(run: TurnRun, *, is_stream: bool) -> Response:
    """Return the events of a turn, or the turn as it is now."""
    if is_stream:
        return event_stream(event_texts(run))
    response = jsonify(turn_json(run.turn))
    response.status_code = HTTPStatus.ACCEPTED
    response.headers["Location"] = url(f"/status/{run.turn.id}")
    return response


@chat.get("/status/<job_id>")
@operation(answers={200: TurnAnswer}, problems=(507,), tag="chat", scope="watch")
def status(job_id: str) -> dict[str, Any]:
    """The state of a turn of the caller."""
    return turn_json(find_turn(job_id))


@chat.get("/chat/<job_id>/events")
@operation(
    answers={200: EVENT_STREAM}, problems=(507,), events=TURN_EVENTS, tag="chat", scope="watch"
)
def events(job_id: str) -> Response:
    """The events of a turn from the first one on; of an ended one, the last.

    Its client may leave without an effect on the turn.
    """
    turn, app_context = find_turn(job_id), context()
    run = app_context.conversations.run_of(turn.id)
    with ExitStack() as held:
        held.enter_context(app_context.viewers.hold(client_address(), TooManyViewers))
        texts = iter([sse("done", {"turn": turn_json(turn)})]) if run is None else event_texts(run)
        response = event_stream(texts)
        response.call_on_close(held.pop_all().close)
    return response


@chat.post("/chat/<job_id>/cancel")
@operation(answers={200: TurnAnswer}, problems=(409,), tag="chat", scope="speak")
def cancel(job_id: str) -> dict[str, Any]:
    """End a turn of the caller; what was said of it stays. An ended one stays as it is."""
    return turn_json(context().conversations.cancel(find_turn(job_id).id))


@chat.get("/chat/history")
@operation(
    query=HistoryQuery, answers={200: HistoryAnswer}, problems=(507,), tag="chat", scope="watch"
)
def history() -> dict[str, Any]:
    """The conversation of a session, as far as it belongs to the caller."""
    query = read_query(HistoryQuery)
    session = find_session(query.session_id)
    persona = context().conversations.persona_of(session.id)
    return {
        "session_id": session.id,
        "persona": persona.id,
        "turns": [turn_json(turn) for turn in turns_of(session.id, query.limit)],
    }


@chat.delete("/chat/history")
@operation(query=SessionQuery, answers={200: ForgottenAnswer}, tag="chat", scope="speak")
def forget() -> dict[str, Any]:
    """Forget the conversation of a session; its film stays."""
    session = find_session(read_query(SessionQuery).session_id)
    count = context().conversations.forget(session.id)
    return {"status": "success", "session_id": session.id, "forgotten": count}


@chat.get("/chat/model")
@operation(answers={200: ModelAnswer}, tag="chat", scope="watch")
def model() -> dict[str, Any]:
    """The language model and its state; nothing is fetched or loaded."""
    return asdict(context().conversations.model.state())


@chat.post("/chat/model/prepare")
@operation(answers={202: ModelAnswer}, tag="chat", scope="speak")
def prepare() -> tuple[dict[str, Any], int]:
    """Have the model fetched and loaded, in the background."""
    language_model = context().conversations.model
    language_model.prepare()
    return asdict(language_model.state()), HTTPStatus.ACCEPTED
