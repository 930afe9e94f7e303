"""Answers contain no path from the root of the server's file system, unless the settings do."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import assemble
from tests.tiny_face import LoudnessEngine, running_runtime
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.settings import Settings

READ = (
    *("/session", "/sessions", "/archives", "/avatars", "/health", "/stats", "/voices"),
    *(
        "/sessions/no",
        "/session?session_id=a/b",
        "/session/export.mp4?film=no",
        "/archives/a/b.mp4",
    ),
    *("/avatars/none/idle.mp4", "/avatars/tiny/idle.mp4", "/avatars/../idle.mp4", "/web/none"),
    *("/session/full_session.mp4?film=no", "/session/live.m3u8", "/session/events?from=x"),
)


def texts(client: FlaskClient, results: Path) -> list[str]:
    """Answers to all that reads, speaks and fails."""
    sent = [
        client.post("/speak", json={"text": "Hello."}),
        client.post("/sessions", json={"session_id": "a", "avatar_id": "none"}),
        client.post("/speak", json={"text": "Hello.", "voice": "none"}),
        *(client.get(path) for path in READ),
        client.post("/reset", json={}),
        client.get("/archives"),
        client.post("/speak", json={"text": "Hello."}),
    ]
    (results / "full_session.mp4").unlink()
    sent += [client.post("/speak", json={"text": "Hello."}), client.get("/session")]
    broken = results / "avatars" / "broken"
    broken.mkdir(parents=True)
    (broken / "avatar.json").write_text("{}")
    sent += [client.get("/avatars"), client.post("/sessions", json={"avatar_id": "broken"})]
    found = [answer.get_data(as_text=True) for answer in sent if answer.mimetype != "video/mp4"]
    for answer in sent:
        answer.close()
    return found


def test_no_answer_contains_a_path_from_the_root(
    tmp_path: Path, voices: VoiceRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(results_dir=Path("results"), avatar_id="tiny", archive_on_reset=True)
    with running_runtime(settings, voices, tmp_path, engine=LoudnessEngine()) as runtime:
        client = assemble(settings, runtime, AvatarStore(settings.results_dir)).test_client()
        found = texts(client, Path("results"))
    root = Path(__file__).resolve().parents[2]
    assert [text for text in found if str(tmp_path) in text or str(root) in text] == []
    assert any('"video_path":"results/full_session.mp4"' in text for text in found)
