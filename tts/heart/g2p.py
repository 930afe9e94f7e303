"""English text to the phoneme symbols of the voice `heart`, by the G2P of hibari-tts."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from tts.heart.given_ipa import heart_symbols
from tts.heart.lean_g2p import load_g2p
from tts.heart.network import PACKAGE
from tts.heart.readable_text import readable_text, unreadable_letters
from tts.heart.symbols import ALL_SYMBOLS, IPA, PAUSES, SPACE, STRESS
from tts.heart.unknown_words import UnknownWords
from tts.voice import SentenceFailed, VoiceUnavailable

if TYPE_CHECKING:
    from hibari.g2p import G2P

_SHOWN_LETTERS = 5
_PLACEHOLDER = "word"
_DOTS = re.compile(r"\.{2,}")
_PAUSE_SHARE = 0.4
"""A pause beyond this share of a part is a better end than a later space."""


class HeartG2p:
    """Reads one sentence at a time. Used by one thread."""

    def __init__(self) -> None:
        """Load the dictionaries and the network for unknown words: 25 MB, half a second.

        Raises VoiceUnavailable if the package is not installed.
        """
        self._g2p = _load()
        self.symbols("Wrmtlkx is no word.")  # the first unknown word takes 50 ms longer

    def symbols(self, text: str) -> str:
        """Return the symbols of a sentence; "" if it has no sound.

        Raises SentenceFailed if it has letters that are not Latin.
        """
        return self._symbols_of(_readable(text))

    def pronounced(self, parts: Iterable[tuple[str, str | None]]) -> str:
        """Return the symbols of parts of a sentence, each with its pronunciation in IPA, or None.

        Raises the errors of `symbols`.
        """
        marked = ""
        for text, ipa in parts:
            if ipa is None:
                marked += _readable(text)
            elif symbols := heart_symbols(ipa):
                marked += f"[{_PLACEHOLDER}](/{symbols}/)"  # the notation of hibari's G2P
        return self._symbols_of(marked)

    def _symbols_of(self, text: str) -> str:
        try:
            raw: str = self._g2p(text)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise SentenceFailed(
                f"cannot be read by {PACKAGE} ({type(error).__name__}: {error})"
            ) from error
        known = "".join(symbol for symbol in raw if symbol in ALL_SYMBOLS)
        return _without_repeats(known) if any(symbol in IPA for symbol in known) else ""


def split_symbols(symbols: str, limit: int) -> Iterator[str]:
    """Divide symbols into parts of at most `limit`: after a pause, else after a space."""
    while len(symbols) > limit:
        cut = _cut(symbols[:limit])
        yield from _if_sounding(symbols[:cut])
        symbols = symbols[cut:]
    yield from _if_sounding(symbols)


def _readable(text: str) -> str:
    """Return a text as hibari-tts reads it; raises SentenceFailed for foreign letters."""
    foreign = unreadable_letters(text)
    if foreign:
        raise SentenceFailed(
            f"contains {foreign[:_SHOWN_LETTERS]!r}, and this voice reads Latin letters only"
        )
    return readable_text(text)


def _cut(symbols: str) -> int:
    pause = max(map(symbols.rfind, PAUSES)) + 1
    if pause > _PAUSE_SHARE * len(symbols):
        return pause
    space = symbols.rfind(SPACE) + 1
    return space or len(symbols) - (symbols[-1] in STRESS)


def _if_sounding(symbols: str) -> Iterator[str]:
    if any(symbol in IPA for symbol in symbols):
        yield symbols.strip(SPACE)


def _without_repeats(symbols: str) -> str:
    """Return symbols with each pause once in a run of pauses and spaces; dots as an ellipsis."""
    runs = groupby(_DOTS.sub("…", symbols), key=_is_quiet)
    return "".join("".join(dict.fromkeys(run) if quiet else run) for quiet, run in runs)


def _is_quiet(symbol: str) -> bool:
    return symbol in PAUSES or symbol == SPACE


def _load() -> "G2P":
    try:
        from hibari.g2p.oov import OOV  # noqa: PLC0415 - optional

        network = OOV()
        return load_g2p(UnknownWords(network, network.cin))
    except ImportError as error:
        raise VoiceUnavailable(
            f"the voice heart needs the package {PACKAGE}, which is not installed. "
            f"Install it with `pip install {PACKAGE}`."
        ) from error
