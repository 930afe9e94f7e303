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
    body = problem(say(client, "Hello.", markup="html"))
    assert body["status"] == 422
    assert (
        "'auto', 'markdown', 'ssml', 'plain' or 'none'" in body["details"]["body.markup"]["message"]
    )


def test_a_text_of_nothing_but_code_is_refused_with_a_way_out(client: FlaskClient) -> None:
    body = problem(say(client, "```\nprint(1)\n```"))
    assert body["status"] == 422
    assert '`markup`: "plain"' in body["details"]["body.text"]["message"]


def test_the_place_of_a_bad_sentence_is_that_in_the_text_as_sent(client: FlaskClient) -> None:
    text = f"\n# Title\n\n**Bold** and fine. {OVERFLOW}"
    body = problem(say(client, text))
    place = f"sentence 3 of the text, which begins at character {text.index(OVERFLOW) + 1},"
    assert place in body["detail"]


def test_ssml_has_pauses_and_its_remarks_are_in_the_answer(client: FlaskClient) -> None:
    ssml = (
        '<speak>One.<break time="2s"/> <emphasis>Two</emphasis> &amp; <sub alias="three">3</sub>.'
        "</speak>"
    )
    answer = say(client, ssml, markup="ssml").get_json()
    assert answer["clip"]["text"] == "One. Two & 3."
    assert answer["remarks"] == ["emphasis has no effect: its text is spoken"]
    plain = say(client, "One. Two & 3.").get_json()["clip"]
    assert 1.5 < answer["clip"]["duration_s"] - plain["duration_s"] < 2.3


def test_broken_ssml_is_refused_with_its_place(client: FlaskClient) -> None:
    body = problem(say(client, "<speak>\n<p>Hi</speak>", markup="ssml"))
    assert body["status"] == 422
    assert "line 2, column 8" in body["details"]["body.text"]["message"]


def test_an_unknown_voice_within_ssml_is_refused_before_anything_is_said(
    client: FlaskClient,
) -> None:
    body = problem(say(client, '<speak>Hi <voice name="nobody">there</voice></speak>'))
    assert body["status"] == 422
    assert "at character 32, voice 'nobody'" in body["details"]["body.text"]["message"]


def test_ssml_may_be_asked_for_with_a_boolean(client: FlaskClient) -> None:
    ssml = 'One<break time="2s"/> <phoneme ph="tuː">2</phoneme>.'
    named = say(client, ssml, markup="ssml").get_json()["clip"]
    assert say(client, ssml, ssml=True).get_json()["clip"]["frames"] == named["frames"]
    spoken = say(client, f"<speak>{ssml}</speak>", ssml=False).get_json()["clip"]
    assert spoken["text"] == "One 2."
    assert spoken["frames"] < named["frames"]


def test_ssml_that_contradicts_the_markup_is_refused(client: FlaskClient) -> None:
    body = problem(say(client, "Hello.", markup="plain", ssml=True))
    assert body["status"] == 422
    assert "ssml = true: " in body["detail"] and "contradicts markup = 'plain'" in body["detail"]
