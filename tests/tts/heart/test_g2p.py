"""English text of any kind becomes symbols of the network, or a clear refusal."""

import random
import string
import unicodedata

import pytest

from tts.heart.g2p import HeartG2p, split_symbols
from tts.heart.readable_text import readable_text
from tts.heart.symbols import ALL_SYMBOLS, IPA
from tts.voice import SentenceFailed


def test_a_sentence_is_read_with_stress_and_punctuation(g2p: HeartG2p) -> None:
    assert g2p.symbols("Hello there, how are you?") == "həlˈO ðˈɛɹ, hˌW ɑɹ ju?"


@pytest.mark.parametrize("text", ["", " ", "...", "?!", "—", "“ ”", "()", "\n", "🙂", "-", "'"])
def test_text_without_a_sound_gives_no_symbols(g2p: HeartG2p, text: str) -> None:
    assert g2p.symbols(text) == ""


@pytest.mark.parametrize("digits", [16, 36, 37, 38, 100, 160])
def test_a_number_of_any_length_is_spelt_digit_by_digit(g2p: HeartG2p, digits: int) -> None:
    symbols = g2p.symbols(f"It is {'7' * digits} today.")
    assert symbols.count("sˈɛvən") == digits


@pytest.mark.parametrize("groups", [10, 12, 13, 30])
def test_a_number_with_commas_of_any_length_can_be_said(g2p: HeartG2p, groups: int) -> None:
    symbols = g2p.symbols("1" + ",000" * groups)
    assert symbols.startswith("wˈʌn")
    spelt = symbols.count("zˈɪɹO")
    assert spelt == (0 if 1 + 3 * groups <= 30 else 3 * groups)


@pytest.mark.parametrize(("written", "said"), [
    ("Dial 0188.", "Dial zero one eight eight."), ("Agent 007", "Agent zero zero seven"),
    ("Version 2.0.1", "Version 2 point zero point one"),
    ("192.168.0.1", "192 point 168 point 0 point 1"),
    ("a ratio of 3.30", "a ratio of three point three zero"),
    ("2.10 or 2.100", "2 point 1 0 or 2 point 1 0 0"), ("at 3.30 p.m.", "at 3:30 p.m."),
    ("at 3.30 on Monday", "at 3:30 on Monday"), ("by 12.05pm", "by 12:05pm"),
    ("1249 dollars", "1,249 dollars"), ("1350 kilometers", "1,350 kilometers"),
    ("3 1/2 cups", "three and one half cups"), ("2½ miles", "2 and one half miles"),
    ("No. 5", "number five"), ("I said no.", "I said no"), ("It is the Sun.", "It is the Sun"),
    ("① and ⑿", "1 and 12"), ("١٢٣", "123"), ("x is α", "x is alpha"),
    ("Ｈｅｌｌｏ", "Hello"), ("𝐇𝐞𝐥𝐥𝐨", "Hello"), ("cafe\u0301", "café"),
])  # fmt: skip
def test_numbers_and_letters_are_read_as_people_say_them(
    g2p: HeartG2p, written: str, said: str
) -> None:
    def sounds(text: str) -> str:
        return "".join(s for s in g2p.symbols(text) if s in IPA)

    assert sounds(written) == sounds(said)


@pytest.mark.parametrize(
    "text",
    [
        "$3.30",
        "3.50 meters",
        "10:30",
        "05:30",
        "01/02/2020",
        "0.05",
        "1,000",
        "1990s",
        "in 1969 men landed",
    ],
)
def test_ordinary_numbers_are_left_to_the_g2p(text: str) -> None:
    assert readable_text(text) == (text if text != "3.50 meters" else "3 point 5 0 meters")


def test_an_address_is_spelt_from_its_first_letter(g2p: HeartG2p) -> None:
    www = g2p.symbols("w w w dot")
    assert g2p.symbols("See www.example.org.").count(www) == 1


