"""History of a conversation after random interruptions, compared with the sound of its films.

A real server answers with a scripted model, and is interrupted at a random position of the player.
The reference comes from the decoded sound of the film: espeak speaks the same answer, its words are
found in the film by alignment, and a word was heard if more than half of it sounds before the
position. The aligned times are accurate to `TOLERANCE_S`.
"""

import io
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from numpy.typing import NDArray

from bench.avatars import prepare_demo
from bench.chat.scripted_model import scripted_model
from bench.figure import Figure
from bench.server_process import ServerProcess, run_server
from session.film import SAMPLE_RATE_HZ
from tts.alignment.align import CannotAlign, compare
from tts.alignment.cepstra import FRAME_HZ
from tts.catalogue import espeak_voices
from tts.registry import VoiceRegistry
from tts.speech import Phoneme, Speech

TURNS, SESSIONS = 200, 8
"""Interruptions, and the sessions among which they are divided."""
LONGEST_S = 7.0
"""Latest position of an interruption, from the beginning of an answer."""
EARLY_SHARE = 0.1
"""Share of the interruptions that come before the answer has a picture."""
TOLERANCE_S = 0.1
VOICES = ("espeak:en-us", "heart")
"""Voices of the answers, alternating by session."""
REFERENCE_VOICE = "espeak:en-us"
_SUBJECTS = ("Green birds", "Seven doctors", "Quiet rivers", "Young farmers", "Paper boats")
_VERBS = ("follow", "remember", "carry", "discover", "paint", "borrow")
_OBJECTS = ("heavy stones", "bitter lemons", "golden letters", "frozen gardens", "little drums")
_ENDINGS = (
    "every Monday",
    "without questions",
    "during winter",
    "because nobody listens",
    "slowly",
)


@dataclass(frozen=True, slots=True)
class Interruption:
    """One interrupted turn."""

    session_id: str
    number: int
    """Index of the turn in its session."""
    position_s: float | None
    """Position of the player; None: before the first picture."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The number of words that were heard: by the history, and by the sound of the film."""

    history: int
    least: int
    most: int
    """Within the accuracy of the alignment."""

    @property
    def is_equal(self) -> bool:
        """True if they agree."""
        return self.least <= self.history <= self.most


