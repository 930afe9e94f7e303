"""Handler of jobs of kind `prepare`, and the face that a running one has found."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from warm.avatars.recipe import EnhanceMethod, Teeth
from warm.jobs.job import Job
from warm.jobs.progress import JobProgress
from warm.prepare.action.source import ActionSource
from warm.preparer.options import PrepareOptions
from warm.preparer.preparer import Preparer
from warm.preparer.seen_face import SeenFace
from warm.uploads.store import UploadStore

FACE_FACTS, FACE_PICTURE = "face.json", "face.jpg"
"""Files in the folder of a job."""


class PrepareRequest(BaseModel):
    """Request for an avatar. `model_dump` and `model_validate` preserve it in JSON."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    avatar_id: str
    upload: str | None
    """Id of the uploaded photo or video; None: actions are added to an avatar that exists."""
    actions: dict[str, str] = {}
    """Ids of the uploaded videos of actions, by their names."""
    bbox_shift: int | None = None
    teeth: Teeth | None = None
    background: str | None = None
    """Colour behind the person, `#rrggbb`."""
    background_upload: str | None = None
    """Id of the uploaded picture behind the person."""
    enhance: EnhanceMethod | None = None
    force: bool = False


class PrepareHandler:
    """Prepares the avatars of jobs."""

    kind = "prepare"

    def __init__(self, preparer: Preparer, uploads: UploadStore) -> None:
        self._preparer, self._uploads = preparer, uploads

    def run(self, job: Job, progress: JobProgress) -> dict[str, Any]:
        """Prepare the avatar; raises the errors of `Preparer.prepare`, and UnknownUpload."""
        request = PrepareRequest.model_validate(job.request)

        def is_cancelled() -> bool:
            progress.check()
            return False

        with ExitStack() as held:
            hold = self._uploads.hold
            upload = held.enter_context(hold(request.upload)) if request.upload else None
            films = {name: held.enter_context(hold(id_)) for name, id_ in request.actions.items()}
            background = request.background
            if request.background_upload is not None:
                picture = held.enter_context(self._uploads.hold(request.background_upload))
                background = str(picture.path)
            options = PrepareOptions(
                bbox_shift=request.bbox_shift,
                teeth=request.teeth,
                background=background,
                enhance=request.enhance,
                force=request.force,
                source_name=upload.name if upload is not None and upload.name else "the file",
                actions=tuple(
                    ActionSource(name=name, path=film.path, source_name=film.name or "the file")
                    for name, film in films.items()
                ),
            )
            summary = self._preparer.prepare(
                None if upload is None else upload.path,
                request.avatar_id,
                options,
                progress.report,
                is_cancelled,
                on_face=lambda face: write_face(progress.folder, face),
            )
        return {"avatar_id": summary.id, "digest": summary.digest, "bytes": summary.bytes}


def write_face(folder: Path, face: SeenFace) -> None:
    """Write a face into the folder of a job; each file is replaced atomically."""
    facts = {"size": face.size, "box": face.box, "landmarks": face.landmarks}
    replace_file(folder / FACE_FACTS, json.dumps(facts).encode())
    replace_file(folder / FACE_PICTURE, face.jpeg)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    temporary = path.with_suffix(".part")
    temporary.write_bytes(content)
    temporary.replace(path)


def read_face(folder: Path) -> dict[str, Any] | None:
    """Return the JSON of the face that a preparation has found; None without one."""
    content = read_file(folder / FACE_FACTS)
    return None if content is None else json.loads(content)


def read_face_picture(folder: Path) -> bytes | None:
    """Return the JPEG of the face that a preparation has found; None without one."""
    return read_file(folder / FACE_PICTURE)


def read_file(path: Path) -> bytes | None:
    """Return the content of a file; None if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
