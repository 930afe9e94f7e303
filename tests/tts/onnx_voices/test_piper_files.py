"""Voices in a folder: pairs are found, and a fault of one is its own."""

import os
from pathlib import Path

import pytest

from tests.tts.onnx_voices.tiny_voice import write_voice
from tts.onnx_voices.onnx_file import MAX_MODEL_BYTES
from tts.onnx_voices.piper_files import MAX_DEPTH, PiperFolder


def problem_of(root: Path, name: str) -> str:
    """Return the problem of a voice; another one in the same folder is not affected."""
    write_voice(root, "en_US-good-medium")
    voices = PiperFolder(root).voices()
    assert voices["en_US-good-medium"].problem is None
    assert voices["en_US-good-medium"].config is not None
    problem = voices[name].problem
    assert problem is not None and voices[name].config is None
    return problem


def test_voices_are_found_in_the_folder_and_below_it(tmp_path: Path) -> None:
    write_voice(tmp_path)
    write_voice(tmp_path / "de" / "de_DE" / "eva" / "low", "de_DE-eva-low")
    assert list(PiperFolder(tmp_path).voices()) == ["de_DE-eva-low", "en_US-tiny-medium"]


def test_a_missing_folder_has_no_voices(tmp_path: Path) -> None:
    assert PiperFolder(tmp_path / "none").voices() == {}


def test_hidden_and_very_deep_files_are_left_alone(tmp_path: Path) -> None:
    write_voice(tmp_path, ".en_US-partial-medium")
    write_voice(tmp_path.joinpath(*"abcdefgh"), "deep")
    assert len("abcdefgh") > MAX_DEPTH
    assert PiperFolder(tmp_path).voices() == {}


def test_of_two_voices_with_one_name_the_upper_one_is_used(tmp_path: Path) -> None:
    write_voice(tmp_path / "a" / "b", "same")
    upper = write_voice(tmp_path / "z", "same")
    assert PiperFolder(tmp_path).voices()["same"].model == upper.resolve()


def test_files_may_come_change_and_go(tmp_path: Path) -> None:
    folder = PiperFolder(tmp_path)
    assert folder.voices() == {}
    model = write_voice(tmp_path)
    first = folder.voices()["en_US-tiny-medium"]
    assert folder.voices()["en_US-tiny-medium"] is first
    write_voice(tmp_path, dataset="other")
    assert folder.voices()["en_US-tiny-medium"].key != first.key
    model.unlink()
    assert "is missing" in (folder.voices()["en_US-tiny-medium"].problem or "")
    model.with_name(f"{model.name}.json").unlink()
    assert folder.voices() == {}


def test_a_network_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    model = write_voice(tmp_path, "cut")
    whole = model.read_bytes()
    for size in (1, 9, 100, len(whole) // 2, len(whole) - 1):
        model.write_bytes(whole[:size])
        assert "cut.onnx" in problem_of(tmp_path, "cut")
    model.write_bytes(whole[:-1])
    assert f"truncated: it has {len(whole) - 1} of {len(whole)} bytes" in problem_of(
        tmp_path, "cut"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: download it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a pointer of Git LFS"),
        (b"<!DOCTYPE html><html>Sign in</html>", "is a web page instead of the file"),
        (b'{"error": "not found"}', "is JSON instead of an ONNX model"),
        (b"RIFF" + bytes(99), "is not an ONNX model"),
        (bytes(5000), "is not an ONNX model"),
        (b"\xff" * 5000, "is not an ONNX model"),
        (b"\x08\x07" * 50, "is not an ONNX model"),
    ],
)
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    write_voice(tmp_path, "bad").write_bytes(content)
    assert message in problem_of(tmp_path, "bad")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    model = write_voice(tmp_path, "huge")
    os.truncate(model, MAX_MODEL_BYTES + 1)  # sparse: takes no space
    assert "it is not a voice" in problem_of(tmp_path, "huge")
    config = write_voice(tmp_path, "wide").with_name("wide.onnx.json")
    os.truncate(config, 1 << 34)
    assert f"wide.onnx.json has {1 << 34} bytes" in problem_of(tmp_path, "wide")


