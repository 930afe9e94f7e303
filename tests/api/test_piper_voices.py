"""Voices in files, from `POST /speak` to the film."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import assemble
from session.media_file import open_media
from tests.tiny_face import running_runtime
from tests.tts.onnx_voices.tiny_voice import tiny_model, write_voice
from tts.catalogue import open_families
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.settings import Settings

pytestmark = pytest.mark.slow

ID = "piper:en_US-tiny-medium"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results, and the folder of the voices: a good one, and one that cannot be loaded."""
    folder = tmp_path_factory.mktemp("piper")
    write_voice(folder / "voices")
    write_voice(folder / "voices", "en_US-new-low").write_bytes(tiny_model(opset=99))
    write_voice(folder / "voices", "en_US-cut-low").write_bytes(tiny_model()[:-9])
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[FlaskClient]:
    results = folder / "results"
    settings = Settings(
        results_dir=results, avatar_id="tiny", voice=ID, voices_dir=folder / "voices"
    )
    families = open_families(voices_dir=settings.voices_folder)
    with (
        closing(VoiceRegistry(families)) as voices,
        running_runtime(settings, voices, folder) as runtime,
    ):
        yield assemble(settings, runtime, AvatarStore(results)).test_client()


def voice(client: FlaskClient, name: str) -> dict[str, object]:
    listed = client.get("/voices").get_json()["voices"]
    return next(each for each in listed if each["id"] == name)


def test_a_voice_in_files_speaks_into_the_film(client: FlaskClient, folder: Path) -> None:
    answer = client.post("/speak", json={"text": "Hello. " + "Mother bakes pies for Bob. " * 3})
    assert answer.status_code == 200, answer.get_json()
    assert answer.get_json()["voice"] == ID
    with open_media(str(folder / "results" / "full_session.mp4")) as film:
        loudest = max(abs(frame.to_ndarray()).max() for frame in film.decode(audio=0))
    assert loudest > 0.1


def test_voices_are_listed_with_the_faults_of_their_files(client: FlaskClient) -> None:
    good, cut = voice(client, ID), voice(client, "piper:en_US-cut-low")
    assert good["problem"] is None and good["knows_phonemes"] and good["streams"]
    assert "is truncated" in str(cut["problem"]) and cut["sample_url"] is None
    assert "pip install" in str(voice(client, "piper:en_US-joe-medium")["problem"])
    assert "voices fetch kokoro" in str(voice(client, "kokoro:af_bella")["problem"])


def test_a_bad_voice_is_an_error_and_others_go_on(client: FlaskClient) -> None:
    refused = client.post("/speak", json={"text": "Hello.", "voice": "piper:en_US-cut-low"})
    assert refused.status_code == 422 and "is truncated" in refused.get_json()["detail"]
    failed = client.post("/speak", json={"text": "Hello.", "voice": "piper:en_US-new-low"})
    assert failed.status_code == 503, "what a file lacks may show only when it is loaded"
    assert "cannot be loaded by onnxruntime" in failed.get_json()["detail"]
    again = client.post("/speak", json={"text": "Hello.", "voice": "piper:en_US-new-low"})
    assert again.status_code == 422
    assert client.post("/speak", json={"text": "Hello."}).status_code == 200


def test_a_path_is_no_name_of_a_voice(client: FlaskClient, folder: Path) -> None:
    write_voice(folder / "outside", "secret")
    for name in ("../outside/secret", str(folder / "outside" / "secret")):
        answer = client.post("/speak", json={"text": "Hello.", "voice": f"piper:{name}"})
        assert answer.status_code == 422
        assert "is not one of" in answer.get_json()["detail"]


def test_a_sample_of_a_voice_is_a_sound(client: FlaskClient) -> None:
    sample = client.get("/voices/sample", query_string={"voice": ID})
    assert sample.status_code == 200 and sample.data[:4] == b"RIFF"
    assert len(sample.data) > 20_000
