"""An installed Warmtalk works from any folder: the wheel contains all that the command needs."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from select import select

import pytest

from tests.api.server_process import PATIENCE_S, Server, free_port
from warm import VERSION

ROOT = Path(__file__).parents[2]
CODE = ("api", "chat", "isolation", "session", "stabilizers", "stt", "tts", "warm", "wheels")
SHIPPED = ("web", "configs")
FILES = (
    *("app.py", "warmtalk.py", "setup.py", "pyproject.toml", "README.md", "LICENSE"),
    *("THIRD_PARTY.md", "requirements-core.txt", "requirements-musetalk.txt"),
    *("requirements-coqui.txt", "requirements-enhance.txt", "requirements-ray.txt"),
    "requirements-whisper.txt",
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ROOT / "models" / "face").exists(), reason="`make setup` downloads the face models"
    ),
]


@dataclass(frozen=True)
class Installed:
    """Warmtalk in a virtual environment, and an empty working folder."""

    wheel: Path
    program: Path
    folder: Path

    def run(
        self, *words: str, folder: Path | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *words],
            cwd=folder or self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=check,
        )

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WARMTALK_", "PYTHON"))
        }
        return {**inherited, "OPENBLAS_NUM_THREADS": "1", **more}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, because a build writes into the folder of the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in (*CODE, *SHIPPED):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in FILES:
        shutil.copy2(ROOT / name, source)
    out = tmp_path_factory.mktemp("wheel")
    pip("wheel", source, "--no-build-isolation", "--wheel-dir", out)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Its dependencies are those of the environment that runs the tests."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    pip("--python", python, "install", wheel)
    return Installed(wheel, environment / "bin" / "warmtalk", tmp_path_factory.mktemp("work"))


def pip(*words: str | Path) -> None:
    """Run pip without a network."""
    at = next(index for index, word in enumerate(words) if word in ("wheel", "install")) + 1
    command = [sys.executable, "-m", "pip", *words[:at], "--no-deps", "--no-index", *words[at:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_has_every_module_and_every_shipped_file(wheel: Path) -> None:
    members = set(zipfile.ZipFile(wheel).namelist())
    expected = {str(path) for name in CODE for path in files_of(name)}
    expected |= {f"warm/shipped/{path}" for name in SHIPPED for path in files_of(name)}
    assert expected | {"app.py", "warmtalk.py"} <= members
    assert wheel.name.startswith(f"warmtalk-{VERSION}-")


def files_of(folder: str) -> list[Path]:
    """The files of a folder of the checkout, relative to it, without compiled ones."""
    found = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [path.relative_to(ROOT) for path in found if path.suffix != ".pyc"]


def test_the_wheel_installs_no_other_top_level_names(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {*CODE, "app.py", "warmtalk.py", f"warmtalk-{VERSION}.dist-info"}


def test_only_the_extras_require_pytorch(wheel: Path) -> None:
    metadata = f"warmtalk-{VERSION}.dist-info/METADATA"
    lines = zipfile.ZipFile(wheel).read(metadata).decode().splitlines()
    required = [line for line in lines if line.startswith("Requires-Dist: ")]
    torch = [line for line in required if "torch" in line]
    extras = {line.partition("; extra == ")[2] for line in torch}
    assert extras == {'"coqui"', '"enhance"', '"musetalk"'}
    assert any(line.startswith("Requires-Dist: flask==") for line in required)


def test_the_help_names_every_subcommand(installed: Installed) -> None:
    printed = installed.run("--help").stdout
    for name in ("serve", "prepare", "avatars", "render", "models", "session"):
        assert f"\n    {name} " in printed
    assert installed.run("--version").stdout == f"warmtalk {VERSION}\n"


@pytest.mark.parametrize("name", ["serve", "prepare", "avatars", "render", "models", "session"])
def test_the_help_of_each_subcommand_has_its_name(installed: Installed, name: str) -> None:
    assert installed.run(name, "--help").stdout.startswith(f"usage: warmtalk {name} ")


def test_missing_face_models_are_fetched_by_a_command_that_exists(
    installed: Installed, tmp_path: Path
) -> None:
    done = installed.run("prepare", "--demo", folder=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("Download it: warmtalk models face --models models\n")
    assert installed.run("models", "face", "--help").returncode == 0


def test_a_missing_avatar_is_prepared_by_a_command_that_exists(
    installed: Installed, tmp_path: Path
) -> None:
    done = installed.run("serve", folder=tmp_path, check=False)
    assert done.returncode == 2
    assert "Prepare it: warmtalk prepare PHOTO_OR_VIDEO --avatar-id demo" in done.stderr


@pytest.fixture(scope="module")
def server(installed: Installed) -> Iterator[Server]:
    """`warmtalk serve` in the working folder, with an avatar that `warmtalk prepare` made."""
    shutil.copytree(ROOT / "models" / "face", installed.folder / "models" / "face")
    installed.run("prepare", "--demo", "--max-side", "256")
    port, log = free_port(), installed.folder / "server.log"
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [installed.program, "serve", "--port", str(port)],
            cwd=installed.folder,
            env=installed.environment(PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said, _, _ = select([process.stdout], [], [], PATIENCE_S)
            assert said, f"the server is not ready: {log.read_text('utf-8')}"
            assert "ready at" in process.stdout.readline(), log.read_text("utf-8")
            yield Server(process, port, installed.folder / "results", log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE_S)


def test_the_server_is_healthy_and_serves_the_page(server: Server) -> None:
    status, health = server.call("GET", "/health")
    assert (status, health["status"], health["version"]) == (200, "ok", VERSION)
    for path, file in (("/", "index.html"), ("/web/main.js", "main.js")):
        with server.ask("GET", path) as answer:
            assert answer.status == http.client.OK
            assert answer.read() == (ROOT / "web" / file).read_bytes()


def test_the_film_is_in_the_working_folder_and_can_be_checked(
    server: Server, installed: Installed
) -> None:
    assert server.call("POST", "/speak", {"text": "Hello."})[0] == 200
    checked = installed.run("session", "check", "results/full_session.mp4")
    assert "1 clips" in checked.stdout and checked.stdout.endswith("sound\n")
