"""Models that fail, and texts that cannot be answered: the turn says why, and the film is whole."""

from contextlib import closing
from pathlib import Path
from typing import Any

import av
import pytest

from chat.address import parse_chat_address
from chat.completions import CompletionsModel
from tests.api.chat.talking import Talk
from tests.chat.scripted_server import Script
from tests.polling import wait_until
from warm.conversation.turn import Turn
from warm.jobs.errors import JobStoreFull

SAID = "This was said. "
LATER = "This never arrived, because it broke off."
TOO_LONG = '{"error": {"code": 400, "type": "exceed_context_size_error", "message": "too long"}}'


def pictures(talk: Talk) -> int:
    """Number of pictures in the session's film, decoded."""
    shown = talk.film()
    if not shown["frames"]:  # an empty film is deleted
        return 0
    with av.open(shown["video_path"]) as film:
        return sum(1 for _ in film.decode(video=0))


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ({"status": 401, "body": '{"error": {"message": "wrong key"}}'}, "ModelKeyError"),
        ({"status": 404, "body": '{"error": {"message": "no such model"}}'}, "ModelRefusedError"),
        ({"status": 500, "body": "<html>oops</html>"}, "ModelFailedError"),
        ({"status": 400, "body": TOO_LONG}, "ContextTooLongError"),
        ({"text": ""}, "EmptyReplyError"),
        ({"raw": ("data: \x00garbage\xff\n\n",)}, "ReplyBrokenError"),
        ({"first_s": 30.0}, "ModelTimeoutError"),
    ],
)
def test_a_model_that_writes_nothing_ends_the_turn_and_leaves_no_trace(
    talk: Talk, script: dict[str, Any], kind: str
) -> None:
    talk.says(**{"text": "Never.", **script})
    failed = talk.ask("Are you there?")
    assert (failed["status"], failed["heard_text"], failed["has_video"]) == ("error", "", False)
    assert failed["error"]["kind"] == kind, failed
    assert talk.film()["frames"] == 0
    refused = talk.client.get(f"/video/{failed['job_id']}")
    assert refused.status_code == 409
    assert failed["error"]["description"] in refused.json["detail"]


def test_a_text_that_got_no_answer_is_no_part_of_the_next_prompt(talk: Talk) -> None:
    talk.says("", status=500, body="oops")
    talk.ask("Are you there?")
    talk.says("Yes.")
    assert talk.ask("Now?")["status"] == "done"
    assert talk.prompt() == [("user", "Now?")]
    assert [each["status"] for each in talk.history()] == ["error", "done"]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ({"cut_after": 7}, "ReplyBrokenError"),
        ({"error_after": 7, "error": {"error": {"message": "no memory"}}}, "ModelFailedError"),
    ],
)
def test_what_a_model_wrote_before_it_failed_is_said_and_remembered(
    talk: Talk, script: dict[str, Any], kind: str
) -> None:
    talk.says(SAID + LATER, **script)
    failed = talk.ask("Tell me.")
    assert (failed["status"], failed["error"]["kind"]) == ("error", kind), failed
    assert failed["heard_text"] == SAID.strip()
    assert failed["has_video"]
    assert pictures(talk) == failed["frames"] > 0
    talk.says("Fine.")
    talk.ask("Go on.")
    answered, note = talk.prompt()[1:]
    assert answered == ("assistant", SAID.strip())
    assert "broke off" in note[1]
    assert note[1].endswith("Go on.")


def test_a_model_that_is_down_is_named_in_the_error(talk: Talk) -> None:
    nowhere = CompletionsModel(parse_chat_address("http://127.0.0.1:9/v1"))
    with closing(nowhere), pytest.MonkeyPatch.context() as patch:
        patch.setattr(talk.context.conversations, "model", nowhere)
        failed = talk.ask()
    assert failed["error"]["kind"] == "ModelUnreachableError"
    assert "127.0.0.1:9" in failed["error"]["description"]


def test_an_endless_reply_ends_at_the_limit(talk: Talk) -> None:
    talk.says("Word. ", endless=True)
    turn = talk.begin()
    talk.until(turn, "render")
    talk.client.post(f"/chat/{turn}/cancel")
    assert talk.ended(turn)["status"] == "cancelled"


