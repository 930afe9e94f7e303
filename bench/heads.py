"""Benchmark of three heads behind nginx: one is killed and started again while 30 sessions speak.

Each session sends one text after another through nginx, and repeats each one until it is answered
with 200. Afterwards every film is compared with the answers: it must contain each acknowledged clip
unchanged, and all its pictures and samples must decode.
"""

import http.client
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import cv2
import matplotlib as mpl

from bench.figure import Figure
from bench.films.kill_verification import DataLossError, verify_decoding
from tests.api.server_process import ROOT
from tests.polling import wait_until
from tests.scale.heads import NO_NGINX, Cluster, cluster, find_nginx, nginx_before
from warm.avatars.store import AvatarStore
from warm.prepare.run import prepare

SESSIONS = 30
BEFORE_S, AFTER_S = 6.0, 8.0
"""Time for which all sessions speak before the kill, and after the head has come back."""
PAUSE_S = 0.2
"""Pause of a client after a request that was not answered with 200."""
BODY_ONLY = 3
"""Each session whose number is divisible by this is named in the body only."""
PORTRAIT = "sample_data/grace_hopper.jpg"


@dataclass(eq=False)
class Speaker:
    """A client that speaks in one session and records the acknowledged clips."""

    number: int
    clips: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Acknowledged clips, by index."""
    repeated: list[int] = field(default_factory=list)
    """Indices that were acknowledged twice."""
    heads: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    """Longest time between two acknowledged clips."""

    @property
    def session_id(self) -> str:
        """Id of its session."""
        return f"session-{self.number}"

    def run(self, found: Cluster, is_over: Event) -> None:
        """Speak until `is_over`."""
        spoken, last_s = 0, time.monotonic()
        while not is_over.is_set():
            if not self.speak(found, f"This is text number {spoken} of {self.number}."):
                time.sleep(PAUSE_S)
                continue
            spoken += 1
            now_s = time.monotonic()
            self.longest_s, last_s = max(self.longest_s, now_s - last_s), now_s

    def speak(self, found: Cluster, text: str) -> bool:
        """Speak a text once; True if it was acknowledged."""
        headers = {} if self.number % BODY_ONLY == 0 else {"X_Session_Id": self.session_id}
        body = {"text": text, "session_id": self.session_id}
        try:
            answer = found.ask("POST", "/speak", body, **headers)
        except (OSError, http.client.HTTPException) as error:
            self.refusals[type(error).__name__] += 1
            return False
        if answer.status != 200:
            self.refusals[str(answer.status)] += 1
            return False
        clip = answer.json["clip"]
        if clip["index"] in self.clips:
            self.repeated.append(clip["index"])
        self.clips[clip["index"]] = clip
        self.heads[answer.head or "?"] += 1
        return True

    def lost(self, found: Cluster) -> list[str]:
        """Return a message for each acknowledged clip that is missing or changed."""
        session = found.ask("GET", f"/sessions/{self.session_id}").json
        there = {clip["index"]: clip for clip in session["clips"]}
        faults = [
            f"{self.session_id}: clip {index} was {clip}, and is {there.get(index)}"
            for index, clip in self.clips.items()
            if there.get(index) != clip
        ]
        faults += [f"{self.session_id}: clip {index} came twice" for index in self.repeated]
        film = found.results / "sessions" / self.session_id / "full_session.mp4"
        try:
            verify_decoding(film, session["frames"])
        except DataLossError as error:
            faults += [f"{self.session_id}: {error}"] * len(self.clips)
        return faults


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - all topics take the folder of plots
    """Count the acknowledged clips that are lost."""
    if find_nginx() is None:
        raise RuntimeError(NO_NGINX)
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name) / "results"
        prepare_avatar(results)
        with (
            cluster(results, command=app_command) as found,
            nginx_before(found, Path(name) / "nginx"),
        ):
            return run(found)


def run(found: Cluster) -> list[Figure]:
    """Let all sessions speak while a head is killed and restarted."""
    speakers = [Speaker(number) for number in range(SESSIONS)]
    is_over = Event()
    threads = [Thread(target=each.run, args=(found, is_over)) for each in speakers]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all(each.clips for each in speakers), "a first clip of each session")
        time.sleep(BEFORE_S)
        victim = kill_and_restart(found, speakers)
        time.sleep(AFTER_S)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    report(found, speakers, victim)
    faults = [fault for each in speakers for fault in each.lost(found)]
    for fault in faults:
        print(f"heads: {fault}", file=sys.stderr)
    clips = sum(len(each.clips) for each in speakers)
    name = "three heads behind nginx, one killed -9 and restarted: acknowledged clips lost"
    return [Figure.at_most(name, len(faults), "clips", 0, clips)]


def kill_and_restart(found: Cluster, speakers: list[Speaker]) -> str:
    """Kill the head with the most sessions, restart it, and wait until it speaks."""
    heads = Counter(each.heads.most_common(1)[0][0] for each in speakers)
    victim = heads.most_common(1)[0][0]
    found[victim].kill()
    found[victim].start()
    found[victim].wait()
    before = sum(each.heads[victim] for each in speakers)
    wait_until(
        lambda: sum(each.heads[victim] for each in speakers) > before,
        f"a clip of head {victim} after its return",
    )
    return victim


def report(found: Cluster, speakers: list[Speaker], victim: str) -> None:
    """Print the number of clips of each head, and the refusals."""
    spoken: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for each in speakers:
        spoken += each.heads
        refusals += each.refusals
    longest_s = max(each.longest_s for each in speakers)
    sessions = {
        head["name"]: len(head["sessions"] or ())
        for head in found.ask("GET", "/heads").json["heads"]
    }
    print(
        f"heads: {victim} was killed; acknowledged clips {dict(spoken)}, refused {dict(refusals)},"
        f" longest wait of a session {longest_s:.1f} s, sessions at the end {sessions}"
    )


def prepare_avatar(results: Path) -> None:
    """Prepare the demo portrait at a quarter of its size, so that films are made quickly."""
    picture = cv2.imread(str(Path(mpl.get_data_path()) / PORTRAIT))
    assert picture is not None
    results.mkdir(parents=True)
    small = results / "small.png"
    cv2.imwrite(str(small), cv2.resize(picture, (256, 300), interpolation=cv2.INTER_AREA))
    prepare(small, avatar_id="demo", store=AvatarStore(results))


def app_command(results: Path, name: str, port: int) -> tuple[str, ...]:
    """Command of a head with the embedded engine."""
    options = {
        "results-dir": results, "port": port, "head": name, "trusted-proxies": "127.0.0.1",
        "voice": "espeak:en-gb+male", "max-sessions": 100, "on-disconnect": "continue",
        "chat-model": "off",
    }  # fmt: skip
    words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
    return (str(ROOT / "app.py"), *words)
