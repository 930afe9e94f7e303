"""`/audios`: sounds that are spoken in place of a text."""

from typing import Annotated, Any

from api.answers.did import AudioAnswer
from api.context import context
from api.did.errors import did_blueprint
from api.did.images import delete_upload
from api.forms import FilePart, Form, read_form
from api.operation import operation
from api.serializers import absolute_url
from warm.uploads.upload import Upload

PREFIX = "aud_"

audios = did_blueprint("audios")


class AudioForm(Form):
    """The body of `POST /audios`."""

    audio: Annotated[Upload, FilePart("sound", url="url")]
    """A WAV, MP3, M4A, OGG, FLAC or WebM file, or the sound of an MP4."""
    filename: str | None = None
    """No effect."""
    persist: str | None = None
    """No effect."""


@audios.post("/audios", strict_slashes=False)
@operation(form=AudioForm, answers={201: AudioAnswer}, tag="did", scope="speak")
def receive() -> tuple[dict[str, Any], int]:
    """Store a sound; `url` is the `audio_url` of later scripts."""
    upload = read_form(AudioForm).audio
    duration_s = upload.facts.get("duration_s")
    answer = {
        "url": absolute_url(context().uploads.url_path(upload)),
        "id": f"{PREFIX}{upload.id}",
        "duration": None if duration_s is None else round(float(duration_s), 3),
    }
    return answer, 201


@audios.delete("/audios/<audio_id>", strict_slashes=False)
@operation(answers={204: ""}, problems=(409,), tag="did", scope="speak")
def delete(audio_id: str) -> tuple[str, int]:
    """Delete a sound that no job uses."""
    delete_upload(audio_id)
    return "", 204
