"""Personas: those of the server, and that of a session."""

from typing import Any

from flask import Blueprint

from api.answers.chat import PersonasAnswer, SessionPersonaAnswer
from api.body import Body, read_body
from api.context import context, find_session
from api.example import example
from api.operation import operation
from chat.persona import Persona

personas = Blueprint("personas", __name__)


class PersonaBody(Body):
    """The body of `PUT /sessions/ID/persona`."""

    model_config = example(persona="guide")

    persona: str | None
    """A persona of `GET /personas`; null: the default one."""


@personas.get("/personas")
@operation(answers={200: PersonasAnswer}, tag="chat", scope="watch")
def list_all() -> dict[str, Any]:
    """The personas that may answer; the first one is the default."""
    return {"personas": [persona_json(each) for each in context().conversations.personas.values()]}


@personas.get("/sessions/<session_id>/persona")
@operation(answers={200: SessionPersonaAnswer}, tag="chat", scope="watch")
def show(session_id: str) -> dict[str, Any]:
    """The persona of a session."""
    session = find_session(session_id)
    return session_persona_json(session.id, context().conversations.persona_of(session.id))


@personas.put("/sessions/<session_id>/persona")
@operation(body=PersonaBody, answers={200: SessionPersonaAnswer}, tag="chat", scope="speak")
def choose(session_id: str) -> dict[str, Any]:
    """Choose the persona of a session, from its next answer on."""
    session = find_session(session_id)
    chosen = context().conversations.choose_persona(session.id, read_body(PersonaBody).persona)
    return session_persona_json(session.id, chosen)


def session_persona_json(session_id: str, persona: Persona) -> dict[str, Any]:
    """JSON of the persona of a session."""
    return {"session_id": session_id, "persona": persona_json(persona)}


def persona_json(persona: Persona) -> dict[str, Any]:
    """JSON of a persona."""
    return {
        "id": persona.id,
        "name": persona.name,
        "language": persona.language,
        "greeting": persona.greeting,
        "voice": persona.voice,
    }
