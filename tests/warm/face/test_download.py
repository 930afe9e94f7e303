"""Download of the face models: only the pinned wheel and files are accepted."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from warm.face import download
from warm.pinned_files import DownloadError, missing_files, sha256, unpack_zip

MODELS = {"a/b/face.tflite": hashlib.sha256(b"weights").hexdigest()}


def make_wheel(path: Path, content: bytes = b"weights") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b/face.tflite", content)
    return path


def test_models_are_unpacked_from_the_pinned_wheel(tmp_path: Path) -> None:
    wheel, folder = make_wheel(tmp_path / "faces.whl"), tmp_path / "models"
    assert missing_files(folder, MODELS) == ["a/b/face.tflite"]
    unpack_zip(wheel, sha256(wheel), MODELS, folder)
    assert (folder / "face.tflite").read_bytes() == b"weights"
    assert missing_files(folder, MODELS) == []
    assert [path.name for path in folder.iterdir()] == ["face.tflite"]


def test_a_changed_model_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "faces.whl", b"other weights")
    with pytest.raises(DownloadError, match=r"face\.tflite has SHA-256"):
        unpack_zip(wheel, sha256(wheel), MODELS, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_another_wheel_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "faces.whl")
    with pytest.raises(DownloadError, match=r"faces\.whl has SHA-256"):
        unpack_zip(wheel, hashlib.sha256(b"").hexdigest(), MODELS, tmp_path / "models")


def test_a_partly_written_model_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "face.tflite").write_bytes(b"weig")
    assert missing_files(tmp_path, MODELS) == ["a/b/face.tflite"]


def test_pip_downloads_the_wheel_with_the_users_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of wheels stands in for the registry; no network is used."""
    name = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
    wheel = make_pip_wheel(tmp_path / "registry", name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setattr(download, "WHEEL_SHA256", sha256(wheel))
    monkeypatch.setattr(download, "MEMBERS", MODELS)
    download.download_face_models(tmp_path / "models")
    assert (tmp_path / "models" / "face.tflite").read_bytes() == b"weights"


def make_pip_wheel(folder: Path, name: str) -> Path:
    folder.mkdir()
    wheel = make_wheel(folder / name)
    info = "mediapipe-0.10.21.dist-info"
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: mediapipe\nVersion: 0.10.21\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_28_x86_64\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def test_a_failed_download_names_the_files_to_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(DownloadError, match=r"copy face_detection.*face_landmark_with_attention"):
        download.download_face_models(tmp_path / "models")


def test_a_folder_of_an_older_version_lacks_only_the_newer_models(tmp_path: Path) -> None:
    folder = Path(__file__).parents[3] / "models" / "face"
    for name in ("face_detection_short_range.tflite", "face_landmark.tflite"):
        (tmp_path / name).symlink_to(folder / name)
    missing = [Path(each).name for each in download.missing_face_models(tmp_path)]
    assert missing == ["face_landmark_with_attention.tflite", "selfie_segmentation.tflite"]
    assert download.missing_face_models(folder) == []
