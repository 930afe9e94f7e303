"""Claims of sessions by heads that share a folder. Each lock has its own open file, so two heads in
one process exclude each other as heads in two processes do."""

import os
from pathlib import Path

import pytest

from api.server.folder_lock import CannotStart, lock_folder
from app import main
from warm.heads.claims import Claims
from warm.heads.errors import HeldElsewhere, LocksNotShared, NotDistinct
from warm.heads.head import Head, HeadNewer, decoded, encoded
from warm.heads.heads import Heads, weight
from warm.heads.lock_file import is_held, take
from warm.heads.membership import join, others, relay_secret

A = Head(name="a", url="http://127.0.0.1:1", version="1")
B = Head(name="b", url="http://127.0.0.1:2", version="1")


def test_a_session_belongs_to_one_head_until_the_head_releases_it(tmp_path: Path) -> None:
    a, b = Claims(tmp_path, A), Claims(tmp_path, B)
    a.take("berlin")
    a.take("berlin")
    with pytest.raises(HeldElsewhere) as refused:
        b.take("berlin")
    assert refused.value.holder == A
    b.take("paris")
    a.release("berlin")
    b.take("berlin")
    assert (a.held(), b.held()) == ([], ["berlin", "paris"])
    b.release("berlin")
    assert [path.name for path in (tmp_path / "claims").iterdir()] == ["paris"]


def test_a_session_of_a_killed_head_is_free(tmp_path: Path) -> None:
    asked: list[tuple[Head, str]] = []

    def holds(head: Head, session_id: str) -> bool:
        asked.append((head, session_id))
        return False

    leave_behind(tmp_path, A, "berlin")
    b = Claims(tmp_path, B, holds=holds)
    b.take("berlin")
    assert (b.held(), asked) == (["berlin"], [(A, "berlin")])


def test_a_lock_that_two_heads_hold_is_refused_and_named(tmp_path: Path) -> None:
    leave_behind(tmp_path, A, "berlin")
    b = Claims(tmp_path, B, holds=lambda head, _session_id: head == A)
    with pytest.raises(LocksNotShared, match=r"'berlin'.*head 'a'.*local_lock"):
        b.take("berlin")
    assert b.held() == []
    assert not is_held(tmp_path / "claims" / "berlin")
    assert decoded((tmp_path / "claims" / "berlin").read_bytes()) == (A, {"session": "berlin"})


def test_ids_that_the_storage_takes_for_one_are_refused(tmp_path: Path) -> None:
    a, b = Claims(tmp_path, A), Claims(tmp_path, B)
    a.take("berlin")
    os.link(tmp_path / "claims" / "berlin", tmp_path / "claims" / "BERLIN")
    for claims in (a, b):
        with pytest.raises(NotDistinct, match=r"'BERLIN'.*'berlin'"):
            claims.take("BERLIN")


def test_a_claim_without_a_readable_note_is_held_by_an_unknown_head(tmp_path: Path) -> None:
    lock = take(tmp_path / "claims" / "berlin", under=tmp_path)
    assert lock is not None
    lock.write(b'{"name": "a", "ur')
    with pytest.raises(HeldElsewhere, match="another head") as refused:
        Claims(tmp_path, B).take("berlin")
    assert refused.value.holder is None
    lock.release()


@pytest.mark.parametrize("note", [b"", b"[]", b"{}", b'{"name": "a"}', b"\xff\xfe", b"null"])
def test_an_unreadable_note_names_no_head(note: bytes) -> None:
    assert decoded(note) is None


@pytest.mark.parametrize("is_running", [True, False])
def test_a_claim_of_a_newer_release_is_refused_and_kept(tmp_path: Path, is_running: bool) -> None:
    note = encoded(A, session="berlin").replace(b'"format": 1', b'"format": 2')
    lock = take(tmp_path / "claims" / "berlin", under=tmp_path)
    assert lock is not None
    lock.write(note)
    if not is_running:
        lock.release(keeps_file=True)
    with pytest.raises(
        HeadNewer, match=r"head 'a' is of a newer release \(1\).*Update this server"
    ):
        Claims(tmp_path, B).take("berlin")
    assert (tmp_path / "claims" / "berlin").read_bytes() == note
    assert is_held(tmp_path / "claims" / "berlin") == is_running
    if is_running:
        lock.release()


def test_a_note_without_a_format_is_read() -> None:
    assert decoded(b'{"name": "a", "url": "http://127.0.0.1:1", "version": "1"}') == (A, {})


def test_a_head_does_not_start_beside_one_of_a_newer_release(tmp_path: Path) -> None:
    heads = Heads(tmp_path, B, key_life_s=0)
    lock = join(tmp_path, A)
    lock.write(encoded(A).replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(HeadNewer, match="do not run both releases"):
        heads.require_shared_locks()
    assert heads.others() == []
    lock.release(keeps_file=True)
    heads.require_shared_locks()  # it has ended


def test_a_head_beside_one_of_a_newer_release_says_why_it_does_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = join(tmp_path, A)
    lock.write(encoded(A).replace(b'"format": 1', b'"format": 2'))
    assert main(["--results-dir", str(tmp_path), "--head", "b", "--chat-model", "off"]) == 2
    reported = capsys.readouterr().err
    assert reported.startswith("Warmtalk cannot start.\nhead 'a' is of a newer release (1), whose")
    assert "Update this server" in reported
    lock.release()


def test_a_name_belongs_to_one_running_head(tmp_path: Path) -> None:
    with lock_folder(tmp_path, A), lock_folder(tmp_path, B):
        assert others(tmp_path, "a") == [B]
        with pytest.raises(CannotStart, match="head = 'a': a head of this name runs already at"):
            lock_folder(tmp_path, Head(name="a", url="http://127.0.0.1:3"))
        with pytest.raises(CannotStart, match="each need a name, the setting head"):
            lock_folder(tmp_path)
    assert others(tmp_path, "c") == []
    with lock_folder(tmp_path), pytest.raises(CannotStart, match="without the setting head"):
        lock_folder(tmp_path, A)


def test_a_killed_head_is_not_listed(tmp_path: Path) -> None:
    join(tmp_path, A).release(keeps_file=True)
    assert others(tmp_path, "b") == []
    join(tmp_path, A).release()


def test_all_heads_know_one_secret_that_others_cannot_read(tmp_path: Path) -> None:
    secret = relay_secret(tmp_path)
    assert relay_secret(tmp_path) == secret
    assert len(secret) == 64
    assert (tmp_path / "heads" / "relay-secret").stat().st_mode & 0o777 == 0o600


def test_the_successor_changes_only_for_the_sessions_of_a_head_that_ends() -> None:
    names = [Head(name=name, url="") for name in "abcde"]
    sessions = [f"session-{number}" for number in range(200)]

    def chosen(heads: list[Head]) -> dict[str, str]:
        return {each: max(heads, key=lambda head: weight(head, each)).name for each in sessions}

    before, after = chosen(names), chosen(names[1:])
    assert {before[each] for each in sessions} == set("abcde")
    assert all(after[each] == name for each, name in before.items() if name != "a")


def leave_behind(results: Path, head: Head, session_id: str) -> None:
    """Leave a claim file behind, as a killed head does."""
    lock = take(results / "claims" / session_id, under=results)
    assert lock is not None
    lock.write(encoded(head, session=session_id))
    lock.release(keeps_file=True)
