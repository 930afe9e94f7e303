"""Personas, greetings, full queues, clients that leave, and voices that fail."""

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.chat.talking import Talk, events_of
from tests.polling import wait_until
from tts.speech import Speech
from tts.voice import VoiceChoice, VoiceUnavailable
from warm.render.growing_text import GrowingText
from warm.render.jobs import SpeakJob
from warm.sessions.session import Session


def test_the_persona_of_a_session_answers_and_greets(talk: Talk) -> None:
    listed = talk.client.get("/personas").json["personas"]
    default, other = listed[0], listed[1]
    address = f"/sessions/{talk.session_id}/persona"
    assert talk.client.get(address).json["persona"] == default
    assert talk.client.put(address, json={"persona": other["id"]}).json["persona"] == other
    greeted = talk.ended(talk.post("/chat/greeting").json["job_id"])
    assert (greeted["kind"], greeted["persona"]) == ("greeting", other["id"])
    assert greeted["heard_text"] == other["greeting"]
    assert talk.model.received == []
    talk.says("Yes.")
    assert talk.ask("Is it you?")["persona"] == other["id"]
    assert other["name"] in talk.model.received[-1].body["messages"][0]["content"]
    assert ("assistant", other["greeting"]) in talk.prompt()
    unknown = talk.client.put(address, json={"persona": "nobody"})
    assert unknown.status_code == 422
    assert default["id"] in unknown.json["detail"]
    assert talk.client.put(address, json={"persona": None}).json["persona"] == default


def test_the_language_of_a_persona_chooses_the_voice_unless_the_session_has_one(talk: Talk) -> None:
    used: list[str] = []
    speak = talk.context.runtime.speak_growing

    def noted(
        session: Session, growing: GrowingText, choice: VoiceChoice, **named: Any
    ) -> SpeakJob:
        used.append(choice.language)
        return speak(session, growing, choice, **named)

    talk.says("Guten Tag.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(talk.context.runtime, "speak_growing", noted)
        talk.ask("Hallo!", persona="anna")
        talk.ask("Hallo!", persona="anna", language="fr")
        talk.ask("Hallo!", persona="ada")
    assert [each[:2] for each in used] == ["de", "fr", "en"]


def test_an_answer_ends_when_its_client_leaves_and_nobody_watches(talk: Talk) -> None:
    gate = Event()
    talk.says("This was said. This was not.", gate=gate, gate_after=4)
    ours, theirs = socket.socketpair()
    with closing(ours):
        answer = talk.client.post(
            "/chat",
            json={"session_id": talk.session_id, "user_text": "Hello?", "stream": True},
            environ_overrides={"gunicorn.socket": ours},
        )
        turn = next(events_of_stream(answer))["turn"]["job_id"]
        talk.until(turn, "render")
        theirs.close()
        ended = talk.ended(turn)
        answer.close()
    gate.set()
    assert (ended["status"], ended["interrupted"]) == ("cancelled", True)
    assert "This was said.".startswith(ended["heard_text"])
    wait_until(lambda: talk.model.left, "the model's server to be left")


def events_of_stream(answer: TestResponse) -> Iterator[Any]:
    """The data of the events of a stream as they arrive."""
    for text in answer.iter_encoded():
        yield from (data for _, data in events_of(text.decode()))


def test_a_voice_that_fails_ends_the_turn_and_the_model(talk: Talk) -> None:
    gate = Event()
    voices = talk.context.runtime._voices
    read = voices.read  # type: ignore[attr-defined]

    def failing(text: Any, choice: VoiceChoice) -> Iterator[Speech]:
        for speech in read(text, choice):
            if "second" in speech.text:
                raise VoiceUnavailable("the voice is broken. Choose another one.")
            yield speech

    talk.says("The first is said. The second is not. Third.", gate=gate, gate_after=9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voices, "read", failing)
        failed = talk.ask("Hello?")
    gate.set()
    assert (failed["status"], failed["error"]["kind"]) == ("error", "NotReadyError")
    assert "Choose another one" in failed["error"]["description"]
    assert failed["heard_text"] == "The first is said."
    talk.says("Yes.")
    assert talk.ask("And now?")["status"] == "done"


def test_a_full_queue_is_answered_503(talk: Talk) -> None:
    gate = Event()
    talk.says("Wait.", gate=gate)
    turns = [talk.begin()]
    answers = [talk.post("/chat", user_text=str(number)) for number in range(9)]
    refused = [answer for answer in answers if answer.status_code == 503]
    talk.post("/interrupt")
    gate.set()
    assert refused
    assert refused[0].json["limit"]["setting"] == "max_queue"
    assert int(refused[0].headers["Retry-After"]) > 0
    turns += [answer.json["job_id"] for answer in answers if answer.status_code == 202]
    assert {talk.ended(turn)["status"] for turn in turns} == {"cancelled"}


def test_an_endless_reply_is_cut_off_at_its_longest_length(talk: Talk) -> None:
    conversations = talk.context.conversations
    talk.says("Yes. ", endless=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            conversations, "_options", replace(conversations._options, max_reply_chars=23)
        )
        turn = talk.ask()
    assert (turn["status"], turn["reply_text"]) == ("done", "Yes. Yes. Yes. Yes. Yes")
    assert "cut off after 23" in turn["remarks"][0]


def test_a_conversation_can_be_forgotten_without_its_film(talk: Talk) -> None:
    talk.says("Yes.")
    turn = talk.ask("Secret.")
    forgotten = talk.client.delete(f"/chat/history?session_id={talk.session_id}")
    assert forgotten.json["forgotten"] == 1
    assert talk.history() == []
    assert talk.status(turn["job_id"])["user_text"] == ""
    with talk.client.get(f"/video/{turn['job_id']}", headers={"Range": "bytes=4-7"}) as video:
        assert (video.status_code, video.data) == (206, b"ftyp")


def test_a_deleted_session_forgets_its_conversation_and_its_persona(talk: Talk) -> None:
    talk.says("Yes.")
    turn = talk.ask("Secret.")
    talk.client.put(f"/sessions/{talk.session_id}/persona", json={"persona": "anna"})
    assert talk.client.delete(f"/sessions/{talk.session_id}").status_code == 200
    assert talk.history() == []
    assert talk.client.get(f"/video/{turn['job_id']}").status_code == 410
    persona = talk.client.get(f"/sessions/{talk.session_id}/persona").json["persona"]
    assert persona["id"] == "ada"
