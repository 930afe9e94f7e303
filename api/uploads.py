"""`POST /uploads`: files of clients, which later requests name by their address."""

from contextlib import ExitStack
from typing import Annotated, ClassVar

from flask import Blueprint, Response, send_file

from api.answers.uploads import UploadAnswer
from api.caller import caller
from api.context import context
from api.forms import FilePart, Form, read_form
from api.heads.upload_copies import remove_everywhere
from api.operation import operation
from api.serializers import absolute_url
from api.viewers import download_slot
from warm.uploads.errors import UnknownUpload
from warm.uploads.upload import Upload

uploads = Blueprint("uploads", __name__)

FILE_POLICY = "sandbox; default-src 'none'; media-src 'self'; img-src 'self'; style-src 'none'"
"""Content security policy of a stored file: a browser shows it, but runs nothing in it."""
FILE = "*/*"


class UploadForm(Form):
    """The body of `POST /uploads`: a multipart field `file`, or the file itself."""

    takes_raw: ClassVar[bool] = True

    file: Annotated[Upload, FilePart("picture", "video", "sound", url="url")]
    """A picture, a video or a sound."""


@uploads.post("/uploads")
@operation(form=UploadForm, answers={201: UploadAnswer}, tag="uploads", scope="speak")
def receive() -> tuple[dict[str, object], int]:
    """Store a file; answers when it is on disk."""
    upload = read_form(UploadForm).file
    url = absolute_url(context().uploads.url_path(upload))
    return UploadAnswer.of(upload, url).model_dump(), 201


@uploads.get("/uploads/<name>")
@operation(
    answers={200: FILE, 206: FILE},
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    problems=(416,),
    tag="uploads",
    scope="public",
)
def download(name: str) -> Response:
    """A stored file, or a range of its bytes. Its address is unguessable, so no key is needed."""
    upload = find(name)
    with ExitStack() as held:
        held.enter_context(download_slot())
        try:
            response = send_file(
                upload.path.resolve(),
                upload.media_type,
                conditional=True,
                etag=upload.sha256,
                max_age=0,
                download_name=f"{upload.id}{upload.suffix}",
            )
        except FileNotFoundError:
            raise UnknownUpload(upload.id) from None
        response.direct_passthrough = False  # else its end would not be noticed
        response.call_on_close(held.pop_all().close)
    response.headers["Content-Security-Policy"] = FILE_POLICY
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@uploads.delete("/uploads/<name>")
@operation(answers={204: ""}, problems=(409,), tag="uploads", scope="speak")
def delete(name: str) -> tuple[str, int]:
    """Delete a stored file permanently."""
    upload = find(name)
    if not caller().owns(upload.owner):
        raise UnknownUpload(upload.id)
    remove_everywhere(upload.id)
    return "", 204


def find(name: str) -> Upload:
    """Return the upload with this id, with or without its suffix; raises UnknownUpload."""
    upload_id, dot, suffix = name.partition(".")
    upload = context().uploads.get(upload_id)
    if dot and f".{suffix}" != upload.suffix:
        raise UnknownUpload(name)
    return upload
