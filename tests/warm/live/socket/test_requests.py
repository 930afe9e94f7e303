"""Text messages of clients are understood, or refused with the member that is wrong."""

import json

import pytest

from warm.live.socket.requests import BadMessage, Begin, Clear, End, read_message


def test_messages_are_read() -> None:
    begin = read_message(b'{"type": "begin", "rate": 16000, "utterance": "a", "text": "Hi"}')
    assert begin == Begin(type="begin", rate=16_000, utterance="a", text="Hi")
    assert read_message(b'{"type": "begin"}') == Begin(type="begin")
    assert isinstance(read_message(b'{"type": "end"}'), End)
    assert isinstance(read_message(b'{"type": "clear"}'), Clear)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("hello", "JSON"),
        ("[" * 50_000, "JSON"),
        ("[]", "type: must be 'begin', 'end' or 'clear'"),
        ("null", "type: must be"),
        ("{}", "type: must be"),
        ('{"type": "start"}', "type: must be"),
        ('{"type": ["begin"]}', "type: must be"),
        ('{"type": "begin", "rate": 44100}', "rate = 44100: input should be 16000, 24000 or 48000"),
        ('{"type": "begin", "rate": "24000"}', "rate = '24000'"),
        ('{"type": "begin", "utterance": ""}', "utterance = ''"),
        (json.dumps({"type": "begin", "utterance": "x" * 129}), "at most 128"),
        ('{"type": "begin", "utterance": 7}', "utterance = 7"),
        ('{"type": "end", "rate": 16000}', "rate: is not a member of 'end'"),
        ('{"type": "begin", "volume": 3}', "volume: is not a member of 'begin'"),
    ],
)
def test_other_messages_are_refused_by_name(sent: str, told: str) -> None:
    with pytest.raises(BadMessage) as refused:
        read_message(sent.encode())
    assert told in str(refused.value)
    assert len(str(refused.value)) < 300
