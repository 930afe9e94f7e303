"""The live feed: its clock after stalls and waits, its joints, its cost."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from bench.avatars import prepare_demo
from bench.faces.life import MESH_NOISE_IOD, PATCH, SIDE_IOD, face_patch, moved_iod
from bench.figure import Figure, p95
from bench.live.feed_recording import FeedRecording
from bench.server_process import ServerProcess, process_tree, run_server
from warm.avatars.avatar import Avatar
from warm.face.attention_mesh import AttentionMesh
from warm.face.landmarks import inter_ocular
from warm.prepare.run import FACE_MODELS

PROGRAM = ("-m", "bench.live.recording_server")
VOICE = "espeak:en-us"
LONG = " ".join(["The quick brown fox jumps over the lazy dog, and then it goes home again."] * 5)
SHORT = (
    "Good morning, and thank you for calling.",
    "Would you like to hear about the weather tomorrow?",
    "I think it will be sunny in the morning.",
)
STALL_S = 2.0
IDLE_S = 20.0
CLIPS = 10
JOINT_PICTURES = 14
"""Pictures after a joint in which the head may still glide."""


def measure(_out: Path) -> list[Figure]:
    """Measure the demo portrait on a real server."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        avatar = prepare_demo(results)
        with run_server(results, program=PROGRAM) as server:
            return [
                *idle_figures(server, results),
                *stall_figures(server, results),
                *wait_figures(server, results),
                *late_figures(server, results),
                *joint_figures(server, results, avatar),
            ]


@contextmanager
def recorded(server: ServerProcess, results: Path, name: str) -> Iterator[FeedRecording]:
    """Record the feed of a session of this name during the block."""
    folder = results / f"recording-{name}"
    folder.mkdir()
    server.request("POST", "/bench/record", {"session_id": name, "folder": str(folder)})
    recording = FeedRecording(folder)
    yield recording
    server.request("POST", "/bench/stop", {"session_id": name})


def speaking(server: ServerProcess, session_id: str, text: str) -> Thread:
    """Have a session speak on a thread, which ends with the answer."""
    body = {"session_id": session_id, "text": text, "voice": VOICE}
    thread = Thread(target=server.request, args=("POST", "/speak", body))
    thread.start()
    return thread


def wait_for_speech(server: ServerProcess, session_id: str, *, is_over: bool = False) -> None:
    """Wait until a feed speaks, or until it has stopped speaking."""
    deadline_s = time.monotonic() + 60
    while feed_state(server, session_id)["speaking"] == is_over:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"the feed of {session_id} did not change in 60 s")
        time.sleep(0.05)


def feed_state(server: ServerProcess, session_id: str) -> dict[str, Any]:
    """Return the numbers of a feed."""
    state: dict[str, Any] = server.json("GET", "/stats")["live"]["feeds"][session_id]
    return state


def live_pid(server: ServerProcess) -> int:
    """Return the process id of the live process."""
    return int(server.json("GET", "/stats")["live"]["pid"])


def idle_figures(server: ServerProcess, results: Path) -> Iterator[Figure]:
    """Yield the cost of one feed with one viewer, and its punctuality."""
    with recorded(server, results, "idle") as recording:
        time.sleep(1.0)
        before = feed_state(server, "idle")
        time.sleep(IDLE_S)
        after = feed_state(server, "idle")
    spent = after["cpu_s"] - before["cpu_s"]
    share = 100 * spent / (after["seconds"] - before["seconds"])
    late = recording.lateness_ms()
    yield Figure.at_most("live feed: CPU of pictures, sound and encoding", share, "%", 20, 1)
    name = "live feed: picture received after its time, p95"
    yield Figure.at_most(name, p95(list(late)), "ms", 40, len(late))
    count = len(recording.pictures) / (IDLE_S + 1.0)
    yield Figure.at_least("live feed: idle pictures a second", count, "1/s", 24, len(late))


