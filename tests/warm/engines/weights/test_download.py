"""Downloads from a hub or a folder: resumed after a failure, and never incomplete."""

import hashlib
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch

from tests.warm.engines.weights.hub_server import Hub, serving
from tests.warm.engines.weights.sample_weights import cut, fill, official, write
from warm.__main__ import main
from warm.engines.weights.errors import (
    DiskFull,
    DownloadBusy,
    HubLacksFile,
    HubRefused,
    HubUnreachable,
    WeightsDamaged,
    WeightsMismatch,
    WeightsMissing,
)
from warm.engines.weights.hub_download import fetch, lock_partial_file, query_file
from warm.engines.weights.install import DownloadOptions, download
from warm.engines.weights.layout import find_weights
from warm.engines.weights.manifest import MODELS, PARSER, TINY, UNET, VAE, WHISPER, Model, ModelFile

ROOT = Path(__file__).parents[4]
CHUNK_BYTES = 10 * 1024 * 1024
"""Chunk size of huggingface_hub; an incomplete chunk is requested again."""
LARGE_BYTES = 2 * CHUNK_BYTES + 123_456


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("HF_TOKEN", raising=False)


def bytes_of(name: str, folder: Path) -> bytes:
    return write(folder / "made" / name).read_bytes()


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A small model of two files with known sizes and digests."""
    files = []
    for name in ("config.json", "model.safetensors"):
        content = bytes_of(name, tmp_path)
        digest = hashlib.sha256(content).hexdigest()
        files.append(ModelFile(name=name, bytes=len(content), sha256=digest))
    return replace(WHISPER, revision="a" * 40, configs=(files[0],), weights=(files[1],))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    names = ("config.json", "model.safetensors")
    with serving({f"{WHISPER.repo}/{name}": bytes_of(name, tmp_path) for name in names}) as hub:
        yield hub


@pytest.fixture
def options(hub: Hub, tmp_path: Path) -> DownloadOptions:
    return DownloadOptions(
        models_dir=tmp_path / "models", endpoint=hub.url, report=lambda _output: None
    )


def big(seed: int = 1) -> tuple[Model, bytes]:
    """A model with a file of several chunks."""
    content = np.random.default_rng(seed).bytes(LARGE_BYTES)
    file = ModelFile(
        name="model.safetensors", bytes=len(content), sha256=hashlib.sha256(content).hexdigest()
    )
    return replace(WHISPER, configs=(), weights=(file,)), content


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob(".*") if path.is_file())


def test_missing_files_are_fetched_into_the_official_folder(
    model: Model, hub: Hub, options: DownloadOptions, tmp_path: Path
) -> None:
    download([model], options)
    for name in ("config.json", "model.safetensors"):
        arrived = tmp_path / "models" / "whisper" / name
        assert arrived.read_bytes() == hub.files[f"{WHISPER.repo}/{name}"]
    assert leftovers(tmp_path / "models") == []
    assert ("HEAD", f"/{WHISPER.repo}/resolve/{'a' * 40}/config.json", None) in hub.asked


def test_existing_files_are_not_fetched_again(
    model: Model, hub: Hub, options: DownloadOptions
) -> None:
    download([model], options)
    asked = len(hub.asked)
    said: list[str] = []
    download([model], replace(options, report=said.append))
    assert len(hub.asked) == asked
    assert said == [f"All files are present in {options.models_dir}"]


def test_only_the_truncated_file_is_replaced(
    model: Model, hub: Hub, options: DownloadOptions
) -> None:
    download([model], options)
    hub.asked.clear()
    weights = options.models_dir / "whisper" / "model.safetensors"
    cut(weights, 100)
    download([model], options)
    assert weights.read_bytes() == hub.files[f"{WHISPER.repo}/model.safetensors"]
    assert {path.rpartition("/")[2] for _, path, _ in hub.asked} == {"model.safetensors"}


def test_large_files_come_from_the_storage_that_the_hub_points_to(
    model: Model, hub: Hub, options: DownloadOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.elsewhere = True
    download([model], options)
    assert all(path.startswith("/storage/") for method, path, _ in hub.asked if method == "GET")
    assert hub.authorizations == [], "no credentials are sent"


def test_a_cut_off_answer_is_continued_in_the_same_run(tmp_path: Path) -> None:
    model, content = big()
    with serving({f"{WHISPER.repo}/model.safetensors": content}) as hub:
        hub.cut_after = CHUNK_BYTES + 4_000_000
        remote_file = query_file(model, model.weights[0], endpoint=hub.url)
        fetch(remote_file, tmp_path / "model.safetensors", endpoint=hub.url)
        assert hub.ranges() == [None, f"bytes={CHUNK_BYTES}-"]
    assert (tmp_path / "model.safetensors").read_bytes() == content


def test_a_killed_download_is_resumed(tmp_path: Path) -> None:
    model, content = big()
    target = tmp_path / "whisper" / "model.safetensors"
    with serving({f"{WHISPER.repo}/model.safetensors": content}) as hub:
        hub.cut_after, hub.stall = CHUNK_BYTES + 1_000_000, Event()
        remote_file = query_file(model, model.weights[0], endpoint=hub.url)
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, hub.url, str(target), str(LARGE_BYTES)],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
        while (
            not remote_file.partial_path(target).exists()
            or not remote_file.partial_path(target).stat().st_size
        ):
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.02)
        child.kill()
        child.wait(60)
        assert not target.exists()
        have = remote_file.partial_path(target).stat().st_size
        fetch(remote_file, target, endpoint=hub.url)
        assert hub.ranges() == [None, f"bytes={have}-"]
    assert target.read_bytes() == content
    assert leftovers(tmp_path) == []


CHILD = """
import sys
from dataclasses import replace
from pathlib import Path
from warm.engines.weights.hub_download import fetch, query_file
from warm.engines.weights.manifest import WHISPER, ModelFile
url, target, size = sys.argv[1:]
file = ModelFile(name="model.safetensors", bytes=int(size))
model = replace(WHISPER, configs=(), weights=(file,))
fetch(query_file(model, file, endpoint=url), Path(target), endpoint=url)
"""


def test_partial_bytes_of_another_file_are_not_continued(
    model: Model, hub: Hub, options: DownloadOptions
) -> None:
    file = model.weights[0]
    target = options.models_dir / "whisper" / file.name
    old = query_file(model, file, endpoint=hub.url)
    hub.files[f"{WHISPER.repo}/{file.name}"] = bytes(file.bytes or 0)
    new = query_file(model, file, endpoint=hub.url)
    assert old.partial_path(target) != new.partial_path(target)


def test_wrong_bytes_are_deleted_and_reported(
    model: Model, hub: Hub, options: DownloadOptions
) -> None:
    hub.wrong_bytes = True
    with pytest.raises(
        WeightsMismatch, match=r"config\.json returned bytes with SHA-256 .* deleted"
    ):
        download([model], options)
    assert [path for path in options.models_dir.rglob("*") if path.is_file()] == []


def test_a_mirror_with_another_file_is_refused_before_anything_is_fetched(
    model: Model, hub: Hub, options: DownloadOptions
) -> None:
    hub.files[f"{WHISPER.repo}/model.safetensors"] += b"more"
    with pytest.raises(WeightsMismatch, match=r"has \d+ bytes; the official file has \d+"):
        download([model], options)
    assert hub.ranges() == []


def test_a_file_that_the_hub_lacks_is_named(
    model: Model, hub: Hub, options: DownloadOptions
) -> None:
    del hub.files[f"{WHISPER.repo}/model.safetensors"]
    with pytest.raises(HubLacksFile, match=r"resolve/a+/model\.safetensors does not exist \(404\)"):
        download([model], options)
    assert hub.ranges() == [], "all files are queried before any is fetched"


@pytest.mark.parametrize("status", [401, 403])
def test_a_hub_that_requires_a_login_is_reported_with_alternatives(
    status: int, model: Model, hub: Hub, options: DownloadOptions
) -> None:
    hub.status = status
    with pytest.raises(HubRefused, match=rf"requires a login \({status}\).*models_source"):
        download([model], options)


def test_a_failing_hub_is_not_reported_as_a_missing_file(
    model: Model, hub: Hub, options: DownloadOptions
) -> None:
    hub.status = 500
    with pytest.raises(HubUnreachable, match="status 500"):
        download([model], options)


def test_a_server_that_is_not_a_hub_is_reported(
    model: Model, hub: Hub, options: DownloadOptions
) -> None:
    hub.files = {}
    with pytest.raises(HubLacksFile, match="models_endpoint"):
        download([model], options)


def test_without_a_network_the_message_names_mirror_and_folder(
    model: Model, options: DownloadOptions
) -> None:
    with serving({}) as gone:
        pass
    with pytest.raises(HubUnreachable, match=r"cannot be reached.*models_endpoint.*models_source"):
        download([model], replace(options, endpoint=gone.url))


def test_a_full_disk_is_detected_before_anything_is_fetched(
    model: Model, hub: Hub, options: DownloadOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**12, 10**12, 10**8))
    with pytest.raises(DiskFull, match=r"100\.00 MB of free space; \d+ bytes are needed"):
        download([model], options)
    assert hub.ranges() == []


def test_two_downloads_of_one_file_do_not_mix(
    model: Model, hub: Hub, options: DownloadOptions
) -> None:
    file = model.weights[0]
    target = options.models_dir / "whisper" / file.name
    target.parent.mkdir(parents=True)
    remote_file = query_file(model, file, endpoint=hub.url)
    with (
        lock_partial_file(remote_file.partial_path(target)),
        pytest.raises(DownloadBusy, match="Another process"),
    ):
        fetch(remote_file, target, endpoint=hub.url)


def test_a_folder_takes_the_place_of_the_hub(
    options: DownloadOptions, hub: Hub, tmp_path: Path
) -> None:
    source = tmp_path / "usb"
    fill(source / "MuseTalk" / "musetalkV15", UNET)
    fill(source / "sd-vae-ft-mse", VAE, "diffusion_pytorch_model.bin")
    fill(source / "whisper", WHISPER)
    download([UNET, VAE, WHISPER], replace(options, source=source))
    layout = find_weights(options.models_dir)
    assert layout.notes == () and hub.asked == []
    assert layout.vae_weights.name == "diffusion_pytorch_model.bin"
    taken = source / "MuseTalk" / "musetalkV15" / "unet.pth"
    assert layout.unet_weights.samefile(taken), "linked: no second 3 GB on one disk"


def test_a_model_that_a_folder_lacks_is_named(options: DownloadOptions, tmp_path: Path) -> None:
    fill(tmp_path / "usb" / "whisper", WHISPER)
    with pytest.raises(
        WeightsMissing, match=r"usb \(models_source\) does not contain musetalkV15/"
    ):
        download([UNET, WHISPER], replace(options, source=tmp_path / "usb"))


def test_a_broken_file_in_a_folder_is_refused(options: DownloadOptions, tmp_path: Path) -> None:
    fill(tmp_path / "usb" / "whisper", WHISPER)
    cut(tmp_path / "usb" / "whisper" / "model.safetensors", 10)
    with pytest.raises(WeightsDamaged, match=r"usb/whisper/model\.safetensors"):
        download([WHISPER], replace(options, source=tmp_path / "usb"))


def run(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["models", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_the_command_takes_mirror_and_folder_from_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    official(tmp_path / "usb")
    monkeypatch.setenv("WARMTALK_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("WARMTALK_MODELS_SOURCE", str(tmp_path / "usb"))
    code, output = run("download", capsys=capsys)
    assert code == 0 and "linked" in output
    assert find_weights(tmp_path / "models").unet == tmp_path / "models" / "musetalkV15"
    monkeypatch.delenv("WARMTALK_MODELS_SOURCE")
    monkeypatch.setenv("WARMTALK_MODELS_DIR", str(tmp_path / "more"))
    with serving({}) as hub:
        monkeypatch.setenv("WARMTALK_MODELS_ENDPOINT", f"{hub.url}/")
        code, output = run("download", capsys=capsys)
        assert hub.asked
    assert code == 1 and output.startswith("HubLacksFile: ")


def test_optional_models_are_downloaded_only_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usb, models = official(tmp_path / "usb"), tmp_path / "models"
    for model in (PARSER, TINY):
        fill(usb / model.folder, model)
    order = ["download", "--source", usb, "--models", models]
    assert run(*order, capsys=capsys)[0] == 0
    assert (find_weights(models).parser, find_weights(models).tiny) == (None, None)
    assert run(*order, "--tiny", capsys=capsys)[0] == 0
    assert (find_weights(models).parser, find_weights(models).tiny) == (None, models / "taesd")
    assert run(*order, "--parser", capsys=capsys)[0] == 0
    assert find_weights(models).parser == models / "face-parsing"


def test_a_broken_optional_model_is_named_with_the_flag_that_fetches_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches advice that fetches everything except the broken model."""
    fill(official(tmp_path) / TINY.folder, TINY)
    cut(tmp_path / TINY.folder / TINY.weights[0].name, 10)
    command = f"python -m warm models download --models {tmp_path} --tiny"
    with pytest.raises(WeightsDamaged) as damaged:
        find_weights(tmp_path)
    assert str(damaged.value).endswith(command)
    assert f"1 to download: {command}" in run("verify", "--models", tmp_path, capsys=capsys)[1]


