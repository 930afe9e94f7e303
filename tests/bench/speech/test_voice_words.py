"""The measurement of intelligibility counts words, and names a judge that is missing."""

import pytest

from bench.speech import time_sentences, word_sentences
from bench.speech.judges import JudgeMissing, judge
from bench.speech.whisper_judge import word_errors

SAID = "the cat sat on the mat"


@pytest.mark.parametrize(("heard", "errors"), [
    ("the cat sat on the mat", 0), ("the cat sat on mat", 1), ("a cat sat on the the mat", 2),
    ("", 6), ("mat the on sat cat the", 4),
])  # fmt: skip
def test_word_errors_are_replaced_inserted_and_missing_words(heard: str, errors: int) -> None:
    assert word_errors(SAID.split(), heard.split()) == errors


def test_a_missing_judge_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(
        JudgeMissing, match=r"no_such_judge.*pip install -r requirements-bench\.txt"
    ):
        judge("no_such_judge")


def test_no_sentence_is_both_tuned_on_and_measured() -> None:
    assert not set(time_sentences.TUNING) & set(time_sentences.MEASURED)
    assert not set(word_sentences.TRIALS) & set(word_sentences.MEASURED)
    assert len(set(time_sentences.MEASURED)) >= 100
    assert len(set(word_sentences.MEASURED)) >= 100
