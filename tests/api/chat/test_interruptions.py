"""Answers that are ended early: the history has what was heard, and the next prompt says so."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from threading import Event

import av
import pytest

from session.fragmented.check import check_film
from tests.api.chat.talking import Talk
from tests.polling import wait_until

FIRST = "The first one is **heard**."
SECOND = "The second is cut in its middle."
REPLY = f"{FIRST} {SECOND}"


@pytest.fixture
def gate(talk: Talk) -> Iterator[Event]:
    """Holds the model back after two sentences of its reply."""
    event = Event()
    tokens = [FIRST, f" {SECOND}", " A", " third one.", " The end."]
    talk.says("", tokens=tokens, gate=event, gate_after=3)
    yield event
    event.set()


def middle(talk: Talk, job_id: str, sentence: int) -> float:
    """Return a position in the middle of a sentence of a turn."""
    wait_until(lambda: len(talk.status(job_id)["sentences"]) > sentence, f"sentence {sentence}")
    said = talk.status(job_id)["sentences"][sentence]
    wait_until(lambda: (talk.film()["duration_s"] or 0) >= said["end_s"], "the film of it")
    return float(said["start_s"] + said["end_s"]) / 2


def is_cut_within(heard: str, sentence: str) -> bool:
    """True if a text ends within a sentence, at the end of a word."""
    return sentence.startswith(heard) and 0 < len(heard) < len(sentence) - 1


def test_an_interrupted_answer_is_remembered_as_far_as_it_was_heard(
    talk: Talk, gate: Event
) -> None:
    turn = talk.begin("Speak!")
    position_s = middle(talk, turn, 1)
    assert talk.post("/interrupt", position_s=position_s).status_code == 200
    ended = talk.ended(turn)
    gate.set()
    assert (ended["status"], ended["interrupted"]) == ("cancelled", True)
    assert ended["heard_text"].startswith(f"{FIRST} ")
    assert is_cut_within(ended["heard_text"][len(FIRST) + 1 :], SECOND), ended["heard_text"]
    talk.says("Yes?")
    talk.ask("Stop.")
    user, assistant, note = talk.prompt()
    assert (user, assistant) == (("user", "Speak!"), ("assistant", ended["heard_text"]))
    assert "interrupted" in note[1]
    assert note[1].endswith("Stop.")
    assert talk.status(turn)["heard_text"] == ended["heard_text"]
    with talk.client.get(f"/video/{turn}") as video, av.open(BytesIO(video.data)) as film:
        assert sum(1 for _ in film.decode(video=0)) == ended["frames"]
    assert check_film(Path(talk.film()["video_path"])).faults == []


def test_an_answer_that_was_rendered_and_not_yet_heard_is_shortened(talk: Talk) -> None:
    talk.says(REPLY)
    turn = talk.ask()
    assert (turn["heard_text"], turn["interrupted"]) == (REPLY, False)
    second = turn["sentences"][1]
    talk.post("/interrupt", position_s=second["start_s"])
    assert talk.status(turn["job_id"])["heard_text"] == FIRST
    assert talk.status(turn["job_id"])["interrupted"]
    talk.post("/interrupt", position_s=0)  # a second time, after a jump back
    assert talk.status(turn["job_id"])["heard_text"] == FIRST
    assert [each["heard_text"] for each in talk.history()] == [FIRST]


def test_an_answer_that_was_heard_stays_whole_when_the_next_one_is_interrupted(talk: Talk) -> None:
    talk.says(REPLY)
    first, second = talk.ask("One."), talk.ask("Two.")
    talk.post("/interrupt", position_s=second["start_s"] + 0.01)
    assert [each["heard_text"] for each in talk.history()] == [REPLY, ""]
    assert not talk.status(first["job_id"])["interrupted"]
    talk.ask("Three.")
    assert [role for role, _ in talk.prompt()] == ["user", "assistant", "user"]
    assert "before you said anything" in talk.prompt()[-1][1]


def test_a_model_that_has_not_begun_can_be_interrupted(talk: Talk) -> None:
    gate = Event()
    talk.says("Never said.", gate=gate)
    turn = talk.begin("Hm.")
    talk.until(turn, "llm")
    wait_until(lambda: talk.model.received, "the model to be asked")
    talk.post("/interrupt")
    ended = talk.ended(turn)
    gate.set()
    assert (ended["status"], ended["heard_text"], ended["interrupted"]) == ("cancelled", "", True)
    assert (ended["has_video"], ended["reply_text"]) == (False, "")


def test_a_new_text_interrupts_the_answer_if_it_asks_for_that(talk: Talk, gate: Event) -> None:
    turn = talk.begin("First.")
    position_s = middle(talk, turn, 0)
    talk.says("The second answer.")
    second = talk.begin("Second.", when_busy="interrupt", position_s=position_s)
    assert talk.ended(turn)["status"] == "cancelled"
    assert is_cut_within(talk.status(turn)["heard_text"], FIRST)
    assert talk.ended(second)["heard_text"] == "The second answer."


def test_texts_wait_for_one_another_or_are_refused(talk: Talk, gate: Event) -> None:
    first = talk.begin("One.")
    talk.until(first, "render")
    second = talk.begin("Two.")
    third = talk.begin("Three.")
    refused = talk.post("/chat", user_text="Four.", when_busy="refuse")
    assert (refused.status_code, refused.json["kind"]) == (409, "NotReadyError")
    assert talk.status(second)["status"] == "queued"
    assert talk.client.post(f"/chat/{third}/cancel").json["status"] == "cancelled"
    talk.says("Done.")
    gate.set()
    assert talk.ended(first)["status"] == talk.ended(second)["status"] == "done"
    assert [each["user_text"] for each in talk.history()] == ["One.", "Two.", "Three."]
    assert talk.status(second)["start_s"] >= talk.status(first)["duration_s"]


def test_a_reset_forgets_the_conversation_and_its_films(talk: Talk, gate: Event) -> None:
    turn = talk.begin("Secret.")
    talk.until(turn, "render")
    assert talk.post("/reset").status_code == 200
    gone = talk.ended(turn)
    assert (gone["status"], gone["forgotten"]) == ("cancelled", True)
    assert (gone["user_text"], gone["reply_text"], gone["heard_text"]) == ("", "", "")
    assert talk.client.get(f"/video/{turn}").status_code == 410
    assert talk.history() == []
    talk.says("Hello.")
    talk.ask("Hello.")
    assert talk.prompt() == [("user", "Hello.")]
    assert talk.client.get(f"/video/{turn}").status_code == 410


def test_an_edited_text_replaces_its_turn_and_the_later_ones(talk: Talk) -> None:
    talk.says("Yes.")
    talk.ask("One.")
    second = talk.ask("Two.")
    talk.ask("Three.")
    talk.ask("Two, edited.", replaces=second["job_id"])
    assert [each["user_text"] for each in talk.history()] == ["One.", "Two, edited."]
    assert talk.prompt() == [("user", "One."), ("assistant", "Yes."), ("user", "Two, edited.")]
    unknown = talk.post("/chat", user_text="?", replaces="turn_none")
    assert unknown.status_code == 404
