"""The G2P with packed tables reads as the original does."""

import pytest
from hibari.g2p import G2P, _load_json

from tts.heart.lean_g2p import load_g2p

TEXTS = (
    "I used to live here, but I have never read that record.",
    "She will present the present to the minister at 9:30 on March 4th, 2019.",
    "Don't project the project's cost of $3,200.50 onto NASA's AI-lab!",
    "“It's O'Neill's,” he said — isn't it? The U.S. team won 21-14.",
    "Wind the clock; the wind is close to 50 km/h near St. John's.",
    "Polishing Polish furniture, bass players eat bass with Siobhán.",
)


@pytest.mark.slow
def test_the_lean_g2p_gives_the_symbols_of_the_original() -> None:
    def spelt(word: str) -> str:
        return f"<{word}>"

    original, lean = G2P(oov=spelt), load_g2p(spelt)
    assert [lean(text) for text in TEXTS] == [original(text) for text in TEXTS]
    assert [lean(text.upper()) for text in TEXTS] == [original(text.upper()) for text in TEXTS]
    silver = _load_json("lexicon_us_silver.json.gz")
    words = list(silver)[::50]
    assert [lean.lexicon.silvers.d.get(word) for word in words] == [silver[w] for w in words]
