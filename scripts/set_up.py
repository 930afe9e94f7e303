"""Make the checkout ready to run: virtual environment, pinned packages, face models, and the
libraries of the pages.

Uses the standard library only, because it runs before anything is installed. A step is recorded
only after it succeeded, so an interrupted set-up continues where it stopped, and a finished one
takes a fraction of a second.
"""

from __future__ import annotations  # so that an older Python reaches `check_python`

import argparse
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

OTHER_USER = (
    "set-up: {} cannot be used by this user: another user made the checkout, and keeps it"
    " private (umask 077). Clone the repository yourself, or have its owner run"
    " `chmod -R a+rX .` in it, and then `make setup`."
)

if not os.access(ROOT / "warm" / "face" / "download.py", os.R_OK):
    sys.exit(OTHER_USER.format(ROOT / "warm"))

from warm.face import download as face_models  # noqa: E402
from warm.pinned_files import (  # noqa: E402
    DownloadError,
    missing_files,
    require_digest,
    unpack_tar,
    write_atomically,
)

OLDEST_PYTHON = (3, 11)

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds without CUDA: 190 MB instead of several GB."""
PROBE_TIMEOUT_S = 5.0

TEST_REQUIREMENTS = "requirements-dev.txt"
TEST_MODELS_S = 300.0
"""Limit for the download of the models that tests use; the next set-up resumes it."""

PIP_WHEEL = (
    "https://files.pythonhosted.org/packages/07/25/"
    "ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/pip-26.3-py3-none-any.whl"
)
PIP_WHEEL_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


class NpmPackage(NamedTuple):
    """Files of an npm package that the server's pages load."""

    name: str
    """Name and version, as npm expects them."""
    purpose: str
    archive_sha256: str
    files: dict[str, str]
    """Path of each file in the archive, and its SHA-256."""
    folder: str
    """Folder for them below `web/vendor`; empty for that folder itself."""
    without: str
    """For the user: the effect of leaving it out."""


PLAYER = NpmPackage(
    name="hls.js@1.7.4",
    purpose="for the page (Apache-2.0)",
    archive_sha256="e4ab3d5d13f7cca9ef241d098f39686e19fd451831ba07dc9943482fd5ff75c7",
    files={
        "package/dist/hls.light.min.js": (
            "482cccb3a224554f64d8c2cf0d335dba4a3819bdb726afbfddfe15de4c277d82"
        ),
        "package/LICENSE": "ca8773cf798c7ed997d4dd7c8e23c348699f8d5b7462636694cc14de6cda12db",
    },
    folder="",
    without=(
        "The page works in browsers with Media Source Extensions (Chrome, Firefox, Edge, Safari);"
        " only its second player, HLS with hls.js, is missing."
    ),
)
VIEWER = NpmPackage(
    name="swagger-ui-dist@5.35.0",
    purpose="for the page /docs (Apache-2.0)",
    archive_sha256="1b8e891893404ea4c3558b6a87e2a3e494e7eedba41168c2ece5800a391a6ea6",
    files={
        "package/swagger-ui-bundle.js": (
            "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2"
        ),
        "package/swagger-ui-bundle.js.LICENSE.txt": (
            "37eb6e7e59aed57b2c1acf076574b818ea07b74265717e0bd67b59e0baf9abbb"
        ),
        "package/swagger-ui.css": (
            "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d"
        ),
        "package/LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
        "package/NOTICE": "0d20d1adef18aee3f40dd258172155521ce702ac445cb5f7b7d60ed32dad2fb2",
    },
    folder="swagger-ui",
    without="The page /docs has no viewer; /openapi.json, which it would show, is complete.",
)
LISTENER = NpmPackage(
    name="@ricky0123/vad-web@0.0.31",
    purpose="for hands-free listening in the page (its network: Silero VAD, MIT)",
    archive_sha256="d1a211cf1a2ed26297da52cc08de79e75d79838a274bfc6de546feb1f828c940",
    files={
        "package/dist/silero_vad_v6.onnx": (
            "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"
        ),
    },
    folder="silero",
    without="The page has no hands-free listening; its push-to-talk button works.",
)

if TYPE_CHECKING:
    Command = Sequence[str | Path]


class SetUpError(Exception):
    """The set-up cannot continue; the message names the next step."""


def report(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)  # noqa: T201


def check_python(version: tuple[int, ...] = sys.version_info[:2]) -> None:
    """Raise SetUpError when this interpreter is too old for the pinned packages."""
    if version < OLDEST_PYTHON:
        raise SetUpError(
            "Python {}.{} is too old: Warmtalk needs 3.11 or newer. Choose another interpreter, "
            "for example `make run PYTHON=python3.11`.".format(*version)
        )


@contextmanager
def exclusive_lock() -> Iterator[None]:
    """Let one set-up of this checkout run at a time; a second one waits."""
    with Path(__file__).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("Waiting for another set-up of this checkout to finish …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(command: Command, failure: str) -> None:
    """Run a command without standard input; raises SetUpError(failure)."""
    environment = {**os.environ, **face_models.PIP_ENVIRONMENT}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment, check=False)
    if done.returncode != 0:
        raise SetUpError(failure)