def measure(_out: Path) -> list[Figure]:
    """Interrupt `TURNS` answers and compare the histories with the films."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        found = compared(results)
    equal = sum(each.is_equal for each in found)
    ratio = sum(each.least == each.history == each.most for each in found)
    partly = sum(each.history > 0 for each in found)
    name = "history after random interruptions equals what was heard"
    return [
        Figure.at_least(name, equal, "turns", len(found), len(found)),
        Figure.at_least(f"{name}, to the word without tolerance", ratio, "turns", 0, len(found)),
        Figure.at_least("interruptions after the first word", partly, "turns", 0, len(found)),
    ]


def compared(results: Path) -> list[Comparison]:
    """Run the turns; compare each history with its film."""
    chance = random.Random(4)
    answers = [answer(chance) for _ in range(TURNS)]
    with scripted_model(answers) as model:
        model.first_token_s, model.token_s = 0.02, 0.004
        program = ("app.py", "--chat-url", model.url, "--max-sessions", str(2 * SESSIONS))
        with run_server(results, program=program) as server:
            turns = [interrupted(server, number, chance) for number in range(TURNS)]
            with closing(espeak_voices()) as voices:
                return [
                    comparison
                    for first in range(SESSIONS)
                    for comparison in compare_session(server, turns[first::SESSIONS], voices)
                ]


def answer(chance: random.Random) -> str:
    """Return an answer of three sentences, without words that a voice would join."""
    parts = (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS)
    return " ".join(" ".join(map(chance.choice, parts)) + "." for _ in range(3))


def interrupted(server: ServerProcess, number: int, chance: random.Random) -> Interruption:
    """Ask, and interrupt the answer once its film has reached a random position."""
    session_id, voice = f"heard-{number % SESSIONS}", VOICES[number % len(VOICES)]
    is_early = chance.random() < EARLY_SHARE
    offset_s = chance.uniform(0.0, LONGEST_S)
    body = {"user_text": f"Question {number}?", "session_id": session_id, "voice": voice}
    position_s: float | None = None
    events = server.events("/chat", body)
    for name, data in events:
        if name == "error":
            raise RuntimeError(f"POST /chat: {data}")
        if name == "sentence" and is_early:
            break
        if name == "fragment":
            position_s = data["start_s"] + offset_s if position_s is None else position_s
            if data["start_s"] + data["duration_s"] >= position_s:
                break
    at = {} if position_s is None else {"position_s": position_s}
    server.json("POST", "/interrupt", {"session_id": session_id, **at})
    for _ in events:  # the answer must be over before the next question
        pass
    return Interruption(session_id, number // SESSIONS, position_s)


def compare_session(
    server: ServerProcess, turns: Sequence[Interruption], voices: VoiceRegistry
) -> Iterator[Comparison]:
    """Compare the history of a session with its film."""
    session_id = turns[0].session_id
    history = server.json("GET", f"/chat/history?session_id={session_id}")["turns"]
    sound = decoded(server.request("GET", f"/sessions/{session_id}/full_session.mp4"))
    for turn in turns:
        said = history[turn.number]
        words = len(said["heard_text"].split())
        start_s, length_s = said["start_s"], said["duration_s"]
        if start_s is None:
            yield Comparison(words, 0, 0)
            continue
        excerpt = sound[sample_at(start_s) : sample_at(start_s + length_s)]
        ends_s = start_s + length_s
        at_s = (ends_s if turn.position_s is None else min(turn.position_s, ends_s)) - start_s
        middles = word_middles_s(excerpt, said["reply_text"], voices)
        yield Comparison(
            words, *(sum(m < at_s + d for m in middles) for d in (-TOLERANCE_S, TOLERANCE_S))
        )


def sample_at(position_s: float) -> int:
    """Return the index of the sample at a position of the film."""
    return round(position_s * SAMPLE_RATE_HZ)


def decoded(film: bytes) -> NDArray[np.float32]:
    """Return the sound of a film, 48 kHz mono."""
    with av.open(io.BytesIO(film), "r") as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32)


def word_middles_s(sound: NDArray[np.float32], text: str, voices: VoiceRegistry) -> list[float]:
    """Return the middle of each audible word of a text, seconds from the start of the sound."""
    reference = spoken_whole(text, voices)
    speech = Speech(text, sound, SAMPLE_RATE_HZ, None)
    try:
        match = compare(speech, reference, may_end_early=True)
    except CannotAlign:  # it was cut before the first word
        return []
    middles_s = np.array(list(reference_middles_s(reference, len(text.split()))))
    sounding = middles_s[middles_s <= match.reference_frames[-1] / FRAME_HZ]
    times_s: list[float] = match.times_in_speech(sounding).tolist()
    return times_s


def reference_middles_s(reference: Speech, words: int) -> Iterator[float]:
    """Yield the middle of each word, which the reference voice marks by its first sound."""
    sounds = [each for each in reference.phonemes or () if each.symbol]
    firsts = [index for index, each in enumerate(sounds) if each.begins_word]
    if len(firsts) != words:
        raise RuntimeError(f"the reference voice speaks {len(firsts)} words in {reference.text!r}")
    for first, following in pairwise([*firsts, len(sounds)]):
        yield (sounds[first].start_s + sounds[following - 1].end_s) / 2


def spoken_whole(text: str, voices: VoiceRegistry) -> Speech:
    """Return the sentences of a text as one speech of the reference voice."""
    sentences = list(voices.speak(text, voices.choose(voice=REFERENCE_VOICE)))
    phonemes, start_s = list[Phoneme](), 0.0
    for sentence in sentences:
        phonemes += [
            Phoneme(p.symbol, p.start_s + start_s, p.end_s + start_s, p.stress, p.begins_word)
            for p in sentence.phonemes or ()
        ]
        start_s += sentence.duration_s
    samples = np.concatenate([sentence.samples for sentence in sentences])
    return Speech(text, samples, sentences[0].sample_rate_hz, tuple(phonemes))
