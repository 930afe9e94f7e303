"""Check of the setting `transcriber`."""

from stt.pins import PINNED_MODELS
from stt.remote.address import BadRecogniserAddress, parse_recogniser_address

NO_RECOGNISER = "none"


def check_transcriber(value: str) -> None:
    """Raise ValueError unless the value names a recogniser or is the address of a server."""
    names = (*PINNED_MODELS, NO_RECOGNISER)
    if value in names:
        return
    if "/" not in value:
        raise ValueError(f"must be one of {', '.join(names)}, or the address of a server")
    try:
        parse_recogniser_address(value)
    except BadRecogniserAddress as error:
        raise ValueError(str(error)) from None
