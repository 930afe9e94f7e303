"""Odd texts in requests are spoken or refused with 422; the server goes on."""

import pytest
from flask.testing import FlaskClient

from tests.api.test_conversation import problem, say


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "\u202eabc\u202c \u2067שלום\u2069",
        "before \ud800 after",
        "a" + "\u0301" * 5000,
        "e" * 5000,
        "x\x00y\x07z",
        "Привет means hello",
        "https://example.com/" + "a" * 3000,
        "9" * 60,
        "<speak>One <prosody rate='200%'>two</prosody></speak>",
        "ᚠ and ༀ",
    ],
    ids=range(11),
)
def test_odd_texts_are_spoken(client: FlaskClient, text: str) -> None:
    answer = say(client, text)
    assert answer.status_code == 200, answer.text
    assert 0.3 < answer.get_json()["clip"]["duration_s"] < 60


@pytest.mark.parametrize(
    "text",
    ["", " ", "😀", "\u0301" * 5000, "\ud800", "…", "===", ":-)", "<speak/>", "<speak>",
     "x" * 10_001, "ᚠᚢᚦ"],
    ids=range(12),
)  # fmt: skip
def test_texts_without_words_are_refused(client: FlaskClient, text: str) -> None:
    assert problem(say(client, text))["status"] == 422
    assert say(client, "Hello.").status_code == 200


@pytest.mark.parametrize("text", [None, 5, ["a"], {"a": 1}, True])
def test_values_that_are_no_text_are_refused(client: FlaskClient, text: object) -> None:
    assert problem(say(client, text))["status"] == 422


def test_words_that_were_left_out_are_named_in_the_answer(client: FlaskClient) -> None:
    answer = say(client, "ᚠᚢᚦ are runes.").get_json()
    assert answer["remarks"] == ["no voice has sounds for 'ᚠᚢᚦ', so it was left out"]