def test_an_endpoint_that_is_not_a_url_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WARMTALK_MODELS_ENDPOINT", "hf-mirror.com")
    code, output = run("list", capsys=capsys)
    assert code == 1 and "models_endpoint = 'hf-mirror.com'" in output and "https://" in output


def test_verify_reports_every_file_its_problem_and_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    official(tmp_path)
    cut(tmp_path / "musetalkV15" / "unet.pth", 10)
    (tmp_path / "whisper" / "config.json").unlink()
    code, output = run("verify", "--models", tmp_path, capsys=capsys)
    assert code == 1
    lines = output.splitlines()
    assert f"damaged  {tmp_path}/musetalkV15/unet.pth" in output and "is truncated" in output
    assert f"missing  {tmp_path}/whisper/config.json: not found" in lines
    assert any(
        line.startswith(f"other    {tmp_path}/sd-vae/config.json: has ") for line in lines
    ), "whole, but not the official file"
    assert f"2 to download: python -m warm models download --models {tmp_path}" in lines


def test_verify_reads_every_byte_where_a_digest_is_known(
    model: Model,
    options: DownloadOptions,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("warm.models_command.MODELS", (model,))
    download([model], options)
    assert run("verify", "--models", options.models_dir, capsys=capsys)[0] == 0
    weights = options.models_dir / "whisper" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4] ^= 1
    weights.write_bytes(content)
    code, output = run("verify", "--models", options.models_dir, capsys=capsys)
    assert code == 1 and "has SHA-256" in output
    assert "download --models" in output and "--force" in output


def test_verify_opens_pickles_without_running_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    official(tmp_path)
    torch.save({"weight": torch.ones(2), "trap": Trap()}, tmp_path / "musetalkV15" / "unet.pth")
    code, output = run("verify", "--models", tmp_path, capsys=capsys)
    assert code == 1 and "unet.pth cannot be opened as weights" in output
    assert not Trap.sprung


class Trap:
    sprung = False

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return spring, ()


def spring() -> str:
    Trap.sprung = True
    return "sprung"


def test_list_prints_origin_licence_and_state_of_every_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "MuseTalk" / "musetalkV15", UNET)
    code, output = run("list", "--models", tmp_path, capsys=capsys)
    assert code == 0
    for model in MODELS:
        assert model.repo in output and model.licence in output
        for file in model.files:
            assert file.name in output
    assert "sha256 unknown" in output and "unknown size" in output
    assert f"Note: unet: found in {tmp_path}/MuseTalk/musetalkV15" in output
