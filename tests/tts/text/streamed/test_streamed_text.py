"""A text that arrives in pieces is cut into units as it would be read as a whole."""

from tts.text.streamed.streamed_text import StreamedText


def test_the_units_of_a_text_are_its_sentences_without_markup() -> None:
    streamed = StreamedText()
    units = streamed.feed("Hello **th") + streamed.feed("ere**! How are you?") + streamed.end()
    assert [unit.plain.text for unit in units] == ["Hello there!", "How are you?"]
