"""Changes of the key file while the server runs."""

import json
import logging
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.api.keys.conftest import Served, make_key
from warm.keys.api_key import digest_of
from warm.keys.errors import BadKeyFile, BadKeyList
from warm.keys.key_file import read_key_file, remove_from_file
from warm.keys.key_ring import KeyRing
from warm.keys.key_source import open_keys


def status(client: FlaskClient, key: str, path: str = "/sessions") -> int:
    return client.get(path, headers={"X-Api-Key": key}).status_code


def test_added_and_removed_keys_take_effect_at_once(served: Served, key_file: Path) -> None:
    first = make_key(key_file, "first", "watch")
    client = served().test_client()
    assert status(client, first) == 200
    for number in range(5):
        other = make_key(key_file, f"other-{number}", "watch")
        assert status(client, other) == 200
        remove_from_file(key_file, f"other-{number}")
        assert status(client, other) == 401
    assert status(client, first) == 200


def test_a_change_by_hand_within_the_same_tick_of_the_clock_is_seen(
    served: Served, key_file: Path
) -> None:
    key = make_key(key_file, "hand", "watch")
    client = served().test_client()
    for scope, expected in (("speak", 403), ("watch", 200)) * 10:  # of the same length
        text = key_file.read_text("ascii")
        key_file.write_text(text.replace("watch", scope).replace("speak", scope), "ascii")
        assert (scope, status(client, key)) == (scope, expected)


def test_a_malformed_change_is_logged_and_the_keys_stay(
    served: Served, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_key(key_file, "n8n", "watch")
    client = served().test_client()
    good = key_file.read_text("ascii")
    for broken, fault in (
        (good[:-20], "is not JSON"),
        ('{"version": 1}', 'must be an object with the members "version" and "keys"'),
        (good.replace("watch", "wath"), "scope = 'wath': allowed: speak, watch, prepare, admin"),
        (good.replace(digest_of(key).hex(), "12"), "sha256: string should match"),
        (good.replace('"sha256"', '"key"'), "a file may hold only the hash of a key"),
        ("", "is not JSON"),
    ):
        caplog.clear()
        key_file.write_text(broken, "ascii")
        assert status(client, key) == 200
        assert fault in caplog.text
        assert str(key_file) in caplog.text
        with pytest.raises(BadKeyFile, match="correct the file"):
            open_keys(str(key_file), key_file.parent)
    key_file.write_text(good, "ascii")
    assert status(client, key) == 200


def test_a_file_that_disappears_opens_nothing(served: Served, key_file: Path) -> None:
    key = make_key(key_file, "n8n", "watch")
    client = served().test_client()
    content = key_file.read_bytes()
    key_file.unlink()
    assert status(client, key) == client.get("/sessions").status_code == 401
    key_file.write_bytes(content)
    assert status(client, key) == 200


def test_the_first_key_in_the_folder_of_results_closes_a_running_server(
    served: Served, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    client = served(api_keys=None, results_dir=results).test_client()
    assert client.get("/sessions").status_code == 200
    key = make_key(results / "keys.json", "n8n", "watch")
    assert client.get("/sessions").status_code == 401
    assert status(client, key) == 200


def test_a_file_is_replaced_with_permissions_for_its_owner_only(key_file: Path) -> None:
    secret = make_key(key_file, "n8n", "watch")
    key_file.chmod(0o644)
    make_key(key_file, "other", "speak", rate_per_minute=5, max_queued=2)
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert secret not in key_file.read_text("ascii")
    assert [each.name for each in key_file.parent.iterdir()] == [key_file.name]
    assert [key.name for key in read_key_file(key_file)] == ["n8n", "other"]
    assert json.loads(key_file.read_text("ascii"))["version"] == 1


def test_keys_in_the_environment_may_be_words_or_json(served: Served) -> None:
    key = "0123456789abcdefghij"
    listed = json.dumps([{"name": "ops", "scopes": ["admin"], "sha256": digest_of(key).hex()}])
    for value in (f"n8n:watch:{'y' * 30} ops:admin:{key}", f"ops:admin+speak:{key}", listed):
        assert status(served(api_keys=value).test_client(), key) == 200


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("n8n:watch:tooshort", "at least 20 random ones"),
        ("n8n:wach:secretsecretsecretsecret", "scope = 'wach'"),
        ("n8n:watch:secretsecretsecretsecret other", "key 2 is not NAME:SCOPES:KEY"),
        ("a:watch:secretsecretsecretsecret a:watch:secret", "is used by two keys"),
        ('[{"name": "a", "key": "secretsecretsecretsecret"}]', "scopes: field required"),
        ('[{"name": "a", "scopes": ["watch"]}]', "either key or sha256 is required"),
        ('["secretsecretsecretsecret"', "is not a JSON array"),
        ("secretsecretsecretsecret", "neither the path of a file nor a key"),
        ("wt_secret/secret.secret", "neither the path of a file nor a key"),
    ],
)
def test_a_bad_value_of_the_setting_is_named_without_the_key(
    tmp_path: Path, value: str, fault: str
) -> None:
    with pytest.raises(BadKeyList) as raised:
        open_keys(value, tmp_path)
    assert fault in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "tooshort" not in str(raised.value)


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile, match="does not exist"):
        open_keys(str(tmp_path / "other.json"), tmp_path)


def test_no_key_and_no_header_is_logged(
    served: Served, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = make_key(key_file, "n8n", "watch", "speak")
    client = served().test_client()

    def broken() -> None:
        raise RuntimeError("a bug")

    client.application.view_functions["stats.show"] = broken
    for sent in ({"X-Api-Key": key}, {"Authorization": f"Basic u:{key}"}, {"X-Api-Key": "wt_bad"}):
        client.get("/sessions", headers=sent)
        client.get("/stats", headers=sent)
        client.post("/login", json={"key": next(iter(sent.values()))})
        client.post("/login", data=key, headers=sent)
    shown = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "a bug" in shown
    assert key not in shown
    assert "wt_bad" not in shown
    assert "Basic" not in shown


def test_the_log_names_the_key_and_hides_what_permits_access(
    served: Served, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    key = make_key(key_file, "n8n", "watch")
    client = served().test_client()
    secret, upload = "0123456789abcdef" * 2, "fedcba9876543210" * 2
    for path in ("/sessions", f"/results/{secret}/job_1.mp4", f"/uploads/{upload}.png"):
        client.get(path, headers={"X-Api-Key": key}).close()
    entries = [vars(each) for each in caplog.records if each.getMessage() == "request"]
    assert [each["path"] for each in entries] == [
        *("/sessions", "/results/01234567…", "/uploads/fedcba98…")
    ]
    assert entries[0]["key"] == "n8n"
    assert secret[:12] not in str(entries)


def test_a_file_that_others_can_write_is_reported(
    key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_key(key_file, "n8n", "watch")
    KeyRing(key_file)
    assert "other users can change the keys" not in caplog.text
    key_file.chmod(0o622)
    KeyRing(key_file)
    assert f"{key_file}: other users can change the keys; chmod 600" in caplog.text
