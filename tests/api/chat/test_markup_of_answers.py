"""Answers full of markup: the film and its captions have the spoken words, the chat the markup."""

from tests.api.chat.talking import Talk

REPLY = """<plan>Be short.</plan>Sure! 😀 Here are **two tips**, e.g. for 3 p.m. on Jan. 5:

1. **Drink** `H2O`. See [the guide](https://example.org/a_b).[1]
2. Rest – at least 1.5 hrs.

```python
print("Never spoken. Never.")
```

| Tip | Cost |
|---|---|
| Rest | $0.00 |

> Good luck!
""".replace("plan>", "reasoning>")
SPOKEN = [
    "Sure!",
    "Here are two tips, e.g. for 3 p.m. on Jan. 5:",
    "1. Drink H2O.",
    "See the guide.",
    "2. Rest – at least 1.5 hrs.",
    "Tip, Cost.",
    "Rest, $0.00.",
    "Good luck!",
]


def test_an_answer_full_of_markup_is_shown_with_it_and_spoken_without(talk: Talk) -> None:
    talk.says(REPLY)
    events = talk.events()
    turn = events[-1][1]["turn"]
    assert turn["status"] == "done"
    assert [" ".join(each["text"].split()) for each in turn["sentences"]] == SPOKEN
    assert turn["reply_text"] == "".join(data["text"] for name, data in events if name == "token")
    assert turn["reply_text"] == REPLY.partition("</reasoning>")[2]
    assert turn["heard_text"] == turn["reply_text"]
    shown = [
        turn["reply_text"][data["start"] : data["end"]]
        for name, data in events
        if name == "sentence"
    ]
    assert shown[2:4] == ["1. **Drink** `H2O`.", "See [the guide](https://example.org/a_b)."]
    captions = talk.client.get(f"/sessions/{talk.session_id}/full_session.vtt").text
    lines = " ".join(captions.split())
    assert all(sentence in lines for sentence in SPOKEN)
    assert not any(mark in lines for mark in ("**", "`", "](", "Never", "|", "short"))


def test_an_answer_of_nothing_but_code_is_announced(talk: Talk) -> None:
    reply = "```json\n" + '{"never": "spoken. no."}\n```'
    talk.says(reply)
    turn = talk.ask()
    assert (turn["status"], turn["reply_text"], turn["heard_text"]) == ("done", reply, reply)
    assert [each["text"] for each in turn["sentences"]] == ["I have written it down here."]


def test_an_answer_with_nothing_to_say_ends_without_a_film(talk: Talk) -> None:
    talk.says("😀 --- ***")
    turn = talk.ask()
    assert (turn["status"], turn["sentences"], turn["frames"]) == ("done", [], 0)
