"""Markdown in the text of a request is not read aloud, unless the request asks for it."""

from flask.testing import FlaskClient

from tests.api.test_conversation import problem, say

ANSWER = "## Result\n\nIt is **good**, see [the paper](https://example.org/a_b).\n"
SPOKEN = "Result.\n\nIt is good, see the paper."
OVERFLOW = "s'" * 70
"""Crashes espeak."""


def test_markdown_is_spoken_as_a_person_would_read_it(client: FlaskClient) -> None:
    clip = say(client, ANSWER).get_json()["clip"]
    assert clip["text"] == SPOKEN
    plain = say(client, SPOKEN).get_json()["clip"]
    assert abs(clip["duration_s"] - plain["duration_s"]) < 0.1
    transcript = client.get("/session/full_session.vtt").text
    assert "It is good, see the paper." in transcript
    assert "*" not in transcript


def test_without_markup_every_character_is_spoken(client: FlaskClient) -> None:
    text = "It is **good**."
    marked = say(client, text, markup="none").get_json()["clip"]
    assert marked["text"] == text
    assert marked["duration_s"] > say(client, text, markup="auto").get_json()["clip"]["duration_s"]


def test_an_unknown_kind_of_markup_is_refused(client: FlaskClient) -> None:
    body = problem(say(client, "Hello.", markup="ssml"))
    assert body["status"] == 422
    assert "'auto' or 'none'" in body["details"]["body.markup"]["message"]


def test_a_text_of_nothing_but_code_is_refused_with_a_way_out(client: FlaskClient) -> None:
    body = problem(say(client, "```\nprint(1)\n```"))
    assert body["status"] == 422
    assert '`markup`: "none"' in body["details"]["body.text"]["message"]


def test_the_place_of_a_bad_sentence_is_that_in_the_text_as_sent(client: FlaskClient) -> None:
    text = f"\n# Title\n\n**Bold** and fine. {OVERFLOW}"
    body = problem(say(client, text))
    place = f"sentence 3 of the text, which begins at character {text.index(OVERFLOW) + 1},"
    assert place in body["detail"]
