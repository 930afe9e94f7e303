"""Check of the address of the language model."""

from chat.address import BadChatAddress, parse_chat_address


def check_chat_url(value: str) -> None:
    """Raise ValueError unless the value is the address of a chat server."""
    try:
        parse_chat_address(value)
    except BadChatAddress as error:
        raise ValueError(str(error)) from None
