"""`GET events`: the growth of the films of a session."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from flask.testing import FlaskClient

from session.film import Cue
from tests.api.growing_films import EVENTS, growing_film, say, speak
from tests.tiny_face import HEIGHT, WIDTH
from warm.runtime import Runtime


class EventReader:
    """The events of one response, read while it grows."""

    def __init__(self, client: FlaskClient, query: str = "", **headers: str) -> None:
        self.answer = client.get(f"{EVENTS}{query}", headers=headers)
        assert self.answer.mimetype == "text/event-stream"
        self._chunks = self.answer.iter_encoded()
        assert next(self._chunks) == b"retry: 1000\n\n"

    def __enter__(self) -> "EventReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()

    def __iter__(self) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
        """Name, id and data."""
        for chunk in self._chunks:
            lines = dict(line.split(": ", 1) for line in chunk.decode().splitlines() if line)
            if "event" in lines:
                yield lines["event"], lines.get("id"), json.loads(lines["data"])


def test_events_report_the_film_its_fragments_and_its_end(
    client: FlaskClient, runtime: Runtime
) -> None:
    path = say(client)
    film = growing_film(runtime)
    with EventReader(client) as reader:
        ((name, event_id, hello),) = islice(reader, 1)
        assert name == "film"
        assert event_id == f"{film.film_id}:{path.stat().st_size}"
        assert hello == {
            "film": film.film_id,
            "url": f"/session/full_session.mp4?film={film.film_id}",
            "codecs": film.codecs,
            "width": WIDTH,
            "height": HEIGHT,
            "fps": 25,
            "init_bytes": film.init_bytes,
            "bytes": path.stat().st_size,
        }
        speak(film, 4)
        ((name, event_id, landed),) = islice(reader, 1)
        (last,) = film.fragments_since(hello["bytes"])
        assert (name, event_id) == ("fragment", f"{film.film_id}:{last.end}")
        assert (landed["offset"], landed["end"], landed["frames"]) == (last.offset, last.end, 4)
        assert landed["start_s"] == last.first_frame / 25
        assert client.get(hello["url"]).data[last.offset :] == path.read_bytes()[last.offset :]
        client.get("/reset")
        assert list(islice(reader, 1)) == [("reset", None, {"film": film.film_id})]
        say(client)
        ((name, _, second),) = islice(reader, 1)
        assert (name, second["film"]) == ("film", growing_film(runtime).film_id)
        assert next(iter(reader))[2]["offset"] == second["init_bytes"]


def test_a_client_that_reconnects_misses_nothing(client: FlaskClient, runtime: Runtime) -> None:
    say(client)
    film = growing_film(runtime)
    ends = [fragment.end for fragment in film.fragments_since(0)]
    last_id = {"Last-Event-ID": f"{film.film_id}:{ends[0]}"}
    with EventReader(client, **last_id) as reader:
        name, event_id, _ = next(iter(reader))
        assert (name, event_id) == ("film", f"{film.film_id}:{ends[0]}")
        assert [data["end"] for _, _, data in islice(reader, len(ends) - 1)] == ends[1:]
    client.get("/reset")
    say(client)
    with EventReader(client, **last_id) as reader:
        assert [name for name, *_ in islice(reader, 3)] == ["reset", "film", "fragment"]


def test_events_may_start_at_the_beginning_of_the_film(
    client: FlaskClient, runtime: Runtime
) -> None:
    say(client)
    fragments = growing_film(runtime).fragments_since(0)
    with EventReader(client, "?from=0") as reader:
        listed = [data for _, _, data in islice(reader, 1 + len(fragments))][1:]
    assert [data["offset"] for data in listed] == [each.offset for each in fragments]


def test_each_fragment_event_has_the_sentences_heard_in_it(
    client: FlaskClient, runtime: Runtime
) -> None:
    say(client)
    film = growing_film(runtime)
    first, start = film.committed.frames, film.committed.bytes
    one = Cue(text="One.", first_frame=first, frames=5)
    two = Cue(text="Two.", first_frame=first + 5, frames=6)
    speak(film, 4, 4, 4, cues=[one, two])
    with EventReader(client, f"?from={start}") as reader:
        fragments = [data for _, _, data in islice(reader, 4)][1:]
    seen = [
        [(cue["text"], cue["first_frame"] - first, cue["frames"]) for cue in data["cues"]]
        for data in fragments
    ]
    assert seen == [
        [("One.", 0, 4)],
        [("One.", 0, 5), ("Two.", 5, 3)],
        [("Two.", 5, 6)],
    ]
