"""Parts of a text in another script are read in the language of that script."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.text.scripts import script_runs


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Plain words, 123.", [("Plain words, 123.", None)]),
        ("en", "Привет means hello", [("Привет ", "ru"), ("means hello", None)]),
        ("ru", "Привет means hello", [("Привет ", None), ("means hello", "en")]),
        ("en", "Київ is a city", [("Київ ", "uk"), ("is a city", None)]),
        ("en", "Say «мир»!", [("Say ", None), ("«мир»!", "ru")]),
        ("en", "漢字 (かんじ) it is", [("漢字 (かんじ) ", "ja"), ("it is", None)]),
        ("en", "你好 it is", [("你好 ", "zh"), ("it is", None)]),
        ("ja", "日本語です", [("日本語です", None)]),
        ("en", "한국어", [("한국어", "ko")]),
        ("en", "سلام", [("سلام", "ar")]),
        ("en", "پارسی", [("پارسی", "fa")]),
        ("fa", "سلام", [("سلام", None)]),
        ("bg", "Здравей", [("Здравей", None)]),
        ("zh", "我的 iPhone 很好", [("我的 iPhone 很好", None)]),
        ("zh", "他说 how are you today", [("他说 ", None), ("how are you today", "en")]),
        ("ru", "Открой www.example.com и a_b", [("Открой www.example.com и a_b", None)]),
        ("ru", "OK", [("OK", None)]),
        ("en", "π is 3", [("π is 3", None)]),
        ("en", "αβγ", [("αβγ", "el")]),
        ("en", "The letter я it is", [("The letter ", None), ("я ", "ru"), ("it is", None)]),
        ("en", "ﾊﾝｶｸ ｆｕｌｌ 𝐛𝐨𝐥𝐝", [("ﾊﾝｶｸ ", "ja"), ("ｆｕｌｌ 𝐛𝐨𝐥𝐝", None)]),
        ("sr", "Dobro јутро", [("Dobro јутро", None)]),
        ("en", "", [("", None)]),
        ("en", "ᚠᚢᚦ it is", [("ᚠᚢᚦ ", "und"), ("it is", None)]),
        ("lo", "ພາສາລາວ", [("ພາສາລາວ", None)]),
        ("ja", "人々は", [("人々は", None)]),
        ("en", "⼀ ℵ ΔT", [("⼀ ", "zh"), ("ℵ ", "he"), ("ΔT", None)]),
    ],
)
def test_runs_by_script(language: str, text: str, expected: list[tuple[str, str | None]]) -> None:
    runs = script_runs(text, language)
    assert [(text[run.start : run.end], run.language) for run in runs] == expected


@given(
    st.text(alphabet="ab яб 字かな한글 שα.,«()1\u0301", max_size=60),
    st.sampled_from(["en", "ru", "ja"]),
)
def test_runs_are_the_whole_text_in_order(text: str, language: str) -> None:
    runs = script_runs(text, language)
    assert "".join(text[run.start : run.end] for run in runs) == text
    languages = [run.language for run in runs]
    assert all(one != other for one, other in pairwise(languages))
