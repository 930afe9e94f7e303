"""The G2P of hibari-tts with its tables in a quarter of the memory."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tts.heart.packed_table import PackedTable

if TYPE_CHECKING:
    from hibari.g2p import G2P

_WEIGHTS = b',"weights":'


def load_g2p(oov: Callable[[str], str | None]) -> "G2P":
    """Load the lexica and the tagger; `oov` reads words that are in no lexicon.

    The result differs from hibari's own object only in the type of the tables; hibari's
    constructor would load them as dicts first. Raises ImportError without hibari-tts.
    """
    from hibari.g2p import ASSETS, G2P, Lexicon, Tagger, Tokenizer  # noqa: PLC0415 - takes 0.2 s

    assets = Path(ASSETS)
    tables = (
        PackedTable(_unpacked(assets / f"lexicon_us_{kind}.json.gz")) for kind in ("gold", "silver")
    )
    g2p = G2P.__new__(G2P)
    g2p.lexicon = Lexicon(*tables)
    g2p.tokenizer = Tokenizer(json.loads((assets / "tokenizer_exceptions.json").read_bytes()))
    g2p.tagger = _tagger(_unpacked(assets / "tagger.json.gz"), Tagger)
    g2p.unk, g2p.british, g2p._oov = "", False, oov
    return g2p


def _tagger(text: bytes, tagger: "Callable[[dict[str, object]], object]") -> object:
    """Return the tagger; its weights, the last value of the object, become a PackedTable."""
    small, found, weights = text.partition(_WEIGHTS)
    if not found:
        raise ValueError("the tagger of hibari-tts has no weights")
    model = json.loads(small + b"}")
    return tagger(model | {"weights": PackedTable(weights.removesuffix(b"}"))})


def _unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())