def stall_figures(server: ServerProcess, results: Path) -> Iterator[Figure]:
    """Stop the worker and the live process for a while, in the middle of a sentence."""
    with recorded(server, results, "stall") as recording:
        thread = speaking(server, "stall", LONG)
        wait_for_speech(server, "stall")
        time.sleep(3)
        family = [*process_tree(server.process.pid)]
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(STALL_S)
        for pid in reversed(family):
            os.kill(pid, signal.SIGCONT)
        thread.join()
        wait_for_speech(server, "stall", is_over=True)
    pictures = [each for each in recording.pictures if each["frame"] is not None]
    skipped = recording.events("skipped")
    at_s = skipped[0]["time_s"]
    dropped = sum(each["data"]["frames"] for each in skipped)
    before = max(each["frame"] for each in pictures if each["time_s"] < at_s)
    after_stall = [each["frame"] for each in pictures if each["time_s"] >= at_s]
    old = sum(frame <= before for frame in after_stall)
    skews = np.abs(recording.skews_ms(pictures[0]["utterance"]))
    after = skews[len(skews) // 2 :]
    yield Figure.at_most(
        f"live feed: skew after a stall of {STALL_S:g} s", after.max(), "ms", 40, len(after)
    )
    yield Figure.at_most(
        "live feed: old pictures shown after the stall", old, "", 0, len(after_stall)
    )
    error_ms = abs(dropped / 25 - STALL_S) * 1000
    name = "live feed: speech dropped in the stall, against its length"
    yield Figure.at_most(name, error_ms, "ms", 250, len(skipped))


def wait_figures(server: ServerProcess, results: Path) -> Iterator[Figure]:
    """Stop the worker alone: the feed waits for its frames and loses none."""
    with recorded(server, results, "wait") as recording:
        thread = speaking(server, "wait", LONG)
        wait_for_speech(server, "wait")
        time.sleep(3)
        live = live_pid(server)
        worker = parent_of(live)
        os.kill(worker, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(worker, signal.SIGCONT)
        thread.join()
        wait_for_speech(server, "wait", is_over=True)
    frames = {each["frame"] for each in recording.pictures if each["frame"] is not None}
    missing = len(set(range(max(frames) + 1)) - frames)
    skews = np.abs(recording.skews_ms(str(recording.events("started")[0]["data"]["utterance"])))
    name = "live feed: frames lost while the worker stood still for 1.5 s"
    yield Figure.at_most(name, missing, "", 0, len(frames))
    yield Figure.at_most("live feed: skew after it", skews.max(), "ms", 40, len(skews))


def parent_of(pid: int) -> int:
    """Return the parent of a process."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return int(stat.rpartition(")")[2].split()[1])


def late_figures(server: ServerProcess, results: Path) -> Iterator[Figure]:
    """Join in the middle of a clip that was rendered before; compare its pictures with the film."""
    thread = speaking(server, "late", LONG)
    time.sleep(4)
    joined_s = time.monotonic()
    with recorded(server, results, "late") as recording:
        wait_for_speech(server, "late")
        thread.join()
        wait_for_speech(server, "late", is_over=True)
        from_film = feed_state(server, "late")["frames_from_film"]
    spoken = [each for each in recording.pictures if each["frame"] is not None]
    first_ms = 1000 * (spoken[0]["time_s"] - joined_s)
    frames = np.array([each["frame"] for each in spoken])
    ticks = np.array([each["tick"] for each in spoken])
    name = "live feed: a viewer joins -> speech from the film"
    yield Figure.at_most(name, first_ms, "ms", 400, 1)
    yield Figure.at_least("live feed: pictures that it got from the film", from_film, "", 10, 1)
    jumps = int((np.diff(frames) > np.diff(ticks)).sum())
    yield Figure.at_most(
        "live feed: frames missing between film and feed", jumps, "", 0, len(frames)
    )
    name = "live feed: difference from the film's pictures, p95"
    differences = differences_from_film(
        recording, results / "sessions" / "late" / "full_session.mp4"
    )
    yield Figure.at_most(name, p95(differences), "grey levels", 4, len(differences))


def differences_from_film(recording: FeedRecording, film: Path) -> list[float]:
    """Return the mean difference of each spoken picture from the frame of the film it names."""
    wanted = {each["frame"] for each in recording.pictures if each["frame"] is not None}
    kept: dict[int, NDArray[np.uint8]] = {}
    with av.open(str(film)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                kept[number] = shrunk(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))
    differences = []
    for facts, picture in zip(recording.pictures, recording.decoded(), strict=False):
        if facts["frame"] in kept:
            difference = cv2.absdiff(shrunk(picture), kept[facts["frame"]])
            differences.append(float(difference.mean()))
    return differences


def shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture at a quarter of its size."""
    return np.asarray(
        cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), np.uint8
    )


def joint_figures(server: ServerProcess, results: Path, avatar: Avatar) -> Iterator[Figure]:
    """Speak short clips with pauses between them, some cut; measure the steps of the head."""
    asked = []
    with recorded(server, results, "joints") as recording:
        time.sleep(4)
        for number in range(CLIPS):
            asked.append(time.monotonic())
            thread = speaking(server, "joints", SHORT[number % len(SHORT)])
            wait_for_speech(server, "joints")
            if number % 3 == 2:
                time.sleep(0.7)
                server.request("POST", "/interrupt", {"session_id": "joints"})
            wait_for_speech(server, "joints", is_over=True)
            thread.join()
            time.sleep(0.8 + 0.13 * number)
    started = [each["time_s"] for each in recording.events("started")]
    starts_ms = [1000 * (min(at for at in started if at > asked_s) - asked_s) for asked_s in asked]
    steps = head_steps(recording, avatar)
    frames = [each["frame"] for each in recording.pictures]
    joints = [n for n in range(1, len(frames)) if (frames[n] is None) != (frames[n - 1] is None)]
    near = {n - 1 + k for n in joints for k in range(JOINT_PICTURES)}
    at = [steps[n] for n in sorted(near) if n < len(steps)]
    idle = [steps[n] for n in range(25, 90)]
    spoken = [steps[n] for n in range(len(steps)) if frames[n] is not None and n not in near]
    ordinary = max(*idle, *spoken)
    name = f"live feed: largest step of the head at {len(joints)} joints, against all others"
    yield Figure.at_most(name, max(at) / ordinary, "x", 1.5, len(at))
    name = "live feed: /speak -> first spoken picture is due, p95"
    yield Figure.at_most(name, p95(starts_ms), "ms", 160, len(starts_ms))


def head_steps(recording: FeedRecording, avatar: Avatar) -> list[float]:
    """Return how far the head moves from each picture to the next, IOD."""
    mesh, points = AttentionMesh(FACE_MODELS), avatar.landmarks[0]
    iod = float(inter_ocular(points))
    place = points[6, :2]
    window = cv2.createHanningWindow((PATCH, PATCH), cv2.CV_32F)
    steps: list[float] = []
    before: NDArray[np.uint8] | None = None
    for picture in recording.decoded():
        last, place = points, points[6, :2]
        points = mesh.track(picture, points).points
        if before is not None:
            old, new = (face_patch(one, place, iod) for one in (before, picture))
            (x, y), _ = cv2.phaseCorrelate(old, new, window)
            seen = float(np.hypot(x, y)) * SIDE_IOD / PATCH
            steps.append(min(seen, moved_iod(points, last) + MESH_NOISE_IOD))
        before = picture
    return steps
