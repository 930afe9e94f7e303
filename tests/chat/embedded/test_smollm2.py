"""The embedded model itself, if its file is on this machine."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chat.embedded.embedded_model import EmbeddedModel
from chat.embedded.model_files import ModelFiles
from chat.embedded.options import EmbeddedOptions
from chat.model import ChatMessage, ReplyOptions

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[3] / "models" / "chat"
SYSTEM = ChatMessage("system", "You are Grace. Answer in one short sentence.")


@pytest.fixture
def model() -> Iterator[EmbeddedModel]:
    if ModelFiles(FOLDER).missing():
        pytest.skip("the embedded language model is not in models/chat: make chat")
    options = EmbeddedOptions(allow_fetch=False)
    with closing(EmbeddedModel(FOLDER, options, greeting=[SYSTEM])) as model:
        yield model


def test_it_answers_a_question_and_follows_a_conversation(model: EmbeddedModel) -> None:
    options = ReplyOptions(max_tokens=40, temperature=0.0)
    messages = [SYSTEM, ChatMessage("user", "What is the capital of France?")]
    reply = model.reply(messages, options)
    text = "".join(reply)
    assert "Paris" in text
    assert reply.ending is not None
    assert reply.ending.model == model.state().name == "SmolLM2-135M-Instruct"
    messages += [ChatMessage("assistant", text), ChatMessage("user", "And of Italy?")]
    assert "".join(model.reply(messages, options)).strip()
    state = model.state()
    assert (state.phase, state.licence, state.is_demo) == ("ready", "Apache-2.0", True)
