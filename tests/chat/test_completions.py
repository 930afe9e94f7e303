"""The client of chat servers, against a real HTTP server with scripted answers."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from chat.address import parse_chat_address
from chat.completions import CompletionsModel
from chat.errors import (
    ChatError,
    ContextTooLong,
    EmptyReply,
    ModelBusy,
    ModelFailed,
    ModelKeyRefused,
    ModelRefused,
    ModelTimeout,
    ModelUnreachable,
    ReplyBroken,
    ReplyCancelled,
)
from chat.limits import ReplyLimits
from chat.model import ChatMessage, Ending, ReplyOptions
from tests.chat.scripted_server import MODEL, Script, ScriptedServer, scripted_server
from tests.polling import wait_until

HELLO = [ChatMessage("system", "Be brief."), ChatMessage("user", "Hello")]
KEY = "sk-secret-0123"
PATIENT = ReplyLimits(connect_s=5, first_token_s=30, token_s=30, reply_s=60)


@pytest.fixture(scope="module")
def running() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def server(running: ScriptedServer) -> ScriptedServer:
    running.received.clear()
    running.left.clear()
    running.models = [MODEL]
    running.script = Script()
    return running


def model_of(server: ScriptedServer, limits: ReplyLimits = PATIENT, **options: Any) -> Any:
    return closing(CompletionsModel(parse_chat_address(server.url), limits=limits, **options))


def asked(
    server: ScriptedServer,
    script: Script,
    limits: ReplyLimits = PATIENT,
    options: ReplyOptions | None = None,
) -> tuple[str, Ending | None]:
    server.script = script
    with model_of(server, limits, key=KEY) as model:
        reply = model.reply(HELLO, options or ReplyOptions())
        return "".join(reply), reply.ending


def error_of(server: ScriptedServer, script: Script, limits: ReplyLimits = PATIENT) -> ChatError:
    with pytest.raises(ChatError) as caught:
        asked(server, script, limits)
    assert KEY not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("style", ["openai", "ollama", "llama.cpp", "vllm", "bare"])
def test_the_stream_of_each_family_of_servers_is_read(server: ScriptedServer, style: str) -> None:
    text = "Grüße! “Quotes”, 中文, 🎉 and a\nline."
    said, ending = asked(server, Script(text=text, style=style, thought="hmm, well"))
    assert said == text
    assert ending is not None and (ending.reason, ending.model) == ("stop", MODEL)
    counted = {"openai": 5, "llama.cpp": 5, "vllm": 5}.get(style)
    assert ending.reply_tokens == counted


def test_the_request_has_the_messages_the_options_and_the_key(server: ScriptedServer) -> None:
    options = ReplyOptions(max_tokens=9, temperature=0.5, extra={"seed": 3})
    asked(server, Script(), options=options)
    (request,) = server.received
    assert request.path == "/v1/chat/completions"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 9,
        "temperature": 0.5,
        "seed": 3,
    }


def test_a_configured_model_is_named_and_a_missing_key_is_a_dummy(server: ScriptedServer) -> None:
    with model_of(server, model="qwen3:8b") as model:
        "".join(model.reply(HELLO, ReplyOptions()))
    (request,) = server.received
    assert request.body["model"] == "qwen3:8b"
    assert request.headers["Authorization"] == "Bearer none"


def data(*chunks: Any) -> list[str]:
    return [f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n" for each in chunks]


def delta(content: Any, finish: Any = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": content, **more}, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (data(delta("a"), {"choices": []}, {"choices": None}, delta(None, "stop")), "a"),
        ([": ping\n\n", *data(delta("a")), ": ping\n\n", *data(delta("", "stop"))], "a"),
        (["data:" + json.dumps(delta("a", "stop")) + "\r\n\r\n"], "a"),
        (["event: message\nid: 3\n", *data(delta("a")), *data("[DONE]")], "a"),
        ([json_line for each in "ab" for json_line in [f"data: {json.dumps(delta(each))}\n"]]
         + ["\n", *data("[DONE]")], "ab"),
        (data({"choices": [{"text": "a", "finish_reason": "stop"}]}), "a"),
        (data(delta([{"type": "text", "text": "a"}], "eos")), "a"),
        (data({"choices": [{"delta": {"refusal": "No."}, "finish_reason": "stop"}]}), "No."),
        (data(delta("a"), {"choices": [{"delta": None, "finish_reason": "stop"}]}), "a"),
        (data(delta("<think>x"), delta("y</th"), delta("ink>\n\nB"), delta("", "stop")), "B"),
        (data(delta("a "), delta("<thi"), delta("nk> tag"), delta("", "stop")), "a <think> tag"),
        (data(delta("<"), delta("b>x</b>"), delta("", "stop")), "<b>x</b>"),
        (data(delta("a\n<Think mode=1>x</THINK>b"), delta("", "stop")), "a\nb"),
        (data(delta("</think>a", "stop")), "a"),
        (data(delta("x <"), delta(None, "stop")), "x <"),
        (data(delta("\n <"), delta(None, "stop")), "<"),
        (['data: {"choices": [{"delta": {"content"', ': "é"}}]}\n\n', *data("[DONE]")], "é"),
    ],
)  # fmt: skip
def test_deviations_of_real_servers_are_understood(
    server: ScriptedServer, raw: list[str], text: str
) -> None:
    assert asked(server, Script(raw=raw))[0] == text


def test_a_limit_that_cut_the_reply_off_is_reported(server: ScriptedServer) -> None:
    for reason in ("length", "max_tokens"):
        _, ending = asked(server, Script(finish=reason))
        assert ending is not None and ending.reason == "length"


def test_a_server_that_does_not_stream_is_understood(server: ScriptedServer) -> None:
    message = {"role": "assistant", "content": "Whole."}
    body = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
    said, ending = asked(server, Script(body=json.dumps(body)))
    assert said == "Whole." and ending is not None and ending.model == "m"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, '{"error": {"message": "Incorrect key: sk-secret-0123"}}', ModelKeyRefused),
        (403, "", ModelKeyRefused),
        (404, '{"error": "model \'x\' not found, try pulling it first"}', ModelRefused),
        (404, "<html><title>404</title>nginx</html>", ModelRefused),
        (400, '{"error": {"code": 400, "type": "exceed_context_size_error", "message": "m"}}',
         ContextTooLong),
        (400, '{"error": {"code": "context_length_exceeded"}}', ContextTooLong),
        (400, '{"object": "error", "message": "This model\'s maximum context length is 8 tokens"}',
         ContextTooLong),
        (413, "", ContextTooLong),
        (429, '{"error": {"code": "insufficient_quota"}}', ModelRefused),
        (429, '{"error": {"message": "Rate limit reached"}}', ModelBusy),
        (503, '{"error": {"message": "Loading model", "code": 503}}', ModelBusy),
        (500, "Traceback …", ModelFailed),
        (502, "", ModelFailed),
        (302, "", ModelUnreachable),
        (200, "<html>Welcome</html>", ModelUnreachable),
    ],
)  # fmt: skip
def test_an_error_status_has_its_kind(
    server: ScriptedServer, status: int, body: str, kind: type[ChatError]
) -> None:
    error = error_of(server, Script(status=status, body=body))
    assert type(error) is kind
    assert str(error).endswith(".")


def test_an_unfit_request_is_repeated_without_what_the_server_refuses(
    server: ScriptedServer,
) -> None:
    refused = ["stream_options", "max_tokens", "temperature", "system"]

    def strict(body: dict[str, Any]) -> Script:
        has_system = any(each["role"] == "system" for each in body["messages"])
        for name in refused:
            if name in body or (name == "system" and has_system):
                hint = {
                    "max_tokens": "Use 'max_completion_tokens' instead",
                    "system": "System role",
                }
                message = f"{hint.get(name, name)} not supported"
                return Script(status=400, body=json.dumps({"error": {"message": message}}))
        return Script(text="Fine.")

    server.script = strict
    with model_of(server) as model:
        options = ReplyOptions(max_tokens=9, temperature=0.1)
        assert "".join(model.reply(HELLO, options)) == "Fine."
        count = len(server.received)
        assert "".join(model.reply(HELLO, options)) == "Fine."
        assert len(server.received) == count + 1, "the deviations are remembered"
    body = server.received[-1].body
    assert body["max_completion_tokens"] == 9
    assert body["messages"] == [{"role": "user", "content": "Be brief.\n\nHello"}]


@pytest.mark.parametrize(
    ("script", "kind", "said"),
    [
        (Script(cut_after=2), ReplyBroken, "in the middle"),
        (Script(reset_after=2), ReplyBroken, "closed the connection"),
        (Script(cut_after=0), ReplyBroken, "before its reply"),
        (Script(finish=None), ReplyBroken, "in the middle"),
        (Script(error_after=1, error={"error": {"message": "CUDA out of memory"}}), ModelFailed,
         "CUDA out of memory"),
        (Script(error_after=1, error={"error": {"code": 400, "message": "context size exceeded"}}),
         ContextTooLong, "context size"),
        (Script(error_after=1, error={"object": "error", "message": "died", "code": 500}),
         ModelFailed, "died"),
        (Script(raw=["data: {nonsense\n\n"]), ReplyBroken, "not JSON"),
        (Script(raw=["data: 17\n\n"]), ReplyBroken, "not a JSON object"),
        (Script(raw=["error: {}\n\n"]), ReplyBroken, "before its reply"),
        (Script(raw=["\x00\x01\x02"]), ReplyBroken, "before its reply"),
        (Script(text="", tokens=[]), EmptyReply, "without a word"),
        (Script(text="  \n", finish="content_filter"), EmptyReply, "content_filter"),
        (Script(text="<think>for ever"), EmptyReply, "without a word"),
    ],
)  # fmt: skip
def test_a_reply_that_breaks_off_has_its_kind_of_error(
    server: ScriptedServer, script: Script, kind: type[ChatError], said: str
) -> None:
    error = error_of(server, script)
    assert type(error) is kind
    assert said in str(error)


def test_the_pieces_before_an_error_are_delivered(server: ScriptedServer) -> None:
    server.script = Script(text="one two three", cut_after=2)
    pieces = []
    with model_of(server) as model, pytest.raises(ReplyBroken):
        for piece in model.reply(HELLO, ReplyOptions()):
            pieces.append(piece)
    assert "".join(pieces) == "one two"


@pytest.mark.parametrize(
    ("script", "limits", "setting"),
    [
        (Script(first_s=30), ReplyLimits(first_token_s=0.3), "chat_first_token_s"),
        (Script(token_s=30), ReplyLimits(token_s=0.3), "chat_token_s"),
        (Script(endless=True, token_s=0.01), ReplyLimits(reply_s=0.5), "chat_reply_s"),
    ],
)
def test_every_wait_for_the_model_has_a_limit(
    server: ScriptedServer, script: Script, limits: ReplyLimits, setting: str
) -> None:
    error = error_of(server, script, limits)
    assert isinstance(error, ModelTimeout) and setting in str(error)
    wait_until(lambda: server.left, "the server to see that the client left")


def test_an_endless_reply_is_cut_off_like_a_long_one(server: ScriptedServer) -> None:
    said, ending = asked(server, Script(endless=True), ReplyLimits(max_chars=1000))
    assert len(said) == 1000
    assert ending is not None and (ending.reason, ending.model) == ("length", MODEL)
    wait_until(lambda: server.left, "the server to see that the client left")


@pytest.mark.parametrize("style", ["openai", "llama.cpp"])
def test_a_cancelled_reply_ends_at_once_and_the_server_sees_it(
    server: ScriptedServer, style: str
) -> None:
    """The second style sends no header before its first token, so there is no answer to close."""
    server.script = Script(first_s=30, style=style)
    with model_of(server) as model:
        reply = model.reply(HELLO, ReplyOptions())
        wait_until(lambda: server.received, "the request")
        threading.Timer(0.05, reply.cancel).start()
        with pytest.raises(ReplyCancelled):
            list(reply)
    wait_until(lambda: server.left, "the server to see that the client left")


def test_closing_the_model_cancels_its_replies(server: ScriptedServer) -> None:
    server.script = Script(first_s=30)
    model = CompletionsModel(parse_chat_address(server.url))
    reply = model.reply(HELLO, ReplyOptions())
    model.close()
    with pytest.raises(ReplyCancelled):
        list(reply)


def test_the_state_has_the_outcome_of_the_last_request(server: ScriptedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with closing(CompletionsModel(parse_chat_address(f"http://127.0.0.1:{port}"))) as model:
        assert model.state().phase == "unknown"
        with pytest.raises(ModelUnreachable, match=r"cannot be reached.*chat_url"):
            list(model.reply(HELLO, ReplyOptions()))
        assert model.state().phase == "unreachable" and "chat_url" in model.state().detail
    server.script = Script(status=401)
    with model_of(server) as model:
        with pytest.raises(ModelKeyRefused):
            list(model.reply(HELLO, ReplyOptions()))
        assert model.state().phase == "ready" and "chat_key" in model.state().detail
    with model_of(server) as model:
        model.prepare()
        wait_until(lambda: model.state().phase == "ready", "the server's answer")


def test_a_server_that_accepts_and_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = parse_chat_address(f"http://127.0.0.1:{silent.getsockname()[1]}")
        limits = ReplyLimits(first_token_s=0.3)
        with closing(CompletionsModel(address, model="m", limits=limits)) as model:
            begun_s = time.monotonic()
            with pytest.raises(ModelTimeout):
                list(model.reply(HELLO, ReplyOptions()))
            assert time.monotonic() - begun_s < 20
