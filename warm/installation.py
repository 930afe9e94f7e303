"""The installation of Warmtalk: files that come with it, and the command that runs it.

In a checkout the files are next to the packages; in an installed wheel they are in `warm/shipped`,
where setup.py puts them.
"""

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
COMMAND = "warmtalk"


def is_installed() -> bool:
    """Return True for an installed wheel, False for a checkout."""
    return (PACKAGE / "shipped").exists()


def shipped(name: str) -> Path:
    """The path of the shipped file or folder `name`: `web`, `configs/live.yaml`."""
    return (PACKAGE / "shipped" if is_installed() else PACKAGE.parent) / name


def is_image() -> bool:
    """Return True in an image for containers, whose packages cannot be added at run time."""
    return shipped("included").is_dir()


def default_face_models() -> Path:
    """The folder of the face models, for programs that do not read the settings.

    An image includes it; otherwise it is in the models folder of the checkout or the working
    directory.
    """
    included = shipped("included") / "models" / "face"
    if included.is_dir():
        return included
    return (Path() if is_installed() else PACKAGE.parent) / "models" / "face"


def own_command(*words: str | Path) -> str:
    """A command of Warmtalk for the user to type, such as `warmtalk models list`.

    It starts in the same way as this process: with `warmtalk`, otherwise with `python -m warm`.
    """
    program = COMMAND if Path(sys.argv[0]).name == COMMAND else "python -m warm"
    return f"{program} {shlex.join(map(str, words))}"


class PackageMissing(RuntimeError):
    """A package that a part of Warmtalk needs is not installed."""


RAY_PACKAGES = ("ray",)
"""In requirements-ray.txt, which the extra `warmtalk[ray]` installs."""
NEURAL_PACKAGES = ("torch", "diffusers", "transformers", "safetensors")
DOWNLOAD_PACKAGES = ("huggingface_hub", "httpx2")
"""All in requirements-musetalk.txt, which the extra `warmtalk[musetalk]` installs."""
DOWNLOAD_REQUIREMENTS = "huggingface_hub==2.4.0 httpx2==2.16.2"
"""DOWNLOAD_PACKAGES as arguments of pip, in the versions of requirements-musetalk.txt."""


def require_packages(
    names: tuple[str, ...],
    *,
    needed_by: str,
    requirements: str | None = None,
    extra: str = "musetalk",
) -> None:
    """Raise PackageMissing for the first package that is not installed; imports none of them.

    `requirements`: arguments of pip that install all of them. None: those of the `extra`.
    """
    for name in names:
        if find_spec(name) is None:
            if is_image():
                raise PackageMissing(
                    f"{needed_by} needs the package {name}, which this image does not contain. Use"
                    " the image of the target `cuda`, or build one with the argument REQUIREMENTS:"
                    " docs/containers.md"
                )
            install = f"'warmtalk[{extra}]'" if is_installed() else f"-r requirements-{extra}.txt"
            raise PackageMissing(
                f"{needed_by} needs the package {name}, which is not installed. "
                f"Install it: pip install {requirements or install}"
            )
