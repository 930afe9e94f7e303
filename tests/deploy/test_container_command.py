"""The entry point of the image."""

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.container.chroot import first_process, send
from tests.api.server_process import free_port
from tests.polling import wait_until
from tests.setup.documents import ROOT
from tests.tiny_face import tiny_avatar
from warm import engine_factory
from warm.avatars.avatar import AvatarBuild
from warm.avatars.recipe import preparation_digest
from warm.avatars.store import AvatarStore
from warm.container import included
from warm.container.first_key import FILE_NAME, provide_first_key
from warm.container.included import provide_demo
from warm.container_command import run_container
from warm.keys.key_source import open_keys
from warm.prepare.demo import DEMO_ID, demo_portrait
from warm.settings import Settings

PATIENCE_S = 120
NAME = "STORAGE_DIR = '/somewhere'"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of this process, which is restored after the test."""
    before = dict(os.environ)
    own = {"STORAGE_DIR": str(tmp_path / "storage"), "MODELS_DIR": str(tmp_path / "models")}
    os.environ.update(HOST="127.0.0.1", PORT=str(free_port()), **own)
    yield os.environ  # type: ignore[misc]
    os.environ.clear()
    os.environ.update(before)


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run_container(words) == 2
    heading, _, text = capsys.readouterr().err.partition("\n")
    assert heading == "The container cannot start."
    return text


def test_bad_values_stop_the_start_under_the_names_of_the_user(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    environment |= {"PORT": "abc", "OUTPUT_FPS": "0"}
    assert [line.split()[0] for line in refusal(capsys).splitlines()] == ["PORT", "OUTPUT_FPS"]


def test_an_address_of_another_machine_is_refused_as_host(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    environment["HOST"] = "192.0.2.1"
    text = refusal(capsys)
    assert text.startswith("HOST = '192.0.2.1': 192.0.2.1 is not an address of this container")
    assert "0.0.0.0" in text


def test_the_storage_is_named_by_its_source(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file"
    environment["STORAGE_DIR"] = str(path)
    assert refusal(capsys).startswith(f"STORAGE_DIR = '{path}': is not a folder")
    assert refusal(capsys, "--results-dir", str(path)).startswith(f"--results-dir = '{path}'")
    del environment["STORAGE_DIR"], environment["WARMTALK_RESULTS_DIR"]
    (tmp_path / "my.yaml").write_text(f"results_dir: {path}", "utf-8")
    text = refusal(capsys, "--config", str(tmp_path / "my.yaml"))
    assert text.startswith(f"results_dir = '{path}' (in {tmp_path / 'my.yaml'})")


def test_an_unknown_flag_is_refused(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "unknown setting '--prot'; did you mean '--port'?" in refusal(capsys, "--prot", "1")


def test_missing_weights_are_refused_with_the_command_for_their_volume(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first start of the image for CUDA ended with a traceback."""
    monkeypatch.setattr(engine_factory, "NEURAL_PACKAGES", ())
    environment["WARMTALK_ENGINE"] = "musetalk"
    first, *_, last = refusal(capsys).splitlines()
    assert first.startswith(f"{tmp_path / 'models' / 'musetalkV15'} lacks musetalk.json, unet.pth")
    assert f"docker run --rm -v warmtalk-models:{tmp_path / 'models'} … models download" in last


@pytest.mark.parametrize(
    ("engine", "packages"), [("musetalk", "NEURAL_PACKAGES"), ("remote", "RAY_PACKAGES")]
)
def test_an_engine_that_this_image_is_not_made_for_is_refused(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    engine: str,
    packages: str,
) -> None:
    monkeypatch.setattr(engine_factory, packages, ("no_such_one",))
    environment["WARMTALK_ENGINE"] = engine
    text = refusal(capsys)
    assert text.startswith(f"engine = '{engine}' needs the package no_such_one")
    assert "Traceback" not in text