# --- the virtual environment


def environment_works(python: Path) -> bool:
    """Return True if a virtual environment's interpreter starts and its pip is complete."""
    incomplete = [info.name for info in incomplete_packages(python.parents[1])]
    if not python.exists() or any(name.startswith("pip-") for name in incomplete):
        return False
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0


def make_environment(folder: Path) -> None:
    """Create a virtual environment with pip, even if Debian's python3-venv is not installed."""
    shutil.rmtree(folder, ignore_errors=True)
    if importlib.util.find_spec("ensurepip"):
        command: Command = [sys.executable, "-m", "venv", folder]
        run(command, "Python's venv module failed; its message is above.")
        return
    report("  This Python has no ensurepip (Debian: package python3-venv). Downloading pip …")
    command = [sys.executable, "-m", "venv", "--without-pip", folder]
    run(
        command, "Python's venv module failed. As root: `apt install python3-venv`; then try again."
    )
    with tempfile.TemporaryDirectory() as scratch:
        wheel = fetch_pip(Path(scratch))
        bootstrap: Command = [
            folder / "bin" / "python",
            wheel / "pip",
            "install",
            "--no-index",
            wheel,
        ]
        run(bootstrap, "pip cannot install itself; its message is above.")


def fetch_pip(folder: Path) -> Path:
    """Download pip's wheel from PyPI; raises SetUpError and DownloadError."""
    wheel = folder / PIP_WHEEL.rpartition("/")[2]
    try:
        with urllib.request.urlopen(PIP_WHEEL, timeout=60) as answer:
            content: bytes = answer.read()
    except OSError as error:
        raise SetUpError(
            f"{PIP_WHEEL} cannot be downloaded ({error}). As root: `apt install python3-venv`; "
            "then try again."
        ) from error
    require_digest(hashlib.sha256(content).hexdigest(), PIP_WHEEL_SHA256, wheel.name)
    wheel.write_bytes(content)
    return wheel


# --- packages


def requirement_lines(path: Path) -> list[str]:
    """The requirements in a file and in the files it includes, without comments."""
    lines = []
    for line in path.read_text("utf-8").splitlines():
        bare = line.partition(" #")[0].strip()
        if bare.startswith("-r "):
            lines += requirement_lines(path.parent / bare[3:].strip())
        elif bare and not bare.startswith("#"):
            lines.append(bare)
    return lines


def packages_digest(requirements: Path) -> str:
    """Digest of all requirements, recorded once they are installed."""
    return hashlib.sha256("\n".join(requirement_lines(requirements)).encode()).hexdigest()


def incomplete_packages(environment: Path) -> list[Path]:
    """The dist-info folders of packages whose installation was interrupted.

    pip writes RECORD last, with a row for its own INSTALLER file. A package without that row is
    unpacked only in part, but pip would count it as installed.
    """
    infos = environment.glob("lib/python*/site-packages/*.dist-info")
    return [info for info in infos if not is_recorded(info)]


def is_recorded(info: Path) -> bool:
    """Return True if a package's RECORD is complete."""
    record = info / "RECORD"
    return record.is_file() and f"{info.name}/INSTALLER," in record.read_text("utf-8")


def has_nvidia_gpu() -> bool:
    """Return True if an NVIDIA driver is loaded, here or on the Windows host of WSL."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/dxg").exists()


def is_reachable(url: str) -> bool:
    """Return True if a web address answers within PROBE_TIMEOUT_S."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S):
            return True
    except (urllib.error.URLError, OSError):
        return False


def torch_index(choice: str) -> str | None:
    """The package index for PyTorch; None stands for the default registry.

    `choice` is `auto` (the build without CUDA if there is no NVIDIA GPU and PyTorch's index can be
    reached), `cpu` or `registry`.
    """
    if choice == "registry" or (choice == "auto" and has_nvidia_gpu()):
        return None
    if choice == "cpu" or is_reachable(f"{TORCH_CPU_INDEX}/torch/"):
        return TORCH_CPU_INDEX
    report(
        f"  {TORCH_CPU_INDEX} cannot be reached. PyTorch is installed from the package registry "
        "instead, possibly with several GB of CUDA libraries."
    )
    return None


def install_packages(environment: Path, requirements: Path, torch: str) -> None:
    """Install the pinned packages; raises SetUpError."""
    pip: Command = [environment / "bin" / "python", "-m", "pip", "install"]
    failure = "pip failed; its message is above. Run the same command again to continue."
    for info in incomplete_packages(environment):
        report(f"  {info.name.removesuffix('.dist-info')} is incomplete and is installed again.")
        shutil.rmtree(info)
    pinned_torch = [line for line in requirement_lines(requirements) if line.startswith("torch==")]
    needs_torch = pinned_torch and not installed(environment, "torch")
    index = torch_index(torch) if needs_torch else None
    if index:
        # Only torch: the index also mirrors other packages, which must come from the registry.
        run([*pip, "--no-deps", "--index-url", index, *pinned_torch], failure)
    run([*pip, "-r", requirements], failure)


