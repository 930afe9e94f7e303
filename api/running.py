"""What the application holds for its views."""

from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import cast

from flask import Flask, current_app

from warm.runtime import Runtime
from warm.settings import Settings
from warm.store import AvatarStore

EXTENSION = "warmtalk"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Running:
    """One server's parts."""

    settings: Settings
    runtime: Runtime
    avatars: AvatarStore
    watchers: BoundedSemaphore
    """One place a stream."""


def keep(app: Flask, running: Running) -> None:
    """Attach the parts to the application."""
    app.extensions[EXTENSION] = running


def running(app: Flask | None = None) -> Running:
    """The parts of `app`, or of the application that serves this request."""
    return cast(Running, (app or current_app).extensions[EXTENSION])
