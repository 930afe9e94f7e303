"""`/images`: pictures of faces."""

from typing import Annotated, Any

from api.answers.did import ImageAnswer
from api.caller import caller
from api.context import context
from api.did.errors import did_blueprint
from api.did.sources import own_id
from api.forms import FilePart, Form, read_form
from api.heads.upload_copies import remove_everywhere
from api.operation import operation
from api.serializers import absolute_url
from warm.uploads.errors import UnknownUpload
from warm.uploads.upload import Upload

PREFIX = "img_"

images = did_blueprint("images")


class ImageForm(Form):
    """The body of `POST /images`."""

    image: Annotated[Upload, FilePart("picture", "video", url="url")]
    """A JPEG, PNG or WebP picture, or a video."""
    detect_faces: bool = False
    """No effect: the face is looked for when the film is made."""
    filename: str | None = None
    """No effect."""
    persist: str | None = None
    """No effect."""


@images.post("/images", strict_slashes=False)
@operation(form=ImageForm, answers={201: ImageAnswer}, tag="did", scope="speak")
def receive() -> tuple[dict[str, Any], int]:
    """Store a picture; `url` is the `source_url` of later talks."""
    upload = read_form(ImageForm).image
    url = absolute_url(context().uploads.url_path(upload))
    return {"url": url, "id": f"{PREFIX}{upload.id}"}, 201


@images.delete("/images/<image_id>", strict_slashes=False)
@operation(answers={204: ""}, problems=(409,), tag="did", scope="speak")
def delete(image_id: str) -> tuple[str, int]:
    """Delete a picture that no job uses."""
    delete_upload(image_id)
    return "", 204


def delete_upload(name: str) -> None:
    """Delete a file of the caller; raises UnknownUpload and UploadInUse."""
    upload_id = own_id(name)
    if upload_id is None:
        raise UnknownUpload(name)
    upload = context().uploads.get(upload_id)
    if not caller().owns(upload.owner):
        raise UnknownUpload(name)
    remove_everywhere(upload_id)
