"""A start without keys at an address that other machines can reach."""

from pathlib import Path

import pytest

import app
from api.server.exposure import require_protection
from api.server.folder_lock import CannotStart
from tests.api.keys.conftest import make_key
from warm.keys.key_ring import KeyRing
from warm.settings import Settings

EXPOSED = ("0.0.0.0", "::", "127.0.0.1, 0.0.0.0", "192.0.2.7", "2001:db8::7", "")
LOCAL = ("127.0.0.1", "::1", "localhost", "127.0.0.1, ::1", "127.9.8.7", "unix:/run/a.sock")


def check(tmp_path: Path, host: str, **named: object) -> None:
    settings = Settings.model_validate({"results_dir": tmp_path, "host": host, **named})
    require_protection(settings, app.keys_of(settings))


@pytest.mark.parametrize("host", EXPOSED)
def test_without_keys_it_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(CannotStart) as raised:
        check(tmp_path, host)
    message = str(raised.value)
    assert message.startswith(f"host = {host!r}: other machines can reach this address")
    for step in ("keys add NAME", "WARMTALK_API_KEYS", "127.0.0.1", "--insecure true"):
        assert step in message


@pytest.mark.parametrize("host", LOCAL)
def test_addresses_of_this_machine_and_unix_sockets_need_none(tmp_path: Path, host: str) -> None:
    check(tmp_path, host)


def test_a_key_or_the_setting_admits_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    check(tmp_path, "0.0.0.0", insecure=True)
    assert "anyone who can reach this server has full access" in caplog.text
    check(tmp_path, "0.0.0.0", api_keys="n8n:watch:secretsecretsecretsecret")
    make_key(tmp_path / "keys.json", "n8n", "watch")
    check(tmp_path, "0.0.0.0")


def test_a_file_without_keys_does_not_admit_it(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"version": 1, "keys": []}', "ascii")
    assert KeyRing(tmp_path / "keys.json").is_required
    with pytest.raises(CannotStart, match="there is no key"):
        check(tmp_path, "0.0.0.0")


def test_the_server_ends_with_status_2_before_it_prepares_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    words = ["--host", "0.0.0.0", "--results-dir", str(results), "--preparation", "true"]
    assert app.main([*words, "--video-path", str(tmp_path / "missing.jpg")]) == 2
    assert "Warmtalk cannot start.\nhost = '0.0.0.0': other machines" in capsys.readouterr().err
    assert not results.exists()
    with pytest.raises(CannotStart, match="other machines"):
        app.create_app(Settings(results_dir=results, host="::"))


def test_a_bad_key_file_ends_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys.json").write_text("[", "ascii")
    assert app.main(["--results-dir", str(tmp_path)]) == 2
    assert "keys.json: is not JSON; correct the file" in capsys.readouterr().err
