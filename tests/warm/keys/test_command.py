"""The command `keys`."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from warm.__main__ import main
from warm.keys.api_key import digest_of
from warm.keys.key_file import read_key_file
from warm.keys.key_ring import KeyRing


def test_add_prints_a_key_once_and_keeps_its_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--scopes", "speak,watch", "--rate", "60", "--max-queued", "4"]
    assert main(["keys", "add", "n8n", "--results", str(tmp_path), *words]) == 0
    printed = capsys.readouterr()
    secret = printed.out.strip()
    assert (len(secret), secret[:3]) == (46, "wt_")
    assert "From now on, every request needs a key." in printed.err
    path = tmp_path / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in path.read_text("ascii")
    [key] = read_key_file(path)
    assert (key.name, key.digest) == ("n8n", digest_of(secret))
    assert (key.scopes, key.rate_per_minute, key.max_queued) == ({"speak", "watch"}, 60, 4)
    assert main(["keys", "list", "--results", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("n8n                  speak,watch")
    assert "60/min, 4 queued" in listed
    assert secret not in listed
    assert key.digest.hex() not in listed


def test_remove_makes_a_key_invalid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my keys.json"
    assert main(["keys", "add", "n8n", "--file", str(path)]) == 0
    secret = capsys.readouterr().out.strip()
    ring = KeyRing(path)
    assert ring.find([secret]) is not None
    assert main(["keys", "remove", "n8n", "--file", str(path)]) == 0
    assert "No key is left: a server with this file refuses all requests." in (
        capsys.readouterr().err
    )
    assert ring.find([secret]) is None
    assert ring.is_required


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["add", "a b"], "name = 'a b': must be 1 to 64 letters"),
        (["add", "../n8n"], "name = '../n8n'"),
        (["add", "n8n", "--scopes", "speak,all"], "scope = 'all': allowed: speak, watch"),
        (["add", "n8n", "--scopes", ","], "--scopes: at least one is required"),
        (["add", "n8n", "--rate", "0"], "--rate = 0: must be a whole number from 1 to 10000"),
        (["add", "n8n", "--max-queued", "1001"], "--max-queued = 1001"),
        (["add", "known"], "name = 'known': is taken"),
        (["remove", "other"], "name = 'other': is no key of"),
    ],
)
def test_a_command_that_is_refused_names_the_fault_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], fault: str
) -> None:
    file = ["--results", str(tmp_path)]
    main(["keys", "add", "known", *file])
    before = (tmp_path / "keys.json").read_bytes()
    capsys.readouterr()
    assert main(["keys", *words, *file]) == 1
    printed = capsys.readouterr()
    assert fault in printed.err
    assert printed.out == ""
    assert (tmp_path / "keys.json").read_bytes() == before


def test_a_setting_that_holds_the_keys_itself_has_no_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WARMTALK_API_KEYS", "n8n:watch:secretsecretsecretsecret")
    assert main(["keys", "add", "other"]) == 1
    message = capsys.readouterr().err
    assert "api_keys: holds the keys itself" in message
    assert "secretsecret" not in message


def test_keys_that_are_added_at_once_are_all_kept(tmp_path: Path) -> None:
    names = [f"key-{number}" for number in range(12)]
    file = ["--file", str(tmp_path / "keys.json")]
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda name: main(["keys", "add", name, *file]), names)) == {0}
    assert sorted(key.name for key in read_key_file(tmp_path / "keys.json")) == sorted(names)
