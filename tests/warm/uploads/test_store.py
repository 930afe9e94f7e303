"""The store keeps what it has confirmed, once, and nothing else."""

import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import warm.uploads.store
from tests.api.test_uploads import png
from warm.uploads.errors import (
    UnknownUpload,
    UploadDamaged,
    UploadInUse,
    UploadNotAllowed,
    UploadsFull,
    UploadTooLarge,
)
from warm.uploads.store import UploadLimits, UploadStore, display_name
from warm.uploads.upload import ALL_KINDS, Content, Upload

PNG = png()


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


Open = Callable[..., UploadStore]


@pytest.fixture
def opened(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens stores in one folder, as after a restart. Their files are not examined."""
    stores: list[UploadStore] = []
    content = Content(kind="picture", media_type="image/png", suffix=".png", facts={"width": 64})
    monkeypatch.setattr(warm.uploads.store, "examine", lambda *_, **__: content)

    def make(**limits: Any) -> UploadStore:
        named = {"ttl_s": 100.0, **limits}
        stores.append(UploadStore(tmp_path / "uploads", UploadLimits(**named), clock=clock))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def put(store: UploadStore, data: bytes = PNG, name: str = "a.png") -> Upload:
    return store.receive([data[:10], data[10:]], allowed=ALL_KINDS, owner="ann", name=name)


def files(tmp_path: Path) -> list[str]:
    return sorted(
        str(path.relative_to(tmp_path / "uploads"))
        for path in (tmp_path / "uploads").rglob("*")
        if path.is_file()
    )


def test_the_same_bytes_are_stored_once_until_the_last_upload_is_removed(
    opened: Open, tmp_path: Path
) -> None:
    store = opened()
    first, second = put(store), put(store)
    assert first.id != second.id
    assert first.path == second.path
    assert store.stored_bytes == len(PNG)
    store.remove(first.id)
    assert second.path.read_bytes() == PNG
    store.remove(second.id)
    assert files(tmp_path) == []


def test_a_restart_finds_the_uploads_and_removes_leftovers(opened: Open, tmp_path: Path) -> None:
    upload = put(opened())
    folder = tmp_path / "uploads"
    (folder / "incoming" / "half").write_bytes(b"x")
    (folder / "content" / ("0" * 64)).write_bytes(b"without a record")
    (folder / "records" / f"{'1' * 32}.json").write_text("{", encoding="utf-8")
    record = json.loads((folder / "records" / f"{upload.id}.json").read_text(encoding="utf-8"))
    lost = {**record, "id": "2" * 32, "sha256": "3" * 64}
    (folder / "records" / f"{'2' * 32}.json").write_text(json.dumps(lost), encoding="utf-8")
    (folder / "records" / f"{upload.id}.json.new").write_text("{", encoding="utf-8")
    store = opened()
    assert store.of_owner("ann") == [upload]
    assert store.of_owner("bob") == []
    assert files(tmp_path) == [f"content/{upload.sha256}", f"records/{upload.id}.json"]


def test_an_expired_upload_is_removed_unless_something_uses_it(
    opened: Open, clock: Clock, tmp_path: Path
) -> None:
    store = opened()
    expired, held, used = put(store), put(store, b"b" + PNG), put(store, b"c" + PNG)
    store.keep_while_used(lambda: {used.id})
    with store.hold(held.id):
        clock.now_s += 101
        with pytest.raises(UnknownUpload):
            store.get(expired.id)
        store.sweep()
        assert {each.id for each in store.of_owner(None)} == {held.id, used.id}
        assert store.get(held.id) == held
        with pytest.raises(UploadInUse):
            store.remove(held.id)
    store.sweep()
    assert store.of_owner(None) == [used]
    with pytest.raises(UploadInUse):
        store.remove(used.id)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", UploadDamaged),
        (bytes(2000), UploadTooLarge),
        (b"#EXTM3U\nhttp://a/\n" * 5, UploadNotAllowed),
        (b"%PDF-1.7", UploadNotAllowed),
    ],
)
def test_a_refused_file_leaves_nothing(
    opened: Open, tmp_path: Path, data: bytes, error: type[Exception]
) -> None:
    store = opened(max_bytes=1000)
    with pytest.raises(error):
        put(store, data)
    assert files(tmp_path) == []


def test_a_large_file_of_another_format_is_refused_after_its_beginning(opened: Open) -> None:
    store, sent = opened(), []

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            sent.append(True)
            yield b"<html>" * 1000

    with pytest.raises(UploadNotAllowed):
        store.receive(chunks(), allowed=ALL_KINDS, owner="")
    assert len(sent) == 1


def test_all_files_together_have_a_limit(opened: Open, tmp_path: Path, clock: Clock) -> None:
    store = opened(max_total_bytes=int(1.5 * len(PNG)))
    put(store)
    with pytest.raises(UploadsFull, match="max_uploads_mb"):
        put(store, b"b" + PNG)
    assert len(files(tmp_path)) == 2
    clock.now_s += 101
    put(store, b"b" + PNG)


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename"])
def test_a_full_disk_is_reported_and_nothing_is_left(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store = opened()

    def fail(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail) if call != "rename" else patch.setattr(Path, call, fail)
        with pytest.raises(UploadsFull, match="disk is full"):
            put(store)
    assert files(tmp_path) == []
    assert put(store).path.read_bytes() == PNG


def test_a_client_that_leaves_leaves_nothing(opened: Open, tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield PNG
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        opened().receive(chunks(), allowed=ALL_KINDS, owner="")
    assert files(tmp_path) == []


def test_uploads_and_removals_at_once_lose_nothing(opened: Open, tmp_path: Path) -> None:
    store = opened()
    kept: list[Upload] = []

    def work(number: int) -> None:
        for round_number in range(5):
            upload = put(store)
            if number == round_number:
                kept.append(upload)
            else:
                store.remove(upload.id)
            with suppress(UnknownUpload):
                store.remove("0" * 32)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {each.id for each in store.of_owner(None)} == {each.id for each in kept}
    assert len(files(tmp_path)) == 1 + len(kept)
    assert kept[0].path.read_bytes() == PNG


@pytest.mark.parametrize(
    "upload_id", ["", ".", "..", "../x", "a/b", "\0", "0" * 31, "0" * 33, "А" * 32, "0" * 99999]
)
def test_what_is_no_id_is_unknown(opened: Open, upload_id: str) -> None:
    store = opened()
    put(store)
    for call in (store.get, store.remove):
        with pytest.raises(UnknownUpload) as caught:
            call(upload_id)
        assert len(str(caught.value)) < 1000


def test_only_own_addresses_are_recognised(opened: Open) -> None:
    store = opened()
    upload = put(store)
    path = store.url_path(upload)
    for url in (path, f"https://any.example{path}", f"http://a/talk{path}?x=1", path[:-4]):
        assert store.of_url(url) == upload
    others = (
        *(path + "/x", path[:-4] + ".jpg", f"/uploads/../{upload.id}", path.upper(), "[", ""),
        *(f"/uploads/{'0' * 32}.png", f"http://a/uploads/{upload.id}\0", f"/x/{upload.id}.png"),
    )
    for url in others:
        assert store.of_url(url) is None, url


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\faces\\a.png", "a.png"),
        ("a\0b\r\n\u202e.png", "ab.png"),
        ("..", ""),
        ("x" * 500, "x" * 120),
    ],
)
def test_names_are_for_display_only(name: str, shown: str) -> None:
    assert display_name(name) == shown
