"""The face's own sound in the microphone: it must not interrupt itself."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.avatars import prepare_demo
from bench.chat.scripted_model import scripted_model
from bench.figure import Figure
from bench.microphone.talking_page import TalkingPage, talking_page
from bench.microphone.utterances import NOISE, RATE_HZ
from bench.server_process import run_server

ANSWER = " ".join(
    (
        "Good morning, and thank you for calling.",
        "In the north there will be clouds and some rain in the afternoon.",
        "The south stays dry and sunny until the evening, with about twenty degrees.",
        "Tomorrow is going to be a little colder, with strong wind at the coast.",
        "If you are planning a trip to the mountains, please take a warm jacket with you.",
        "I could also tell you a story about a small dog and a very large cat.",
        "They lived together in a house by the sea, and went fishing every morning.",
    )
    * 6
)
ROOMS = ((0.05, 0.02), (0.25, 0.12), (0.5, 0.04), (1.0, 0.2))
"""Gain, and delay in seconds, from the loudspeaker to the microphone, one room after another."""
ROOM_S = 30.0
PAUSES = 6
"""Maximum number of pauses: two for each of the three changes of the room."""

COUNT_PAUSES = """
window.pauses = 0;
document.getElementById("film").addEventListener("pause", () => (window.pauses += 1));
"""


def measure(_out: Path) -> list[Figure]:
    """Let the face listen to itself for two minutes; the browser does not cancel this echo."""
    silence = np.random.default_rng(2).normal(0, NOISE, 10 * RATE_HZ).astype(np.float32)
    first = "{{ gain: {}, delayS: {} }}".format(*ROOMS[0])
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        results = Path(name) / "results"
        prepare_demo(results)
        with (
            scripted_model([ANSWER]) as model,
            run_server(results, program=("app.py", "--chat-url", model.url)) as server,
            talking_page(server, Path(name), silence, first) as page,
        ):
            interruptions, pauses, played_s = listen_to_itself(page)
    span = f"in {played_s:.0f} s of its own sound"
    return [
        Figure.at_most(f"false interruptions {span}", interruptions, "", 0, len(ROOMS)),
        Figure.at_most(f"pauses by mistake {span}", pauses, "", PAUSES, len(ROOMS)),
    ]


def listen_to_itself(page: TalkingPage) -> tuple[int, int, float]:
    """Return the interruptions, the pauses of playback, and the seconds that were played."""
    page.ask("Tell me a long story.")
    page.wait(page.is_speaking)
    page.start_hands_free()
    page.run(COUNT_PAUSES)
    begun_s = page.film_time_s()
    for gain, delay_s in ROOMS:
        page.run(f"window.setRoom({{ gain: {gain}, delayS: {delay_s} }})")
        time.sleep(ROOM_S)
    interruptions, pauses = page.run("return [window.interruptions, window.pauses]")
    return interruptions, pauses, page.film_time_s() - begun_s