def test_a_reply_without_a_word_to_speak_is_no_error(talk: Talk) -> None:
    talk.says("\N{PARTY POPPER}")
    turn = talk.ask("Celebrate.")
    assert (turn["status"], turn["has_video"], turn["error"]) == ("done", False, None)
    assert turn["heard_text"] == turn["reply_text"] == "\N{PARTY POPPER}"
    code = "```python\nprint(1)\n```"
    talk.says(code)
    turn = talk.ask("Show me code.")
    assert (turn["status"], turn["has_video"]) == ("done", True)  # a sentence announces it
    assert turn["heard_text"] == turn["reply_text"] == code


@pytest.mark.parametrize("text", ["", "   \n\t ", "\x00\x01", "a" * 10_001, "\ud800"])
def test_a_text_that_cannot_be_answered_is_refused(talk: Talk, text: str) -> None:
    refused = talk.post("/chat", user_text=text)
    assert refused.status_code == 422
    assert "user_text" in refused.json["detail"]
    assert talk.history() == []


def test_control_characters_are_left_out(talk: Talk) -> None:
    talk.says("Yes.")
    talk.ask("a\x00b\x1b[31m\r\nc\ud800")
    assert talk.prompt() == [("user", "ab[31m\nc")]


def test_too_long_a_history_is_shortened_once(talk: Talk) -> None:
    talk.says("Yes.")
    for text in ("one", "two"):
        talk.ask(text)

    def short_only(body: dict[str, Any]) -> Script:
        is_long = len(body["messages"]) > 2
        return Script(status=400, body=TOO_LONG) if is_long else Script(text="Short.")

    talk.model.script = short_only
    assert talk.ask("three")["reply_text"] == "Short."


def test_a_database_that_fails_in_mid_answer_ends_the_turn_and_leaves_the_film_whole(
    talk: Talk,
) -> None:
    talk.says("This is said. This is not.")
    table = talk.context.conversations._table
    update = table.update

    def full(*turns: Turn) -> None:
        if any(turn.sentences for turn in turns):
            refuse()
        update(*turns)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "update", full)
        events = talk.events()
    name, problem = events[-1]
    assert (name, problem["status"], problem["kind"]) == ("error", 507, "StorageError")
    (failed,) = talk.history()
    assert (failed["status"], failed["error"]["kind"]) == ("error", "StorageError")
    assert talk.status(failed["job_id"]) == failed
    wait_until(lambda: talk.film()["state"] == "idle", "the film to be complete")
    assert pictures(talk) == talk.film()["frames"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "insert", refuse)
        refused = talk.post("/chat", user_text="Hello?")
    assert (refused.status_code, refused.json["kind"]) == (507, "StorageError")
    talk.says("Yes.")
    assert talk.ask("And now?")["status"] == "done"


def test_a_history_that_cannot_be_stored_is_put_right_before_the_next_turn(talk: Talk) -> None:
    talk.says("One two three. Four five six.")
    turn = talk.ask("Count.")
    second = turn["sentences"][1]
    table = talk.context.conversations._table
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "update", refuse)
        interrupted = talk.post("/interrupt", position_s=second["start_s"])
        assert interrupted.status_code == 200
    assert talk.history()[0]["heard_text"] == "One two three."


def refuse(*_args: object, **_named: object) -> None:
    """Fail as on a full disk."""
    raise JobStoreFull(Path("jobs.sqlite3"))


def test_a_film_that_becomes_full_ends_the_turn(talk: Talk) -> None:
    talk.says("This is said. And this is too long for the film of this session, by far.")
    limits = talk.context.runtime.sessions.limits
    usual_s = limits.max_session_s
    object.__setattr__(limits, "max_session_s", 2.5)  # for this session only
    try:
        failed = talk.ask()
    finally:
        object.__setattr__(limits, "max_session_s", usual_s)
    assert (failed["status"], failed["error"]["kind"]) == ("error", "SessionError"), failed
    assert "max_session_s" in failed["error"]["description"]
    assert failed["heard_text"] == "This is said."
    assert pictures(talk) == failed["frames"]
