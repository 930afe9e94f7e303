"""The part of a text that a viewer has heard, by the position of the player."""

import pytest

from tests.polling import wait_until
from tests.sessions import film_of, session_of
from tts.text.plain_text import PlainText
from warm.render.growing_text import GrowingText
from warm.render.heard import SpokenSentenceRecord, heard_until, spoken_sentences
from warm.render.jobs import FragmentCommitted, HeardText, SpeechReady, SpokenWord
from warm.runtime import Runtime

TEXT = "One two. — Three."


def word(start: int, end: int, start_s: float | None, end_s: float | None) -> SpokenWord:
    return SpokenWord(start=start, end=end, start_s=start_s, end_s=end_s)


SENTENCES = [
    SpokenSentenceRecord(
        start=0,
        end=8,
        start_s=10.0,
        end_s=12.0,
        words=(word(0, 3, 10.2, 10.6), word(4, 8, 10.6, 11.6)),
    ),
    SpokenSentenceRecord(
        start=9,
        end=17,
        start_s=12.0,
        end_s=14.0,
        words=(word(9, 10, None, None), word(11, 17, 12.2, 13.2)),
    ),
]


@pytest.mark.parametrize(
    ("position_s", "heard"),
    [
        (0.0, ""),
        (10.0, ""),
        (10.39, ""),
        (10.41, "One"),
        (11.1, "One"),
        (11.2, "One two."),
        (12.0, "One two."),
        (12.7, "One two."),
        (12.71, TEXT),
        (99.0, TEXT),
    ],
)
def test_a_word_is_heard_when_more_than_half_of_it_has_sounded(
    position_s: float, heard: str
) -> None:
    assert TEXT[: heard_until(SENTENCES, position_s)] == heard


def test_an_interruption_reports_the_words_of_the_clip_that_the_viewer_has_heard(
    runtime: Runtime,
) -> None:
    session, choice = session_of(runtime), runtime.choose()
    first = runtime.speak(session, "The first clip.", choice).result()
    text = GrowingText()
    text.add(PlainText.of("This is the second clip, of which not everything is heard."))
    job = runtime.speak_growing(session, text, choice)
    end = first.clip.frames + 50
    wait_until(lambda: film_of(runtime).committed.frames > end, "2 s of film")
    (ready,) = (event for event in job.live_events if isinstance(event, SpeechReady))
    assert ready.start_s == first.clip.frames / 25
    third = ready.words[2]
    assert third.start_s is not None and third.end_s is not None
    at_s = third.start_s + 0.75 * (third.end_s - third.start_s)
    assert runtime.interrupt(session, at_s).heard == HeardText(clip=1, text="This is the")
    assert runtime.interrupt(session, first.clip.frames / 25).heard == HeardText(clip=1, text="")
    assert runtime.interrupt(session, 0.0).heard == HeardText(clip=0, text="")
    assert [each.start for each in spoken_sentences(job.live_events)] == [0]


def test_nothing_is_reported_where_all_of_a_text_was_heard(runtime: Runtime) -> None:
    session = session_of(runtime)
    result = runtime.speak(session, "Hello.", runtime.choose()).result()
    assert runtime.interrupt(session, result.session_frames / 25).heard is None
    runtime.reset(session, {})
    assert runtime.interrupt(session, 1.0).heard is None


def test_words_after_the_cut_of_an_interrupted_clip_were_not_said(runtime: Runtime) -> None:
    session, long = session_of(runtime), "Much too long to be said. " * 4
    job = runtime.speak(session, long, runtime.choose(), lead_s=1.0)
    for event in job.events():
        if isinstance(event, FragmentCommitted) and event.fragment.first_frame > 12:
            break
    end_s = runtime.interrupt(session, 0.0).frame / 25
    result = job.result()
    assert result.said_end_s is not None and result.said_end_s < end_s
    said = spoken_sentences(job.live_events)
    timed = [word for each in said for word in each.words if word.end_s is not None]
    middles = [((word.start_s or 0.0) + (word.end_s or 0.0)) / 2 for word in timed]
    assert all(middle < result.said_end_s for middle in middles)
    assert heard_until(said, end_s) == heard_until(said, result.said_end_s)
    captions = [cue.text for cue in film_of(runtime).cues() if cue.text]
    assert captions == [job.text[each.start : each.end] for each in said]


def test_the_text_of_an_interrupted_clip_that_grew_is_what_was_said(runtime: Runtime) -> None:
    session, text = session_of(runtime), GrowingText()
    text.add(PlainText.of("Nobody will ever hear the end of this long sentence."))
    job = runtime.speak_growing(session, text, runtime.choose(), lead_s=1.0)
    for event in job.events():
        if isinstance(event, FragmentCommitted) and event.fragment.first_frame > 12:
            break
    runtime.interrupt(session)
    result = job.result()
    (said,) = spoken_sentences(job.live_events)
    assert result.clip.text == text.text[: said.end] != text.text
    assert not result.clip.is_whole