@pytest.mark.slow
def test_the_server_gets_the_settings_and_the_log_says_so(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment |= {"WARMTALK_AVATAR_ID": "nobody", "WARMTALK_FPS": "30", "OUTPUT_FPS": "24"}
    done = started("-m", "warm", "container", "--max-queue", "4")
    assert done.returncode == 2
    notes = [line for line in done.stderr.splitlines() if line.startswith("container: ")]
    assert f"container: Running as uid {os.getuid()}, gid {os.getgid()}." in notes
    assert (
        "container: Conflict: OUTPUT_FPS = '24' is ignored, because WARMTALK_FPS = '30' comes"
        " first" in notes
    )
    assert "Warmtalk cannot start." in done.stderr
    assert f"{tmp_path / 'storage'}" in done.stderr.partition("Warmtalk cannot start.")[2]


@pytest.mark.slow
def test_a_command_finds_the_storage_of_the_variables(
    environment: dict[str, str], tmp_path: Path
) -> None:
    added = started("warmtalk.py", "container", "keys", "add", "n8n")
    assert added.returncode == 0
    assert list((tmp_path / "storage").iterdir()) == [tmp_path / "storage" / "keys.json"]


def started(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the checkout to its end."""
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a process 1")
def test_a_stop_ends_a_command_that_is_process_1(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """`docker stop` waited for ten seconds, because the kernel ignores SIGTERM for process 1."""
    (tmp_path / "storage").mkdir()
    lock = tmp_path / "storage" / ".keys.json-lock"
    words = [sys.executable, "warmtalk.py", "container", "keys", "add", "n8n"]
    with (
        lock.open("w") as file,
        subprocess.Popen(
            ["unshare", "--pid", "--fork", "--", *words],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as command,
    ):  # fmt: skip
        fcntl.flock(file, fcntl.LOCK_EX)  # the command waits for it
        try:
            wait_until(lambda: has_open(command, lock), "a command that waits", PATIENCE_S)
            send(command, signal.SIGTERM)
            shown, _ = command.communicate(timeout=PATIENCE_S)
        finally:
            send(command, signal.SIGKILL)
    assert shown == b"\nInterrupted. Run the same command again to continue.\n"
    assert command.returncode == 130


def has_open(command: "subprocess.Popen[bytes]", path: Path) -> bool:
    """True if process 1 of a command has opened a file."""
    with suppress(OSError, IndexError):  # it has not started, or a descriptor was closed
        folder = Path(f"/proc/{first_process(command)}/fd")
        return any(each.readlink() == path for each in folder.iterdir())
    return False


# --- the first key


def test_the_first_key_is_valid_and_only_in_a_private_file(tmp_path: Path) -> None:
    settings = Settings(results_dir=tmp_path)
    (note,) = provide_first_key(settings)
    path = tmp_path / FILE_NAME
    secret = path.read_text("ascii").strip()
    key = open_keys(None, tmp_path).find([secret])
    assert key is not None and key.scopes == {"speak", "watch", "prepare"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in note and str(path) in note
    assert secret not in (tmp_path / "keys.json").read_text("utf-8")


def test_the_first_key_stays_at_the_next_start(tmp_path: Path) -> None:
    settings = Settings(results_dir=tmp_path)
    provide_first_key(settings)
    before = (tmp_path / FILE_NAME).read_text("ascii")
    assert len(provide_first_key(settings)) == 1
    assert (tmp_path / FILE_NAME).read_text("ascii") == before
    (tmp_path / FILE_NAME).unlink()
    assert provide_first_key(settings) == []


@pytest.mark.parametrize(
    "given", [{"insecure": True}, {"api_keys": "n8n:speak:wt_0123456789012345678901234567"}]
)
def test_no_key_is_made_if_the_user_decides_otherwise(tmp_path: Path, given: object) -> None:
    settings = Settings.model_validate({"results_dir": tmp_path, **given})  # type: ignore[dict-item]
    assert provide_first_key(settings) == []
    assert list(tmp_path.iterdir()) == []


def test_empty_keys_count_as_none(tmp_path: Path) -> None:
    settings = Settings.model_validate({"results_dir": tmp_path, "api_keys": ""})
    assert len(provide_first_key(settings)) == 1


# --- the demo avatar


def stored_avatar(results: Path, *, digest: str, source: str) -> None:
    """A tiny avatar called `demo`."""
    store, avatar = AvatarStore(results), tiny_avatar(results)
    with store.building(DEMO_ID) as folder:
        build = AvatarBuild(
            folder=folder,
            fps=avatar.fps,
            frames=avatar.frames,
            transforms=avatar.transforms,
            landmarks=avatar.landmarks,
            loop=avatar.loop,
            extras={},
        )
        for name in ("frames", "transforms", "landmarks"):
            build.write_array(name, getattr(avatar, name))
        store.write_manifest(
            build, avatar_id=DEMO_ID, digest=digest, metadata={"source": source}, notes=[]
        )


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image whose demo avatar suits the default settings."""
    folder = tmp_path / "image"
    digest = preparation_digest(demo_portrait(), Settings().preparation_settings)
    stored_avatar(folder, digest=digest, source="/x/grace_hopper.jpg")
    monkeypatch.setattr(included, "included", lambda: folder)
    return folder


def provided(tmp_path: Path, **given: object) -> dict[str, str]:
    results = tmp_path / "storage"
    results.mkdir(exist_ok=True)
    settings = Settings.model_validate({"results_dir": results, **given})
    return provide_demo(settings, demo_portrait(), NAME)


def opened(tmp_path: Path) -> str:
    return AvatarStore(tmp_path / "storage").open(DEMO_ID).digest


def test_the_demo_of_the_image_is_linked_at_the_first_start(image: Path, tmp_path: Path) -> None:
    assert provided(tmp_path) == {}
    assert (tmp_path / "storage/avatars/demo").readlink() == image / "avatars/demo"
    assert opened(tmp_path) == AvatarStore(image).manifest(DEMO_ID).digest
    assert provided(tmp_path) == {}
    assert [path.name for path in (tmp_path / "storage/avatars").iterdir()] == ["demo"]


def test_an_update_of_the_image_replaces_an_older_demo(image: Path, tmp_path: Path) -> None:
    stored_avatar(tmp_path / "storage", digest="0" * 64, source="/old/grace_hopper.jpg")
    assert provided(tmp_path) == {}
    assert (tmp_path / "storage/avatars/demo").is_symlink()


def test_an_outdated_demo_and_a_link_to_an_image_that_is_gone_are_replaced(
    image: Path, tmp_path: Path
) -> None:
    stored_avatar(tmp_path / "storage", digest="0" * 64, source="/old/grace_hopper.jpg")
    manifest = tmp_path / "storage/avatars/demo/avatar.json"
    content = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps({**content, "format": 1}), "utf-8")
    assert provided(tmp_path) == {}
    assert opened(tmp_path)
    link = tmp_path / "storage/avatars/demo"
    link.unlink()
    link.symlink_to(tmp_path / "gone")
    assert provided(tmp_path) == {}
    assert opened(tmp_path)


def test_an_avatar_of_the_user_called_demo_is_kept(image: Path, tmp_path: Path) -> None:
    stored_avatar(tmp_path / "storage", digest="1" * 64, source="/home/anna.jpg")
    assert provided(tmp_path) == {}
    assert opened(tmp_path) == "1" * 64


def test_a_damaged_avatar_called_demo_is_left_to_the_user(image: Path, tmp_path: Path) -> None:
    (tmp_path / "storage/avatars/demo").mkdir(parents=True)
    assert provided(tmp_path) == {}
    assert not (tmp_path / "storage/avatars/demo").is_symlink()


def test_other_settings_have_the_server_prepare_the_demo(image: Path, tmp_path: Path) -> None:
    assert provided(tmp_path) == {}
    portrait = str(demo_portrait())
    assert provided(tmp_path, fps=30) == {"preparation": "true", "video_path": portrait}


def test_the_image_leaves_other_avatars_alone(image: Path, tmp_path: Path) -> None:
    assert provided(tmp_path, avatar_id="anna") == {}
    assert not (tmp_path / "storage/avatars").exists()
