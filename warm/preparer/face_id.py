"""Ids of the avatars that are made from uploads."""

FACE_PREFIX, FACE_DIGITS = "face-", 16


def face_id(sha256: str) -> str:
    """Return the id of the avatar that is made from content with this digest (hex)."""
    return f"{FACE_PREFIX}{sha256[:FACE_DIGITS]}"


def is_face_id(avatar_id: str) -> bool:
    """True for the id of an avatar that was made from an upload."""
    digits = avatar_id.removeprefix(FACE_PREFIX)
    return digits != avatar_id and len(digits) == FACE_DIGITS
