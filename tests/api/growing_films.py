"""Clips in growing films, and requests that wait for them."""

import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from session.film import Cue
from session.fragmented.writer import FilmWriter
from tests.sessions import film_of
from tests.tiny_face import HEIGHT, WIDTH
from warm.runtime import Runtime

LIVE, EVENTS = "/session/live.m3u8", "/session/events"


def later(
    threads: ThreadPoolExecutor, app: Flask, url: str, **headers: str
) -> Future[TestResponse]:
    """Send a request on another thread, which reads the whole response."""

    def get() -> TestResponse:
        answer = app.test_client().get(url, headers=headers)
        answer.get_data()
        return answer

    return threads.submit(get)


def say(client: FlaskClient, text: str = "Hello.", **more: object) -> Path:
    answer = client.post("/speak", json={"text": text, **more})
    assert answer.status_code == 200
    return Path(answer.get_json()["video_path"])


def growing_film(runtime: Runtime) -> FilmWriter:
    film = film_of(runtime)
    assert isinstance(film, FilmWriter)
    return film


def speak(film: FilmWriter, *counts: int, cues: Sequence[Cue] = ()) -> None:
    """Add a clip of fragments with these numbers of frames, as the render thread does."""
    clip = film.begin("a clip")
    for count in counts:
        here = film.committed.frames
        pictures = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * count
        begun = [cue for cue in cues if here <= cue.first_frame < here + count]
        clip.write(pictures, np.zeros(count * film.spec.samples_per_frame, np.float32), begun)
    clip.finish()


def status_of(answer: TestResponse) -> int:
    """Return the status of an error; check its form."""
    assert answer.mimetype == "application/problem+json"
    assert json.loads(answer.text)["status"] == answer.status_code
    return answer.status_code
