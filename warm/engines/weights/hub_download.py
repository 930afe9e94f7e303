"""Resumable download of one file from a hub compatible with Hugging Face, with huggingface_hub.

Files of a release, which are not on a hub, are downloaded in the same way from their own address.

The library's own `hf_hub_download` discards the bytes of a failed attempt. Therefore its building
blocks are used here: they query the file's metadata and stream the bytes (with retries and a
progress bar) into a `.part` file next to the target, which a later attempt continues. No
credentials are sent: the files are public.
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
    DiskFull,
    DownloadBusy,
    HubLacksFile,
    HubRefused,
    HubUnreachable,
    WeightsDownloadError,
    WeightsMismatch,
)
from warm.engines.weights.manifest import Model, ModelFile

METADATA_TIMEOUT_S = 10.0
SHA256_DIGITS = 64
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """Metadata of a file on the hub."""

    model: Model
    file: ModelFile
    url: str
    """Location of the bytes: on the hub itself, or on a storage to which it redirects."""
    etag: str
    """The hub's identifier of exactly these bytes; a SHA-256 for large files."""
    bytes: int | None

    @property
    def sha256(self) -> str | None:
        """Expected digest: the manifest's, else the hub's."""
        return self.file.sha256 or (self.etag if len(self.etag) == SHA256_DIGITS else None)

    def partial_path(self, target: Path) -> Path:
        """Path of the incomplete file; its name depends on the expected bytes."""
        return target.with_name(f".{target.name}.{self.etag[:16]}.part")


def query_file(model: Model, file: ModelFile, *, endpoint: str) -> RemoteFile:
    """Query a file's metadata; for a release, it comes from the manifest.

    Raises WeightsDownloadError, and WeightsMismatch for a size other than the manifest's.
    """
    if model.release_url:
        return released_file(model, file)
    path = model.repo_path(file)
    url = hf_hub_url(model.repo, path, revision=model.revision, endpoint=endpoint)
    with translate_hub_errors(model, url, endpoint):
        metadata = get_hf_file_metadata(
            url, token=False, timeout=METADATA_TIMEOUT_S, endpoint=endpoint
        )
    if metadata.etag is None:
        raise HubLacksFile(
            f"{url} is not on a hub: the answer has no ETag. {endpoint_advice(model)}"
        )
    require_size(model, url, metadata.size, file)
    return RemoteFile(
        model=model, file=file, url=metadata.location, etag=metadata.etag, bytes=metadata.size
    )


def released_file(model: Model, file: ModelFile) -> RemoteFile:
    """Return the metadata of a file of a release, as pinned by the manifest."""
    assert file.sha256 is not None, file
    return RemoteFile(
        model=model,
        file=file,
        url=f"{model.release_url}{file.name}",
        etag=file.sha256,
        bytes=file.bytes,
    )


def require_size(model: Model, url: str, size: int | None, file: ModelFile) -> None:
    """Raise WeightsMismatch if the hub announces a size other than the manifest's."""
    if file.bytes is not None and size is not None and size != file.bytes:
        raise WeightsMismatch(
            f"{url} has {size} bytes; the official file has {file.bytes}. " + endpoint_advice(model)
        )


def fetch(remote_file: RemoteFile, target: Path, *, endpoint: str) -> None:
    """Download a file to `target`, complete and verified or not at all, with a progress bar.

    Raises WeightsDownloadError and WeightsMismatch.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = remote_file.partial_path(target)
    model = remote_file.model
    with translate_hub_errors(model, remote_file.url, endpoint), lock_partial_file(part) as file:
        present = file.seek(0, os.SEEK_END)
        if remote_file.bytes is None or present > remote_file.bytes:
            present = file.truncate(0)
        http_get(
            remote_file.url,
            file,
            resume_size=present,
            expected_size=remote_file.bytes,
            displayed_filename=f"{model.folder}/{target.name}",
            tqdm_class=tqdm,
        )
        file.flush()
        os.fsync(file.fileno())
        require_digest(part, remote_file)
        part.replace(target)


@contextmanager
def lock_partial_file(part: Path) -> Iterator[BinaryIO]:
    """Open an incomplete file exclusively for this process; raises DownloadBusy."""
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadBusy(
                f"Another process is downloading {part.name}. Wait until it has finished, or stop "
                "it; then try again."
            ) from error
        yield file


def endpoint_advice(model: Model) -> str:
    """Return the remedy for an endpoint that does not serve a file as expected."""
    first = "Try again later" if model.release_url else "Check models_endpoint"
    return f"{first}, or {model.offline_advice}."


def require_digest(part: Path, remote_file: RemoteFile) -> None:
    """Delete a file whose bytes differ from the announced ones; raises WeightsMismatch."""
    expected = remote_file.sha256
    if expected is None or (found := sha256_of(part)) == expected:
        return
    part.unlink()
    raise WeightsMismatch(
        f"{remote_file.url} returned bytes with SHA-256 {found}, expected {expected}; they were "
        f"deleted. {endpoint_advice(remote_file.model)}"
    )


@contextmanager
def translate_hub_errors(model: Model, url: str, endpoint: str) -> Iterator[None]:
    """Turn the library's errors into one error class per cause."""
    advice = model.offline_advice
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise HubUnreachable(
            f"{url} was not requested: HF_HUB_OFFLINE forbids it. Unset it, or {advice}."
        ) from error
    except (RemoteEntryNotFoundError, RevisionNotFoundError) as error:
        raise HubLacksFile(f"{url} does not exist (404). {endpoint_advice(model)}") from error
    except HfHubHTTPError as error:
        raise_for_status(model, url, error)
    except (TransportError, HTTPError) as error:
        raise HubUnreachable(
            f"{model.release_url or endpoint} cannot be reached, or broke the connection "
            f"({error or type(error).__name__}). Run the same command again: it resumes; or "
            f"{'' if model.release_url else 'set models_endpoint to a mirror; or '}{advice}."
        ) from error
    except FileMetadataError as error:
        raise HubLacksFile(f"{url}: {error} {endpoint_advice(model)}") from error
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise DiskFull(
                f"The disk is full ({error.strerror}). Free some space and run the same command "
                "again: it resumes."
            ) from error
        raise WeightsDownloadError(f"{url}: {error}. Run the same command again.") from error


def raise_for_status(model: Model, url: str, error: HfHubHTTPError) -> NoReturn:
    """Raise the error for an HTTP status other than success."""
    status = error.response.status_code if error.response is not None else 0
    if status in (401, 403) and not model.release_url:
        raise HubRefused(
            f"{url} requires a login ({status}). The files are public on https://huggingface.co: "
            f"set models_endpoint to it or to another mirror, or {model.offline_advice}."
        ) from error
    if status == 404:
        raise HubLacksFile(f"{url} does not exist (404). {endpoint_advice(model)}") from error
    raise HubUnreachable(f"{url} answered with status {status}. Try again later.") from error
