"""`POST /chat`: the model's answer is spoken, and remembered."""

from pathlib import Path
from threading import Event

import av
import pytest

from tests.api.chat.talking import Talk, events_of
from tests.polling import wait_until

REPLY = "It is **Paris**, surely. It is large."


def test_an_answer_is_spoken_and_can_be_watched_as_a_film_of_its_own(
    talk: Talk, tmp_path: Path
) -> None:
    talk.says(REPLY)
    turn = talk.ask("What is the capital of France?")
    assert turn["status"] == "done", turn
    assert (turn["reply_text"], turn["heard_text"]) == (REPLY, REPLY)
    assert (turn["error"], turn["interrupted"], turn["model"]) == (None, False, "scripted-1")
    assert [each["text"] for each in turn["sentences"]] == [
        "It is Paris, surely.",
        "It is large.",
    ]
    with talk.client.get(turn["video_url"]) as video:
        assert (video.status_code, video.mimetype) == (200, "video/mp4")
        (tmp_path / "answer.mp4").write_bytes(video.data)
    with av.open(str(tmp_path / "answer.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == turn["frames"]


def test_the_events_of_an_answer_arrive_in_order(talk: Talk) -> None:
    talk.says(REPLY)
    events = talk.events()
    names = [name for name, _ in events]
    assert (names[0], names[-1]) == ("turn", "done")
    assert "".join(data["text"] for name, data in events if name == "token") == REPLY
    sentences = [data for name, data in events if name == "sentence"]
    assert [each["index"] for each in sentences] == [0, 1]
    assert REPLY[sentences[0]["start"] : sentences[0]["end"]] == "It is **Paris**, surely."
    assert names.index("sentence") < names.index("fragment")
    turn = events[-1][1]["turn"]
    frames = [data["frames"] for name, data in events if name == "fragment"]
    assert sum(frames) == turn["frames"]


def test_speech_begins_before_the_model_has_finished(talk: Talk) -> None:
    gate = Event()
    talk.says("This comes first. This comes last.", gate=gate, gate_after=5)
    turn = talk.begin()
    spoken = talk.until(turn, "render")
    gate.set()
    assert spoken["reply_text"].startswith("This comes first.")
    assert "last" not in spoken["reply_text"]
    ended = talk.ended(turn)
    assert ended["heard_text"] == "This comes first. This comes last."


def test_the_model_reads_the_persona_and_what_was_said_before(talk: Talk) -> None:
    talk.says("I am *fine*.")
    talk.ask("How are you?")
    talk.ask("And now?")
    assert talk.prompt() == [
        ("user", "How are you?"),
        ("assistant", "I am *fine*."),
        ("user", "And now?"),
    ]
    assert [turn["user_text"] for turn in talk.history()] == ["How are you?", "And now?"]


def test_an_answer_with_a_long_pause_goes_on_in_another_clip(talk: Talk) -> None:
    gate = Event()
    talk.says(
        "", tokens=["It is short. ", "And", " this", " comes later."], gate=gate, gate_after=2
    )
    turn = talk.begin()
    wait_until(lambda: len(talk.film()["clips"]) == 1, "the end of the first clip")
    gate.set()
    ended = talk.ended(turn)
    assert (ended["status"], ended["heard_text"]) == ("done", "It is short. And this comes later.")
    first, second = talk.film()["clips"]
    assert (first["text"], second["text"]) == ("It is short.", "And this comes later.")
    assert ended["frames"] == first["frames"] + second["frames"]
    reply = ended["reply_text"]
    places = [reply[each["start"] : each["end"]] for each in ended["sentences"]]
    assert places == ["It is short.", "And this comes later."]


def test_the_events_of_a_turn_can_be_read_again(talk: Talk) -> None:
    talk.says("Yes.", first_s=0.6)
    turn = talk.begin()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.turns.KEEP_ALIVE_BATCHES", 1)
        running = talk.client.get(f"/chat/{turn}/events").text
    assert ": the model is silent\n\n" in running
    assert running.index("event: turn") < running.index("event: fragment")
    assert '"Yes."' in running
    (name, data), *_ = events_of(talk.client.get(f"/chat/{turn}/events").text)
    assert (name, data["turn"]["status"]) == ("done", "done")
