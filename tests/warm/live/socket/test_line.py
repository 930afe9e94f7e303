"""Each utterance of a client is announced and finished once, with what was heard of it."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from warm.live.feed.subscriber import LiveEvent, LiveSound
from warm.live.socket.line import MAX_UTTERANCES, Line, Refusal
from warm.live.socket.utterance import Utterance

PACKET = 960


class Client:
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def tell(self, kind: str, members: Mapping[str, Any]) -> None:
        self.told.append({"type": kind, **members})

    def kinds(self) -> list[str]:
        return [each["type"] for each in self.told]

    def last(self, kind: str) -> dict[str, Any]:
        return next(each for each in reversed(self.told) if each["type"] == kind)


class Session:
    """A line with a clock and a feed that plays what it is told to."""

    def __init__(self) -> None:
        self.now_s, self.sample, self.epoch = 0.0, 0, 0
        self.emitted: list[tuple[str, Mapping[str, Any]]] = []
        keys = count(1)
        self.line = Line(
            "paris", self._emit, clock=lambda: self.now_s, keys=lambda: f"k{next(keys)}"
        )

    def _emit(self, event: str, data: Mapping[str, Any]) -> bool:
        self.emitted.append((event, data))
        return True

    def client(self) -> Client:
        client = Client()
        self.line.listeners[client] = None
        return client

    def say(self, client: Client, seconds: float, *, rate_hz: int = 24_000) -> Utterance:
        found = self.line.begin(client, name=None, rate_hz=rate_hz, facts={})
        found.add(bytes(2 * round(seconds * rate_hz)), self.now_s)
        found.end()
        return found

    def play(
        self, key: str | None, packets: int, *, start: int = 0, offset: int = 0
    ) -> list[Utterance | None]:
        heard = []
        for number in range(packets):
            position = None if key is None else start + number * PACKET - (offset if number else 0)
            sound = LiveSound(
                sample=self.sample, time_s=self.now_s, opus=None, pcm=None, utterance=key,
                position=position, offset=0 if number else offset, epoch=self.epoch,
            )  # fmt: skip
            heard.append(self.line.hear(sound))
            self.line.hear(sound)
            self.sample += PACKET
            self.now_s += 0.02
        return heard


def test_an_utterance_is_started_and_finished_once_with_its_length() -> None:
    session = Session()
    client, watcher = session.client(), session.client()
    said = session.say(client, 2.51)
    session.play(None, 3)
    session.play(said.key, 128)
    session.play(None, 3)
    assert client.kinds() == ["queued", "started", "progress", "progress", "finished"]
    assert client.last("finished") == {
        "type": "finished", "utterance": "u1", "number": 1, "own": True,
        "position_s": 2.51, "interrupted": False,
    }  # fmt: skip
    assert watcher.kinds() == client.kinds()[1:]
    assert watcher.last("started")["own"] is False
    assert session.emitted[0][0] == "speech.begin"
    assert session.emitted[0][1]["stream"] == said.key


def test_the_end_comes_after_the_last_packet_and_the_tail_of_the_clip_belongs_to_no_client() -> (
    None
):
    session = Session()
    client = session.client()
    said = session.say(client, 0.04)
    session.play(said.key, 2)
    assert client.kinds() == ["queued", "started"]
    assert session.play(said.key, 10, start=2 * PACKET) == [None] * 10
    assert client.kinds() == ["queued", "started", "finished"]


def test_a_start_within_a_packet_is_counted_exactly() -> None:
    session = Session()
    client = session.client()
    said = session.say(client, 0.1)
    session.play(said.key, 3, offset=640)
    assert said.heard == (3 * PACKET - 640) // 2


def test_several_utterances_finish_in_order_and_a_silent_one_too() -> None:
    session = Session()
    client = session.client()
    first, empty, last = session.say(client, 0.1), session.say(client, 0), session.say(client, 0.1)
    session.line.done(empty.key, "complete", None)
    session.play(first.key, 5)
    session.play(None, 2)
    session.play(last.key, 5)
    session.play(None, 2)
    finished = [each for each in client.told if each["type"] == "finished"]
    assert [each["number"] for each in finished] == [1, 2, 3]
    assert [each["position_s"] for each in finished] == [0.1, 0, 0.1]


def test_a_clear_finishes_everything_that_is_not_and_nothing_else() -> None:
    session = Session()
    client = session.client()
    session.play(session.say(client, 0.02).key, 2)
    heard, waiting = session.say(client, 5), session.say(client, 5)
    session.play(heard.key, 50)
    session.line.clear(epoch=1)
    session.epoch = 1
    session.play(None, 200)
    finished = [each for each in client.told if each["type"] == "finished"]
    assert [each["interrupted"] for each in finished] == [False, True, True]
    assert [each["position_s"] for each in finished] == [0.02, 1.0, 0.0]
    assert client.kinds().count("started") == 2
    assert session.emitted[-1] == ("speech.clear", {"session_id": "paris", "epoch": 1})
    assert waiting.arrived.is_set()
    session.line.done(heard.key, "interrupted", None)
    assert client.kinds().count("finished") == 3
    again = session.say(client, 0.1)
    session.play(again.key, 5)
    session.play(None, 1)
    assert client.last("finished")["interrupted"] is False


def test_an_interruption_by_others_finishes_what_was_rendered_and_what_was_not() -> None:
    session = Session()
    client = session.client()
    rendered, waiting = session.say(client, 1), session.say(client, 1)
    session.play(rendered.key, 25)
    session.line.done(rendered.key, "complete", None)
    session.epoch = 1
    session.play(None, 1)
    session.line.done(waiting.key, "interrupted", None)
    finished = [each for each in client.told if each["type"] == "finished"]
    assert [(each["number"], each["position_s"]) for each in finished] == [(1, 0.5), (2, 0)]
    assert all(each["interrupted"] for each in finished)


def test_an_end_that_the_feed_had_to_skip_is_given_up() -> None:
    session = Session()
    client = session.client()
    said = session.say(client, 1)
    session.play(said.key, 25)
    session.line.done(said.key, "complete", None)
    session.play(None, 90)
    assert "finished" not in client.kinds()
    session.play(None, 20)
    assert client.last("finished")["position_s"] == 0.5


def test_a_failure_is_reported_to_its_client_and_finishes_the_utterance() -> None:
    session = Session()
    client, watcher = session.client(), session.client()
    said = session.say(client, 1)
    session.line.done(said.key, "cut", {"kind": "SessionError", "detail": "the film is full"})
    session.play(None, 110)
    assert client.kinds() == ["queued", "error", "finished"]
    assert client.last("error")["utterance"] == "u1"
    assert client.last("finished")["interrupted"] is True
    assert watcher.kinds() == ["finished"]


def test_one_client_speaks_at_a_time() -> None:
    session = Session()
    client, other = session.client(), session.client()
    said = session.say(client, 0.1)
    with pytest.raises(Refusal, match="another client speaks in session 'paris'"):
        session.say(other, 1)
    session.play(said.key, 5)
    session.play(None, 1)
    session.say(other, 1)
    with pytest.raises(Refusal, match="another client speaks"):
        session.say(client, 1)
    session.line.leave(other)
    session.say(client, 1)


def test_the_utterances_of_a_client_are_limited() -> None:
    session = Session()
    client = session.client()
    for _ in range(MAX_UTTERANCES):
        session.say(client, 1)
    with pytest.raises(Refusal, match="16 utterances") as refused:
        session.say(client, 1)
    assert refused.value.kind == "QueueFullError"


def test_a_client_that_leaves_ends_its_open_utterance_and_leaves_nothing_behind() -> None:
    session = Session()
    client = session.client()
    said = session.line.begin(client, name="a", rate_hz=16_000, facts={})
    said.add(b"abc", 0)
    session.line.leave(client)
    assert said.sound.is_complete
    assert not session.line.is_unused
    session.line.done(said.key, "interrupted", None)
    assert session.line.is_unused


def test_texts_are_utterances_of_no_client() -> None:
    session = Session()
    client = session.client()
    place = {"utterance": "", "clip": 0}
    session.play("", 5)
    session.line.note(LiveEvent(kind="finished", data=place, time_s=0))
    session.play("", 1, start=5 * PACKET)
    session.play("", 5)
    session.line.note(LiveEvent(kind="interrupted", data=place, time_s=0))
    session.play(None, 3)
    assert client.kinds() == ["started", "finished", "started", "finished"]
    first, last = client.told[1], client.told[3]
    assert (first["own"], first["position_s"], first["interrupted"]) == (False, 0.12, False)
    assert (last["number"], last["position_s"], last["interrupted"]) == (2, 0.1, True)
