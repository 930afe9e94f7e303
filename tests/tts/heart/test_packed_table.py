"""A packed table answers as the dict of the same JSON object."""

import json

import pytest

from tts.heart.packed_table import PackedTable

ENTRIES = {
    "word": "wˈɜɹd",
    "": "empty",
    'quo"te': 'a "quote"',
    "back\\slash": "\\",
    "new\nline": "\n",
    "naïve": "nɑˈiv",
    "世": "界",
    "a:b,c}": "{:,}",
    "used": {"DEFAULT": "jˈuzd", "VBD": None},
    "weights": {",": -1.5, "``": 3},
    "none": None,
    "true": True,
    "number": -2.5e3,
}


def packed(value: object) -> PackedTable:
    return PackedTable(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def test_every_entry_is_found_with_its_value() -> None:
    table = packed(ENTRIES)
    assert {key: table.get(key) for key in ENTRIES} == ENTRIES


@pytest.mark.parametrize(
    "key", ["Word", "wor", "ord", "word\n", "jˈuzd", "VBD", "DEFAULT", ",", '"']
)
def test_other_keys_are_not_found(key: str) -> None:
    assert packed(ENTRIES).get(key) is None


def test_large_tables_of_many_buckets_are_complete() -> None:
    entries = {f"word{number}": f"value{number * number}" for number in range(5000)}
    table = packed(entries)
    assert all(table.get(key) == value for key, value in entries.items())
    assert table.get("word5000") is None


def test_an_empty_object_has_no_entries() -> None:
    assert packed({}).get("word") is None


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"a":1', b'{"a":1}}', b'{"a":[1]}', b'{"a":1,,"b":2}', b'{"a" :1}', b"x"]
)
def test_other_text_is_refused_rather_than_read_in_part(text: bytes) -> None:
    with pytest.raises(ValueError, match="no entry of a JSON object"):
        PackedTable(text)
