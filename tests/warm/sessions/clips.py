"""Clips in the films of sessions, added as the render thread adds them."""

from pathlib import Path

import numpy as np

from session.fragmented.check import check_film
from warm.sessions.session import Session
from warm.sessions.sessions import Sessions


def bob(sessions: Sessions) -> Session:
    """Return the session `bob`."""
    return sessions.registry.lookup("bob")


def speak(sessions: Sessions, session: Session) -> Path:
    """Add a clip of four frames; return the path of the film."""
    session = sessions.films.open(session)
    avatar = sessions.films.acquire_avatar(session)
    assert session.film is not None
    clip = session.film.begin("Four frames.")
    clip.write(list(avatar.frames[:4]), np.zeros(4 * 1920, np.float32))
    clip.finish()
    sessions.films.release(session)
    return session.path


def complete_frames(path: Path) -> int:
    """Return the number of frames of a film without faults."""
    checked = check_film(path)
    assert checked.faults == []
    return checked.frames
