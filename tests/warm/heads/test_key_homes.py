"""Homes of idempotency keys in a folder that heads share."""

import os
from pathlib import Path

from warm.heads.head import Head
from warm.heads.key_homes import FOLDER, SWEEP_S, KeyHomes

A = Head(name="a", url="http://127.0.0.1:1")
B = Head(name="b", url="http://127.0.0.1:2")


def test_the_home_of_a_key_is_the_head_that_receives_it_first(tmp_path: Path) -> None:
    a, b = (KeyHomes(tmp_path, head, life_s=60) for head in (A, B))
    assert a.home("anna", "one") == "a"
    assert b.home("anna", "one") == "a"
    assert b.home("ben", "one") == "b"  # each owner has keys of its own
    assert a.home("ben", "one") == "b"
    assert KeyHomes(tmp_path, B, life_s=60).home("anna", "one") == "a"  # after a restart
    assert len(list((tmp_path / FOLDER).iterdir())) == 2


def test_a_key_is_forgotten_after_its_last_use(tmp_path: Path) -> None:
    now_s = 1e9
    a, b = (KeyHomes(tmp_path, head, life_s=3000, now=lambda: now_s) for head in (A, B))
    for key in ("used", "unused"):
        a.home("", key)
    for path in (tmp_path / FOLDER).iterdir():
        os.utime(path, (now_s, now_s))
    now_s += 2000
    used = next((tmp_path / FOLDER).iterdir())
    os.utime(used, (now_s, now_s))
    now_s += 1000 + SWEEP_S
    b.home("", "other")
    names = {path.name for path in (tmp_path / FOLDER).iterdir()}
    assert len(names) == 2
    assert used.name in names


def test_keys_are_kept_if_jobs_are(tmp_path: Path) -> None:
    now_s = 1e9
    a, b = (KeyHomes(tmp_path, head, life_s=0, now=lambda: now_s) for head in (A, B))
    a.home("", "kept")
    now_s += 1e9
    assert b.home("", "kept") == "a"
