"""What may turn latents into pictures, and what is to be known of it. Imports nothing heavy."""

from typing import Literal

DecoderKind = Literal["full", "half", "tiny"]

FIRST_ROW = 96
"""The first row of a picture that `half` draws: masks begin lower, unless a box is half as wide
again as it is high."""
CAUTIONS: dict[DecoderKind, str] = {
    "half": "pictures differ from the reference's: of each only the part that is pasted is decoded,"
    " and what the norms must know of the rest is taken from the avatar's own face",
    "tiny": "pictures differ from the reference's: another autoencoder, a small one that was"
    " trained to resemble it, decodes them",
}
"""What must be said of those that draw other pictures than the reference's."""


def caution(kind: DecoderKind) -> str | None:
    """What is said of a decoder in the log and by `/health`; nothing of the reference's own."""
    words = CAUTIONS.get(kind)
    return words and f"decoder = {kind!r}: {words}"


def first_row(kind: DecoderKind) -> int:
    """Rows of a picture above this one are not drawn."""
    return FIRST_ROW if kind == "half" else 0