def installed(environment: Path, name: str) -> bool:
    """Return True if the environment has a package of that name."""
    return any(environment.glob(f"lib/python*/site-packages/{name}-*.dist-info"))


# --- packages of the pages


def fetch_package(package: NpmPackage, vendor: Path, *, is_new: bool) -> None:
    """Fetch a package if npm can; the server works without it. Raises DownloadError for a changed
    package. `is_new`: this set-up has installed something, so it also reports a missing npm."""
    folder = vendor / package.folder
    if not missing_files(folder, package.files):
        return
    if shutil.which("npm") is None:
        if is_new:
            report(f"  npm is not installed: {package.name} is left out. {package.without}")
        return
    report(f"[4/4] Downloading {package.name} {package.purpose}")
    with tempfile.TemporaryDirectory() as scratch:
        archive = pack(package.name, Path(scratch))
        if archive is None:
            report(f"  npm failed: left out until the next set-up. {package.without}")
            return
        unpack_tar(archive, package.archive_sha256, package.files, folder)


def pack(name: str, folder: Path) -> Path | None:
    """The archive of an npm package, downloaded to `folder`; None if npm cannot get it."""
    command: Command = ["npm", "pack", "--silent", "--fetch-retries=0", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    archives = list(folder.glob("*.tgz"))
    return archives[0] if done.returncode == 0 and len(archives) == 1 else None


# --- models of the tests


def fetch_test_models(models: Path) -> None:
    """Fetch the models that tests use. Without one of them, its tests are skipped."""
    from chat.embedded.pins import SMOLLM2  # noqa: PLC0415 - needs Python 3.11
    from stt import pins as recognisers  # noqa: PLC0415
    from wheels.errors import FetchError  # noqa: PLC0415
    from wheels.fetch import FetchOptions, fetch_wheels, missing_wheels  # noqa: PLC0415

    deadline_s = time.monotonic() + TEST_MODELS_S
    options = FetchOptions(is_cancelled=lambda: time.monotonic() > deadline_s)
    heard = [(recognisers.FOLDER, wheel) for wheel in recognisers.MOONSHINE.wheels]
    for name, wheel in (("chat", SMOLLM2.wheel), *heard):
        if not missing_wheels([wheel], models / name):
            continue
        report(f"Downloading {wheel.requirement} for the tests ({wheel.size_bytes / 1e6:.0f} MB)")
        try:
            fetch_wheels([wheel], models / name, options)
        except FetchError as error:
            report(f"  Left out; the tests that need it are skipped. {error}")


# --- the whole set-up


def set_up(root: Path, requirements: str, torch: str, models_dir: Path | None = None) -> None:
    """Run the steps that are not done yet; raises SetUpError and DownloadError."""
    environment, models = root / ".venv", (models_dir or root / "models") / "face"
    is_new = set_up_packages(environment, root / requirements, torch)
    if face_models.missing_face_models(models):
        report(f"[3/4] Downloading the face models from {face_models.PACKAGE} (Apache-2.0)")
        face_models.download_face_models(models, python=environment / "bin" / "python")
    for package in (PLAYER, VIEWER, LISTENER):
        fetch_package(package, root / "web" / "vendor", is_new=is_new)
    if requirements == TEST_REQUIREMENTS:
        fetch_test_models(models.parent)


def set_up_packages(environment: Path, requirements: Path, torch: str) -> bool:
    """Bring the virtual environment up to date; False if it already was. Raises SetUpError."""
    python = environment / "bin" / "python"
    stamp = environment / f".installed-{re.sub(r'[^a-z-]', '', requirements.name)}"
    wanted = packages_digest(requirements)
    if stamp.is_file() and stamp.read_text("utf-8") == wanted and python.exists():
        return False
    if not environment_works(python):
        report("[1/4] Creating the virtual environment .venv")
        make_environment(environment)
    report(f"[2/4] Installing the packages in {requirements.name} (the first time takes minutes)")
    install_packages(environment, requirements, torch)
    write_atomically(stamp, wanted.encode())
    return True


def exit_with(message: str, code: int) -> NoReturn:
    """Print an error and exit."""
    sys.stderr.write(f"set-up: {message}\n")
    sys.exit(code)


def main() -> None:
    """Parse the command line and set up."""
    parser = argparse.ArgumentParser(description="Make the checkout ready to run.")
    parser.add_argument("--requirements", default="requirements.txt")
    parser.add_argument("--torch", choices=("auto", "cpu", "registry"), default="auto")
    parser.add_argument("--models", type=Path, help="folder of the models (the setting models_dir)")
    arguments = parser.parse_args()
    try:
        check_python()
        with exclusive_lock():
            set_up(ROOT, arguments.requirements, arguments.torch, arguments.models)
    except (SetUpError, DownloadError) as error:
        exit_with(str(error), 1)
    except PermissionError as error:
        sys.exit(OTHER_USER.format(error.filename))
    except KeyboardInterrupt:
        exit_with("interrupted. Run the same command again to continue.", 130)


if __name__ == "__main__":
    main()
