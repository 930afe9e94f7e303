"""Avatars in memory: evicted beyond the budget, and loaded again."""

from collections.abc import Callable

from flask.testing import FlaskClient

from api.context import context
from tests.api.sessions.clients import MB, Clock, CountingEngine, make, problem, save, say
from tests.sessions import session_of
from warm.avatars.store import AvatarStore


def test_avatars_are_evicted_beyond_the_memory_budget_except_those_in_use(
    serve: Callable[..., FlaskClient], store: AvatarStore, engine: CountingEngine
) -> None:
    for number, name in enumerate(("a", "b", "c")):
        save(store, name, grey=80 + 20 * number)
    client = serve(max_avatars_mb=0.55)  # the pinned one has 0.29, each other one 0.22
    for name in ("a", "b", "a"):
        make(client, session_id=name, avatar_id=name)
        assert engine.warm == ["tiny", name]
    for name in ("a", "b"):
        say(client, name)
    reply = client.get("/stats").get_json()["cache"]
    assert engine.warm == ["tiny", "b"]
    assert set(reply["avatars"]) == {"tiny", "b"}
    assert (reply["hits"], reply["misses"], reply["evictions"]) == (1, 1, 3)
    assert reply["bytes"] < reply["max_bytes"] == 0.55 * MB
    make(client, session_id="c", avatar_id="c")
    assert engine.warm == ["tiny", "c"]
    runtime = context(client.application).runtime
    jobs = [
        runtime.speak(session_of(runtime, n), "Hello there. " * 8, runtime.choose()) for n in "bc"
    ]
    assert [job.result().clip.index for job in jobs] == [1, 0]
    assert len(engine.warm) == 2


def test_an_unused_avatar_is_evicted_after_its_ttl_and_loaded_again(
    serve: Callable[..., FlaskClient], store: AvatarStore, engine: CountingEngine
) -> None:
    save(store, "tall")
    clock = Clock()
    client = serve(clock=clock, avatar_ttl_s=60)
    make(client, session_id="bob", avatar_id="tall")
    assert engine.warm == ["tiny", "tall"]
    clock.now_s += 61
    make(client, session_id="any")  # the render thread evicts between two commands
    make(client, session_id="any")
    assert engine.warm == ["tiny"]
    say(client, "bob")
    assert engine.warm == ["tiny", "tall"]


def test_unused_avatars_are_evicted_if_the_device_is_out_of_memory(
    client: FlaskClient, store: AvatarStore, engine: CountingEngine
) -> None:
    for name in ("a", "b"):
        save(store, name)
    engine.room = 2
    for name in ("a", "b"):
        make(client, session_id=name, avatar_id=name)
        assert engine.warm == ["tiny", name]
    assert say(client, "a")["clip"]["index"] == 0
    engine.room = 1
    assert client.get("/reset?session_id=b").status_code == 200
    refused = client.post("/speak", json={"text": "Hello.", "session_id": "b"})
    problem(refused, 503, "no memory for one more avatar")
    assert engine.warm == ["tiny"]
    assert say(client, "other")["clip"]["index"] == 0
