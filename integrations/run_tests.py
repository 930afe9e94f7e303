"""Tests of the integrations, each in a virtual environment of its own: `python run_tests.py`.

Names of integrations may follow; default: all. An environment is made again when the packages that
are required have changed. The tests start the Warmtalk server of this repository, from the virtual
environment `.venv` in its root.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = ("client", "pipecat", "livekit")
NEEDS = {"client": ("client",), "pipecat": ("client", "pipecat"), "livekit": ("client", "livekit")}
"""Packages of this folder that each one installs."""
STAMP = "warmtalk-integration"


def main(names: list[str]) -> int:
    """Run the tests; return 1 if any has failed."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"{unknown[0]!r} is no integration; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    return max([test(name) for name in names or NAMES])


def test(name: str) -> int:
    """Run the checks and the tests of one integration; return their exit status."""
    print(f"integrations/{name}", flush=True)
    folder = HERE / name
    python = environment(name, folder)
    status = 0
    for module in ("mypy", "pytest"):
        status = max(status, subprocess.call([python, "-m", module], cwd=folder))
    return status


def environment(name: str, folder: Path) -> Path:
    """Return the interpreter of its virtual environment, which is made if it must be."""
    venv = folder / ".venv"
    python, stamp = venv / "bin" / "python", venv / STAMP
    wanted = fingerprint(name)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        subprocess.check_call([sys.executable, "-m", "venv", "--clear", venv])
        packages = [word for each in NEEDS[name] for word in ("-e", str(HERE / each))]
        dev = folder / "requirements-dev.txt"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.check_call([*pip, *packages, "-r", dev])
        stamp.write_text(wanted, encoding="utf-8")
    return python


def fingerprint(name: str) -> str:
    """Return a hash of all files that name packages."""
    files = [file for each in NEEDS[name] for file in sorted((HERE / each).glob("requirements*"))]
    files += [HERE / each / "pyproject.toml" for each in NEEDS[name]]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
