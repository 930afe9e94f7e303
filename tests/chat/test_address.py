"""Addresses of chat servers."""

import pytest

from chat.address import COMPLETIONS, BadChatAddress, parse_chat_address


@pytest.mark.parametrize(
    ("written", "completions"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1/chat/completions"),
        ("http://localhost:11434/", "http://localhost:11434/v1/chat/completions"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1/chat/completions"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h:80/v1/chat/completions/", "http://h/v1/chat/completions"),
        ("http://localhost:11434/api/chat", "http://localhost:11434/v1/chat/completions"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/chat/completions"),
        ("https://h/v1beta/openai/", "https://h/v1beta/openai/chat/completions"),
        ("https://h/openai?api-version=1", "https://h/openai/chat/completions?api-version=1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1/chat/completions"),
    ],
)
def test_an_address_is_understood_as_people_write_it(written: str, completions: str) -> None:
    assert parse_chat_address(written).url(COMPLETIONS) == completions


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("localhost:11434", "no scheme or no host"),
        ("ftp://h", "no scheme or no host"),
        ("http://", "no scheme or no host"),
        ("http://user:pass@h", "set chat_key instead"),
        ("http://h:99999", "not a URL"),
        ("http://h/#part", "fragment"),
        ("http://h/a b", "characters"),
        ("http://h/\nv1", "characters"),
    ],
)
def test_a_text_that_is_not_an_address_is_refused_with_the_reason(written: str, fault: str) -> None:
    with pytest.raises(BadChatAddress, match=fault):
        parse_chat_address(written)


def test_the_query_is_not_shown() -> None:
    assert "secret" not in parse_chat_address("https://h/v1?key=secret").shown(COMPLETIONS)
