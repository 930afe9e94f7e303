"""`POST /v1/chat/completions`: the answer of the model's server is returned, and spoken."""

import json
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.chat.talking import Talk
from tests.api.live_app import serving
from tests.polling import wait_until

QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who is it?"}]


def complete(talk: Talk, **members: Any) -> TestResponse:
    body = {"model": "scripted-1", "messages": QUESTION, **members}
    headers = {"X-Session-Id": talk.session_id}
    return talk.client.post("/v1/chat/completions", json=body, headers=headers)


def chunks_of(answer: TestResponse) -> list[Any]:
    """The JSON objects of a stream, which ends with its mark."""
    *events, done, _ = answer.text.split("\n\n")
    assert done == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


def spoken(talk: Talk) -> dict[str, Any]:
    """The only turn of the session, once it has ended."""
    wait_until(talk.history, "a turn")
    (turn,) = talk.history()
    return talk.ended(turn["job_id"])


def test_a_stream_is_passed_on_as_it_is_and_spoken(talk: Talk) -> None:
    talk.says("It is **me**. Hello.", style="openai")
    answer = complete(
        talk, stream=True, stream_options={"include_usage": True}, temperature=0.5, seed=7
    )
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    chunks = chunks_of(answer)
    texts = [chunk["choices"][0]["delta"].get("content") for chunk in chunks if chunk["choices"]]
    assert "".join(filter(None, texts)) == "It is **me**. Hello."
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks if "usage" in chunk] == [5]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    sent = talk.model.received[-1].body
    assert (sent["messages"], sent["temperature"], sent["seed"]) == (QUESTION, 0.5, 7)
    turn = spoken(talk)
    assert (turn["kind"], turn["user_text"]) == ("completion", "Who is it?")
    assert turn["status"] == "done"
    assert turn["heard_text"] == "It is **me**. Hello."
    assert [each["text"] for each in turn["sentences"]] == ["It is me.", "Hello."]


def test_a_whole_answer_is_passed_on_with_what_only_its_client_understands(talk: Talk) -> None:
    calls = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": "Let me see.", "tool_calls": calls}
    others = {"role": "assistant", "content": "Another answer."}
    content = {
        "id": "chatcmpl-9",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted-1",
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls"},
            {"index": 1, "message": others, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    talk.says("", body=json.dumps(content))
    answer = complete(talk, n=2, tools=[{"type": "function", "function": {"name": "f"}}])
    assert (answer.status_code, answer.json) == (200, content)
    assert talk.model.received[-1].body["tools"][0]["function"] == {"name": "f"}
    assert spoken(talk)["heard_text"] == "Let me see."


@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        ({"status": 404, "body": '{"error": {"message": "no model x"}}'}, 404, "no model x"),
        ({"status": 401, "body": '{"error": {"message": "bad key"}}'}, 502, "chat_key"),
        ({"status": 500, "body": "<html>oops</html>"}, 502, "oops"),
    ],
)
def test_errors_have_the_shape_of_openai(
    talk: Talk, script: dict[str, Any], status: int, message: str
) -> None:
    talk.says(**{"text": "", **script})
    answer = complete(talk, stream=True)
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    assert message in answer.json["error"]["message"]
    assert spoken(talk)["status"] == "error"


def test_an_error_within_a_stream_is_its_last_event(talk: Talk) -> None:
    talk.says("This was written. But then", cut_after=5)
    *_, last = chunks_of(complete(talk, stream=True))
    assert last["error"]["code"] == "ReplyBrokenError"
    assert spoken(talk)["heard_text"] == "This was written."


@pytest.mark.parametrize("members", [{"messages": []}, {"messages": "no"}, {"stream": "yes"}])
def test_a_body_that_cannot_be_used_is_answered_400(talk: Talk, members: dict[str, Any]) -> None:
    answer = complete(talk, **members)
    assert (answer.status_code, answer.json["error"]["type"]) == (400, "invalid_request_error")


def test_the_models_are_listed(talk: Talk) -> None:
    answer = talk.client.get("/v1/models")
    assert [each["id"] for each in answer.json["data"]] == ["scripted-1"]


def test_the_member_user_names_the_session_if_nothing_else_does(talk: Talk) -> None:
    talk.says("Hello.")
    body = {"messages": QUESTION, "user": f"{talk.session_id}"}
    assert talk.client.post("/v1/chat/completions", json=body).status_code == 200
    assert spoken(talk)["session_id"] == talk.session_id


@pytest.mark.slow  # the client is imported for over a second
def test_the_client_of_openai_works_with_another_base_address_only(talk: Talk) -> None:
    import openai  # noqa: PLC0415

    talk.says("It is me. Hello.")
    with (
        serving(talk.app) as base,
        openai.OpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0) as client,
    ):
        assert [each.id for each in client.models.list()] == ["scripted-1"]
        stream = client.chat.completions.create(
            model="scripted-1",
            messages=[{"role": "user", "content": "Who is it?"}],
            stream=True,
            extra_headers={"X-Session-Id": talk.session_id},
        )
        texts = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
        assert "".join(texts) == "It is me. Hello."
        talk.says("", status=404, body='{"error": {"message": "no model x"}}')
        with pytest.raises(openai.NotFoundError, match="no model x"):
            client.chat.completions.create(
                model="x", messages=[{"role": "user", "content": "?"}], user="sdk"
            )
    assert spoken(talk)["heard_text"] == "It is me. Hello."


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
    ],
)
def test_what_the_embedded_model_cannot_do_is_answered_400(
    talk: Talk, members: dict[str, Any], param: str
) -> None:
    model = talk.context.conversations.model
    embedded = replace(model.state(), kind="embedded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "state", lambda: embedded)
        answer = complete(talk, **members)
    assert (answer.status_code, answer.json["error"]["param"]) == (400, param)
    assert "chat_url" in answer.json["error"]["message"]
    assert talk.model.received == []
