"""The decoders that turn latents into pictures, and their notes. Imports nothing heavy."""

from typing import Literal

DecoderKind = Literal["full", "half", "tiny"]

FIRST_DECODED_ROW = 96
"""First row of a picture that `half` decodes. Masks begin lower, unless a box is 1.5 times as wide
as it is high."""
NOTES: dict[DecoderKind, str] = {
    "half": "pictures differ from the reference's: only the part that is pasted is decoded,"
    " and the norms' statistics of the rest are taken from the avatar's own face",
    "tiny": "pictures differ from the reference's: they are decoded by another, smaller"
    " autoencoder, which was trained to resemble the reference's",
}
"""Notes for the decoders whose pictures differ from the reference's."""


def decoder_note(kind: DecoderKind) -> str | None:
    """Note about a decoder for the log and `/health`; None for the reference's own decoder."""
    note = NOTES.get(kind)
    return note and f"decoder = {kind!r}: {note}"


def first_decoded_row(kind: DecoderKind) -> int:
    """First row of a picture that the decoder draws."""
    return FIRST_DECODED_ROW if kind == "half" else 0
