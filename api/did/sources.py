"""Faces, sounds and pictures that bodies name: own files, avatars, and addresses to fetch."""

import re

from flask import request

from api.caller import caller
from api.context import context
from api.did.errors import BadMember, note_fetched
from api.serializers import absolute_url
from warm.avatars.store import ID_PATTERN, AvatarMissing
from warm.fetch.errors import FetchError
from warm.uploads.errors import UnknownUpload, UploadDamaged, UploadNotAllowed, UploadTooLarge
from warm.uploads.upload import Upload, UploadKind

AVATAR_PATH = re.compile(
    r"/(?:avatars|clips/presenters)/([A-Za-z0-9_-]{1,64})(?:/[a-z0-9.]+)?/?(?:[?#].*)?"
)
"""Path of an avatar, or of one of its files, as `GET /clips/presenters` lists them."""
PREFIXES = ("img_", "aud_")
"""Beginnings of the ids that `POST /images` and `POST /audios` return."""
FACES: frozenset[UploadKind] = frozenset({"picture", "video"})
SOUNDS: frozenset[UploadKind] = frozenset({"sound"})
PICTURES: frozenset[UploadKind] = frozenset({"picture"})


def find_avatar(name: str) -> str | None:
    """Return the id of a ready avatar from its id or one of its addresses; else None."""
    if ID_PATTERN.fullmatch(name):
        return name if is_ready(name) else None
    for base in ("", absolute_url(""), request.host_url.rstrip("/")):
        found = AVATAR_PATH.fullmatch(name.removeprefix(base)) if name.startswith(base) else None
        if found and is_ready(found[1]):
            return found[1]
    return None


def is_ready(avatar_id: str) -> bool:
    """True for an avatar that can speak."""
    if avatar_id == context().runtime.avatar.id:
        return True
    try:
        return context().avatars.summary(avatar_id).state == "ready"
    except AvatarMissing:
        return False


def stored_file(member: str, url: str, allowed: frozenset[UploadKind]) -> Upload:
    """Return the file at an address, or the upload with an id; raises BadMember.

    An address of another server is fetched, if that is allowed.
    """
    store, owner = context().uploads, caller().name
    try:
        if upload_id := own_id(url):
            return store.admit(store.obtain(upload_id), allowed)
        is_own = store.of_url(url) is not None
        upload = context().fetcher.fetch(url, allowed=allowed, owner=owner)
    except (
        FetchError,
        UnknownUpload,
        UploadDamaged,
        UploadNotAllowed,
        UploadTooLarge,
    ) as error:
        raise BadMember.of(member, f"= {url[:120]!r}: {error}") from error
    if not is_own:
        note_fetched(upload)
    return upload


def own_id(name: str) -> str | None:
    """Return the id of an upload from a name with or without a prefix; else None."""
    digits = name
    for prefix in PREFIXES:
        digits = digits.removeprefix(prefix)
    return digits if re.fullmatch("[0-9a-f]{32}", digits) else None
