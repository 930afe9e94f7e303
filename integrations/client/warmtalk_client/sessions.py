"""Sessions and avatars of a server, by its HTTP API."""

import asyncio
import json
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from warmtalk_client.address import Address
from warmtalk_client.errors import ConnectionLost, ServerRefused

TIMEOUT_S = 15.0


async def ensure_session(address: Address, avatar_id: str | None = None) -> None:
    """Make the session unless it exists; raises ServerRefused and ConnectionLost.

    `avatar_id` is the face of a new session; one that exists with another face is refused.
    """
    body = {"session_id": address.session_id}
    if avatar_id is not None:
        body["avatar_id"] = avatar_id
    try:
        await call(address, "POST", "/sessions", body)
    except ServerRefused as refused:
        if refused.status != HTTPStatus.CONFLICT or not await _has_face(address, avatar_id):
            raise


async def _has_face(address: Address, avatar_id: str | None) -> bool:
    """True if the session exists, and has this face."""
    state = await call(address, "GET", f"/session?session_id={quote(address.session_id)}")
    return avatar_id is None or state["avatar_id"] == avatar_id


async def frame_size(address: Address, avatar_id: str | None = None) -> tuple[int, int]:
    """Return width and height of the pictures of a session, or of an avatar."""
    if avatar_id is None:
        state = await call(address, "GET", f"/session?session_id={quote(address.session_id)}")
        avatar_id = str(state["avatar_id"])
    avatar = await call(address, "GET", f"/avatars/{quote(avatar_id, safe='')}")
    return int(avatar["width"]), int(avatar["height"])


async def call(address: Address, method: str, path: str, body: object = None) -> Any:
    """Send a request and return the JSON of its answer."""
    return await asyncio.to_thread(_call, address, method, path, body)


def _call(address: Address, method: str, path: str, body: object) -> Any:
    request = Request(address.http(path), method=method, headers=address.headers)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except HTTPError as error:
        raise ServerRefused(error.code, _detail(error)) from None
    except (URLError, OSError, ValueError) as error:
        raise ConnectionLost(f"{address.url}: cannot be reached ({error})") from error


def _detail(error: HTTPError) -> str:
    with error:
        try:
            problem = json.load(error)
            return str(problem.get("detail") or problem.get("description") or problem)
        except (ValueError, AttributeError):
            return str(error.reason)
