"""Settings of the speech server: their checks, and secrets that messages must not show."""

import re
from typing import Any

from tts.openai.address import BadServerAddress, parse_address
from warm.settings.network import words

SECRETS = ("tts_key", "chat_key", "stt_key", "api_keys")
"""Settings whose values no message shows."""
URLS = ("tts_url", "chat_url", "transcriber")
"""Settings whose values are shown without the secrets in a URL."""

_TAG = re.compile(r"[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{2,8})*", re.ASCII)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
_SECRETS_OF_URL = re.compile(r"(?<=//)[^/?#]*@|(?<=\?).*", re.DOTALL)


def check_url(value: str) -> None:
    """Raise ValueError unless the value is the address of a speech server."""
    try:
        parse_address(value)
    except BadServerAddress as error:
        raise ValueError(str(error)) from None


def checked_key(value: str) -> str:
    """Return a key without outer blanks; raises ValueError, which does not show it."""
    if not _TOKEN.fullmatch(value.strip()):
        raise ValueError(
            "has characters that a key cannot have; allowed: printable ASCII, no blanks"
        )
    return value.strip()


def check_languages(value: str | None) -> None:
    """Raise ValueError for a word that is not a language tag."""
    for word in words(value):
        if not _TAG.fullmatch(word):
            raise ValueError(
                f"{word!r} is not a language; allowed: BCP 47 tags such as en, de-AT, pt-BR"
            )


def shown_value(name: str, value: Any) -> str:
    """Return the value of any setting for messages, without its secrets."""
    if name in SECRETS:
        return "(not shown)"
    return repr(
        _SECRETS_OF_URL.sub("…", value) if name in URLS and isinstance(value, str) else value
    )
