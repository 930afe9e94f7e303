"""One file from a hub of the Hugging Face form, by huggingface_hub: goes on where it was cut off.

The library's own `hf_hub_download` throws away what a failed try has brought, so its parts are used
here: it asks for the file's facts and streams the bytes (with its retries and its progress bar)
into a `.part` file beside the target, which a later try continues. Nothing is sent that tells who
asks: the files are public.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from httpx2 import HTTPError, TransportError
from huggingface_hub.errors import (
    FileMetadataError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import get_hf_file_metadata, hf_hub_url, http_get
from tqdm import tqdm

from warm.engines.weights.digest import sha256_of
from warm.engines.weights.errors import (
    DownloadBusy,
    DownloadError,
    HubLacksFile,
    HubRefused,
    HubUnreachable,
    NoRoomForWeights,
    WeightsWrong,
)
from warm.engines.weights.manifest import Model, ModelFile

ANSWER_S = 10.0
"""How long the hub may think about a file's facts."""
SHA256_DIGITS = 64
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A file as the hub offers it."""

    model: Model
    file: ModelFile
    url: str
    """Where the bytes are: the hub itself or a storage that it points to."""
    etag: str
    """The hub's name for exactly these bytes; a SHA-256 for large files."""
    bytes: int | None

    @property
    def sha256(self) -> str | None:
        """What the bytes must add up to, by the manifest, else by the hub."""
        return self.file.sha256 or (self.etag if len(self.etag) == SHA256_DIGITS else None)

    def part_of(self, target: Path) -> Path:
        """Where unfinished bytes are kept: other bytes have another name."""
        return target.with_name(f".{target.name}.{self.etag[:16]}.part")


def ask(model: Model, file: ModelFile, *, endpoint: str) -> Offer:
    """The hub's facts about a file; raises DownloadError, and WeightsWrong for another size."""
    path = model.in_repo(file)
    url = hf_hub_url(model.repo, path, revision=model.revision, endpoint=endpoint)
    with explained(url, endpoint):
        facts = get_hf_file_metadata(url, token=False, timeout=ANSWER_S, endpoint=endpoint)
    if facts.etag is None:
        raise HubLacksFile(f"{url} is not served by a hub: the answer has no ETag. {advice()}")
    if file.bytes is not None and facts.size is not None and facts.size != file.bytes:
        raise WeightsWrong(
            f"{url} offers {facts.size} bytes; the official file has {file.bytes}. {advice()}"
        )
    return Offer(model=model, file=file, url=facts.location, etag=facts.etag, bytes=facts.size)


def fetch(offer: Offer, target: Path, *, endpoint: str) -> None:
    """Bring a file to `target`, whole and checked or not at all, with a progress bar.

    Raises DownloadError and WeightsWrong.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = offer.part_of(target)
    with explained(offer.url, endpoint), held(part) as file:
        have = file.seek(0, os.SEEK_END)
        if offer.bytes is None or have > offer.bytes:
            have = file.truncate(0)
        http_get(
            offer.url,
            file,
            resume_size=have,
            expected_size=offer.bytes,
            displayed_filename=f"{offer.model.folder}/{target.name}",
            tqdm_class=tqdm,
        )
        file.flush()
        os.fsync(file.fileno())
        require_digest(part, offer)
        part.replace(target)


@contextmanager
def held(part: Path) -> Iterator[BinaryIO]:
    """Open an unfinished file for one process alone; raises DownloadBusy."""
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadBusy(
                f"Another process is fetching {part.name}. Wait for it, or end it; then try again."
            ) from error
        yield file


def require_digest(part: Path, offer: Offer) -> None:
    """Throw a file away that came with other bytes than announced; raises WeightsWrong."""
    expected = offer.sha256
    if expected is None or (found := sha256_of(part)) == expected:
        return
    part.unlink()
    raise WeightsWrong(
        f"{offer.url} gave bytes with SHA-256 {found}, expected {expected}; they were thrown away. "
        f"{advice()}"
    )


@contextmanager
def explained(url: str, endpoint: str) -> Iterator[None]:
    """Turn what the library raises into one error a cause."""
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise HubUnreachable(
            f"{url} was not asked for: HF_HUB_OFFLINE forbids it. Unset it, or {OFFLINE}."
        ) from error
    except (RemoteEntryNotFoundError, RevisionNotFoundError) as error:
        raise HubLacksFile(f"{url} does not exist (404). {advice()}") from error
    except HfHubHTTPError as error:
        answered(url, error)
    except (TransportError, HTTPError) as error:
        raise HubUnreachable(
            f"{endpoint} cannot be reached, or broke off ({error or type(error).__name__}). Run the"
            f" same command again, it goes on from here; or name a mirror (models_endpoint); or"
            f" {OFFLINE}."
        ) from error
    except FileMetadataError as error:
        raise HubLacksFile(f"{url}: {error} {advice()}") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise NoRoomForWeights(
                f"The disk is full ({error.strerror}). Free some; the same command goes on there."
            ) from error
        raise DownloadError(f"{url}: {error}. Run the same command again.") from error


def answered(url: str, error: HfHubHTTPError) -> NoReturn:
    """An answer of the hub that is no file."""
    status = error.response.status_code if error.response is not None else 0
    if status in (401, 403):
        raise HubRefused(
            f"{url} wants a login ({status}). The files are public on https://huggingface.co: name "
            f"it or another mirror (models_endpoint), or {OFFLINE}."
        ) from error
    if status == 404:
        raise HubLacksFile(f"{url} does not exist (404). {advice()}") from error
    raise HubUnreachable(f"{url} was answered with status {status}. Try again later.") from error


OFFLINE = "copy the files from elsewhere and name their folder (models_source)"


def advice() -> str:
    """What to do where a hub has not the right file."""
    return f"Look at models_endpoint, or {OFFLINE}."
