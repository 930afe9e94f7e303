"""The page's own detector of speech, on samples whose speech is known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver import Chrome

from tests.web.browsing import browser_tests
from tests.web.spoken_samples import RATE_HZ, Samples, as_text, joined, silence, spoken

MODEL = Path(__file__).resolve().parents[2] / "web" / "vendor" / "silero" / "silero_vad_v6.onnx"

pytest_plugins = ["tests.web.page_fixtures"]
needs_network = pytest.mark.skipif(
    not MODEL.is_file(),
    reason="the detector's network is missing: install npm and run `make setup`",
)
pytestmark = [*browser_tests, needs_network]

LISTEN = """
const [recorded, film, { gain = 0, delay = 0 }] = arguments;
const { Listener } = await import("/web/microphone/listener.js");
const model = await (await fetch("/web/vendor/silero/silero_vad_v6.onnx")).arrayBuffer();
const decode = (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32768);
};
const [voice, text] = [decode(recorded), decode(film)];
const listener = new Listener(model);
const played = new Float32Array(voice.length);
const events = [];
let [position, isPaused] = [0, false];
for (let start = 0; start + 512 <= voice.length; start += 512) {
  for (let at = start; at < start + 512 && !isPaused && text.length > 0; at += 1) {
    played[at] = text[position % text.length];
    position += 1;
  }
  const microphone = voice.slice(start, start + 512).map((sample, at) => {
    const echo = (ms) => played[start + at - Math.round(16 * (delay + ms))] ?? 0;
    return sample + gain * (echo(0) + 0.4 * echo(11) - 0.3 * echo(29) + 0.2 * echo(63));
  });
  for (const { type, frames } of listener.process(microphone, played.slice(start, start + 512))) {
    events.push([(start + 512) / 16000, type, frames ? 512 * frames.length : 0]);
    if (["sign", "person"].includes(type)) isPaused = true;
    if (["false-alarm", "word", "end"].includes(type)) isPaused = false;
  }
}
return events;
"""

Listen = Callable[..., list[tuple[float, str, int]]]


@pytest.fixture
def listen(browser: Chrome, port: int) -> Listen:
    """A function that runs a `Listener` over samples of a microphone and of a film.

    The microphone also hears the film, as in a room, with a gain and a delay in milliseconds; the
    film pauses while somebody seems to speak. Returns time, type and samples of each event.
    """
    browser.get(f"http://127.0.0.1:{port}/health")

    def listen(microphone: Samples, film: Samples | None = None, **echo: float) -> Any:
        body = f"return (async function () {{ {LISTEN} }}).apply(null, arguments)"
        played = "" if film is None else as_text(film)
        return browser.execute_script(body, as_text(microphone), played, echo)  # type: ignore[no-untyped-call]

    return listen


@pytest.fixture(scope="module")
def sentence() -> Samples:
    return spoken("Please wait a moment.", "espeak:en-gb")


@pytest.fixture(scope="module")
def film() -> Samples:
    return spoken("Good morning, and thank you for calling. It is going to rain tomorrow.")


def noise(seconds: float, level: float) -> Samples:
    values = np.random.default_rng(7).normal(0, level, round(seconds * RATE_HZ))
    return values.astype(np.float32)


def with_noise(samples: Samples, level: float = 0.002) -> Samples:
    return (samples + noise(len(samples) / RATE_HZ, level)[: len(samples)]).astype(np.float32)


def kinds(events: list[tuple[float, str, int]]) -> list[str]:
    return [kind for _, kind, _ in events]


def test_a_sentence_is_one_utterance_from_its_first_sound_to_its_last(
    listen: Listen, sentence: Samples
) -> None:
    events = listen(with_noise(joined([silence(1), sentence, silence(1)])))
    assert kinds(events) == ["sign", "person", "pause", "end"]
    (*_, (paused_s, _, paused), (end_s, _, samples)) = events
    begin_s, last_s = 1.0, 1 + len(sentence) / RATE_HZ
    assert samples == paused
    assert paused_s - samples / RATE_HZ < begin_s
    assert last_s < paused_s < end_s


def test_an_early_pause_does_not_end_the_utterance(listen: Listen, sentence: Samples) -> None:
    voice = joined([silence(1), sentence, silence(0.4), sentence, silence(1)])
    events = listen(with_noise(voice))
    assert kinds(events) == ["sign", "person", "pause", "resumed", "pause", "end"]
    assert events[-1][2] > 2 * len(sentence)


@pytest.mark.parametrize("kind", ["silence", "noise", "tones", "clicks"])
def test_what_is_not_speech_is_no_person(listen: Listen, kind: str) -> None:
    times_s = np.arange(4 * RATE_HZ) / RATE_HZ
    tones = sum(np.sin(2 * np.pi * hz * times_s) for hz in (220, 277.2, 329.6)) / 6
    sounds = {
        "silence": silence(4),
        "noise": noise(4, 0.05),
        "tones": (tones * (0.5 + 0.5 * np.sin(2 * np.pi * 2 * times_s))).astype(np.float32),
        "clicks": noise(4, 0.3) * np.exp(-((times_s % 0.5) / 0.01)).astype(np.float32),
    }
    assert "person" not in kinds(listen(sounds[kind].astype(np.float32)))


@pytest.mark.parametrize(("gain", "delay"), [(0.1, 15), (0.7, 200)])
def test_the_films_own_sound_in_the_microphone_is_no_person(
    listen: Listen, film: Samples, gain: float, delay: float
) -> None:
    events = listen(noise(8, 0.002), film, gain=gain, delay=delay)
    assert not {"person", "word"} & set(kinds(events))
    assert kinds(events).count("sign") <= 1


@pytest.mark.parametrize(("gain", "delay"), [(0, 0), (0.3, 90)])
def test_a_person_who_talks_over_the_film_is_noticed(
    listen: Listen, film: Samples, sentence: Samples, gain: float, delay: float
) -> None:
    voice = with_noise(joined([silence(4), sentence, silence(1)]))
    events = listen(voice, film, gain=gain, delay=delay)
    (noticed_s,) = [at_s for at_s, kind, _ in events if kind == "person"]
    assert 4 < noticed_s < 4 + len(sentence) / RATE_HZ


@pytest.mark.parametrize(("gain", "delay"), [(0, 0), (0.2, 60)])
@pytest.mark.parametrize("text", ["Stop.", "Hello?"])
def test_a_single_word_over_the_film_is_noticed(
    listen: Listen, film: Samples, text: str, gain: float, delay: float
) -> None:
    word = spoken(text, "espeak:en-us")
    voice = with_noise(joined([silence(4), word, silence(1.5)]))
    events = listen(voice, film, gain=gain, delay=delay)
    (sign, noticed, *_) = [kind for at_s, kind, _ in events if at_s > 4]
    assert (sign, noticed) in (("sign", "word"), ("sign", "person"))


IS_ECHO = """
const { isEcho } = await import("/web/microphone/echo_text.js");
return arguments[0].map(([recognised, said]) => isEcho(recognised, said));
"""


def test_words_that_the_face_has_just_said_are_its_echo(browser: Chrome, port: int) -> None:
    browser.get(f"http://127.0.0.1:{port}/health")
    said = "There is a lot to say about it. Der Süden bleibt trocken. 明天会下雨。"
    echoes = ["There's a lot.", "say about", "Saying about it", "süden bleibt", "会下雨", ""]
    words = ["Stop.", "Hello?", "Sei still!", "Wait, stop it", "等一下"]
    body = f"return (async function () {{ {IS_ECHO} }}).apply(null, arguments)"
    pairs = [[text, said] for text in (*echoes, *words)]
    answers = browser.execute_script(body, pairs)  # type: ignore[no-untyped-call]
    assert answers == [*[True] * len(echoes), *[False] * len(words)]


LOUD_SIGNS = """
const [recorded, film, gain] = arguments;
const { LoudSign } = await import("/web/microphone/loud_sign.js");
const decode = (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32768);
};
const [voice, played] = [decode(recorded), decode(film)];
const sign = new LoudSign();
const own = (at) => (at < 0 ? 0 : played[at % played.length]);
const signs = [];
voice.forEach((sample, at) => {
  if (sign.add(sample + gain * own(at - 800), own(at))) signs.push(at / 16000);
});
return signs;
"""


@pytest.mark.parametrize("gain", [0.0, 0.05, 0.3])
def test_the_first_sound_of_a_voice_is_a_sign_and_the_films_own_sound_is_none(
    browser: Chrome, port: int, film: Samples, sentence: Samples, gain: float
) -> None:
    browser.get(f"http://127.0.0.1:{port}/health")
    body = f"return (async function () {{ {LOUD_SIGNS} }}).apply(null, arguments)"
    voice = with_noise(joined([silence(6), sentence]))
    own = browser.execute_script(body, as_text(noise(6, 0.002)), as_text(film), gain)  # type: ignore[no-untyped-call]
    signs = browser.execute_script(body, as_text(voice), as_text(film), gain)  # type: ignore[no-untyped-call]
    assert own == []
    assert all(at_s > 6 for at_s in signs)
    assert gain > 0.1 or 6 < signs[0] < 6.2