def test_markup_for_phonemes_is_read_as_text(g2p: HeartG2p) -> None:
    symbols = g2p.symbols("Say [hello](/vuh/) now.")
    assert "həlˈO" in symbols
    assert "vˈʌ" in symbols
    assert "vuh" not in symbols


@pytest.mark.parametrize(
    "text", ["Привет", "The word 東京 is Tokyo.", "مرحبا", "नमस्ते", "Αθήνα", "שלום", "안녕", "สวัสดี"]
)
def test_letters_of_another_script_are_refused_by_name(g2p: HeartG2p, text: str) -> None:
    with pytest.raises(SentenceFailed, match=r"^contains '.+', and this voice reads Latin letters"):
        g2p.symbols(text)


@pytest.mark.parametrize("mark", '"“”„«»[]{}`*_~|¿¡′″†‡‐→≤≈∞《》「」')
def test_a_word_next_to_a_mark_is_found_in_the_dictionary(g2p: HeartG2p, mark: str) -> None:
    """The network for unknown words says "hello" with another vowel."""
    for text in (f"say {mark}hello now", f"say hello{mark} now", f"say {mark}hello{mark} now"):
        assert "həlˈO" in g2p.symbols(text)


def test_a_long_unknown_word_is_read_to_its_end(g2p: HeartG2p) -> None:
    symbols = g2p.symbols("Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogoch")
    assert symbols.endswith("ɡəɡɑk")
    assert len(g2p.symbols("blorptang" * 30)) > 150


@pytest.mark.parametrize("name", ["Łódź", "Nguyễn", "Dvořák", "Ħal", "Siobhán", "Håkon", "Đặng"])
def test_names_with_any_latin_letter_have_sounds(g2p: HeartG2p, name: str) -> None:
    assert sum(symbol in IPA for symbol in g2p.symbols(name)) >= 3


def test_repeated_marks_become_one_pause(g2p: HeartG2p) -> None:
    assert g2p.symbols("What?!?!?!?!?!").endswith("t?!")
    assert g2p.symbols("Well......... no").count("…") == 1
    assert "." not in g2p.symbols("Well......... no")


def test_long_text_is_divided_between_words_within_the_limit(g2p: HeartG2p) -> None:
    symbols = g2p.symbols("9" * 160)
    parts = list(split_symbols(symbols, 240))
    assert all(len(part) <= 240 for part in parts)
    assert "".join(parts).replace(" ", "") == symbols.replace(" ", "")
    assert all(part.endswith((",", "n")) for part in parts)
    assert [len(part) for part in split_symbols("ˈa" * 300, 99)][:2] == [98, 98]


@pytest.mark.slow
def test_no_number_or_symbol_of_unicode_makes_the_g2p_fail(g2p: HeartG2p) -> None:
    """They are sampled, in words, next to digits and repeated."""
    spoken = [chr(code) for code in range(0x20, 0x1FBFF) if _is_number_or_symbol(chr(code))]
    for each in spoken[:160:3] + spoken[160::23]:
        _check(g2p, f"a{each} 1{each}2 {each}{each}")


@pytest.mark.slow
def test_no_mixture_of_marks_digits_and_letters_makes_the_g2p_fail(g2p: HeartG2p) -> None:
    chance = random.Random(5)
    alphabet = string.printable + "“”’—–…½²°€£¥$%0123456789.,:/-" * 2
    for _ in range(60):
        _check(g2p, "".join(chance.choices(alphabet, k=chance.randrange(1, 40))))


def _is_number_or_symbol(character: str) -> bool:
    return unicodedata.category(character)[0] in "NSP"


def _check(g2p: HeartG2p, text: str) -> None:
    try:
        symbols = g2p.symbols(text)
    except SentenceFailed as refusal:
        assert "Latin" in str(refusal), (text, refusal)
    else:
        assert set(symbols) <= ALL_SYMBOLS, text