def test_a_pair_lacks_one_file(tmp_path: Path) -> None:
    write_voice(tmp_path, "a").with_name("a.onnx.json").unlink()
    assert "a.onnx.json is missing next to a.onnx" in problem_of(tmp_path, "a")
    write_voice(tmp_path, "b").unlink()
    assert "b.onnx is missing next to b.onnx.json" in problem_of(tmp_path, "b")


def test_a_fault_of_the_json_names_its_file(tmp_path: Path) -> None:
    write_voice(tmp_path, "bad", phoneme_id_map=None)
    assert problem_of(tmp_path, "bad").startswith("bad.onnx.json lacks phoneme_id_map")


def test_pipes_and_folders_are_not_opened(tmp_path: Path) -> None:
    for name in ("pipe", "pipe2"):
        write_voice(tmp_path, name)
    (tmp_path / "pipe.onnx").unlink()
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "pipe2.onnx.json").unlink()
    os.mkfifo(tmp_path / "pipe2.onnx.json")
    assert "pipe.onnx is not a regular file" in problem_of(tmp_path, "pipe")
    assert "pipe2.onnx.json is not a regular file" in problem_of(tmp_path, "pipe2")
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "folder.onnx.json").write_text("{}")
    assert "folder.onnx cannot be opened: Is a directory" in problem_of(tmp_path, "folder")


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    outside = write_voice(tmp_path / "outside", "secret")
    root = tmp_path / "voices"
    write_voice(root, "secret")
    for suffix in (".onnx", ".onnx.json"):
        (root / f"secret{suffix}").unlink()
        (root / f"secret{suffix}").symlink_to(outside.with_name(f"secret{suffix}"))
    assert "is a link to" in problem_of(root, "secret")
    (root / "gone.onnx").symlink_to(root / "nothing")
    (root / "gone.onnx.json").write_text("{}")
    assert "leads nowhere" in problem_of(root, "gone")
    (root / "loop.onnx").symlink_to(root / "loop.onnx")
    (root / "loop.onnx.json").write_text("{}")
    assert "leads nowhere" in problem_of(root, "loop")
    (root / "shortcut").symlink_to(outside.parent)
    assert "is a link to a folder" in problem_of(root, "shortcut")


def test_links_inside_the_folder_and_to_the_folder_are_followed(tmp_path: Path) -> None:
    root = tmp_path / "real"
    model = write_voice(root / "store", "x")
    for suffix in (".onnx", ".onnx.json"):
        (root / f"linked{suffix}").symlink_to(model.with_name(f"x{suffix}"))
    (tmp_path / "link").symlink_to(root)
    voices = PiperFolder(tmp_path / "link").voices()
    assert {name: voice.problem for name, voice in voices.items()} == {"linked": None, "x": None}


def test_odd_names_are_refused(tmp_path: Path) -> None:
    for name in ("with space", "a,b", "-x", "x" * 200):
        assert "rename its files" in problem_of(tmp_path, _written(tmp_path, name))
    assert PiperFolder(tmp_path).voices()["en_US-good-medium"].problem is None


def _written(root: Path, name: str) -> str:
    write_voice(root, name)
    return name


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    write_voice(tmp_path, "closed").chmod(0)
    assert "closed.onnx cannot be opened: Permission denied" in problem_of(tmp_path, "closed")


def test_the_licence_comes_from_the_card_of_the_voice(tmp_path: Path) -> None:
    write_voice(tmp_path, "a")
    write_voice(tmp_path, "b")
    (tmp_path / "a.MODEL_CARD").write_text("* License: CC BY 4.0\n")
    (tmp_path / "MODEL_CARD").write_text("* License: MIT\n")
    write_voice(tmp_path / "alone", "c")
    (tmp_path / "alone" / "MODEL_CARD").write_text("* License: Public Domain\n")
    licences = {name: each.card.licence for name, each in PiperFolder(tmp_path).voices().items()}
    assert licences == {
        "a": "CC BY 4.0, according to its model card",
        "b": "see its model card",  # the card of a folder with two voices may be of the other
        "c": "Public Domain, according to its model card",
    }
