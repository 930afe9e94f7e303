"""The live socket: ten minutes of sound of several clients come back complete and in order."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from websockets.sync.client import ClientConnection, connect

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.live.live_line import HEADER, RATE_HZ, SOUND
from bench.live.live_pcm import spoken
from bench.server_process import run_server

CLIENTS, UTTERANCES, UTTERANCE_S = 4, 15, 10.0
"""Clients that speak at the same time, and what each says: ten minutes in all."""
OPEN = 3
"""Utterances of a client that are sent before the first of them is finished."""
PIECE_BYTES = 4801
"""Length of a message; samples are split between them."""
LOUD = 1000
"""Samples louder than this, of 32767, are no silence."""
TIMEOUT_S = 60.0
WARM_UP_S = 1.0


@dataclass
class Account:
    """What came back to one client."""

    sent: dict[int, bytes] = field(default_factory=dict)
    """Sound by the number of the utterance."""
    sent_s: dict[int, float] = field(default_factory=dict)
    started_s: list[float] = field(default_factory=list)
    """Times from `begin` to `started`, of utterances that nothing preceded."""
    events: Counter[tuple[str, int]] = field(default_factory=Counter)
    positions_s: dict[int, float] = field(default_factory=dict)
    packets: int = 0
    misplaced: int = 0
    """Packets that do not follow the one before."""
    differing: int = 0
    """Packets with other samples than were sent."""
    dropped: int = 0
    _next: dict[int, int] = field(default_factory=dict)

    def take(self, message: bytes) -> None:
        """Compare a packet of sound with what was sent."""
        kind, _, _, number, position, *_ = HEADER.unpack_from(message)
        sent = self.sent.get(number)
        if kind != SOUND or sent is None:
            return
        payload = message[HEADER.size :]
        expected = sent[2 * position :][: len(payload)].ljust(len(payload), b"\0")
        self.packets += 1
        self.differing += payload != expected
        self.misplaced += position != self._next.get(number, position)
        self._next[number] = position + len(payload) // 2

    @property
    def wrong_utterances(self) -> int:
        """Utterances without exactly one beginning and one end, at their length."""
        return sum(
            self.events["started", number] != 1
            or self.events["finished", number] != 1
            or self.positions_s[number] != len(sound) // 2 / RATE_HZ
            for number, sound in self.sent.items()
        )


def measure(_out: Path) -> list[Figure]:
    """Measure the demo portrait on a real server."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        results = Path(name)
        prepare_demo(results)
        sound = b"".join(spoken())
        with run_server(results) as server, ThreadPoolExecutor(CLIENTS) as pool:
            say(server.port, "warm", sound, count=1, length_s=WARM_UP_S)
            first = say(server.port, "first", sound, count=20, length_s=0.5, is_pausing=True)
            accounts = list(
                pool.map(lambda number: say(server.port, f"client-{number}", sound), range(CLIENTS))
            )
    return [
        Figure.at_most("live socket: begin -> started, p95", 1000 * p95(first.started_s), "ms", 150,
                       len(first.started_s)),
        *figures_of(accounts),
    ]  # fmt: skip


def figures_of(accounts: list[Account]) -> Iterator[Figure]:
    """Yield the figures: everything comes back, in order and once."""
    packets = sum(each.packets for each in accounts)
    utterances = sum(len(each.sent) for each in accounts)
    part_of_all = packets / (CLIENTS * UTTERANCES * UTTERANCE_S * 50)
    name = "live socket: packets of sound that came back"
    yield Figure.at_least(name, 100 * part_of_all, "%", 99, packets)
    counts = {
        "packets out of place": sum(each.misplaced for each in accounts),
        "packets with other samples than sent": sum(each.differing for each in accounts),
        "packets dropped for a slow client": sum(each.dropped for each in accounts),
    }
    for name, count in counts.items():
        yield Figure.at_most(f"live socket: {name}", count, "", 0, packets)
    wrong = sum(each.wrong_utterances for each in accounts)
    name = "live socket: utterances without one start, one end and their length"
    yield Figure.at_most(name, wrong, "", 0, utterances)


def say(
    port: int, session_id: str, sound: bytes, *, count: int = UTTERANCES,
    length_s: float = UTTERANCE_S, is_pausing: bool = False,
) -> Account:  # fmt: skip
    """Speak utterances faster than they are heard; return what came back.

    `is_pausing`: each begins a while after the end of the one before.
    """
    account = Account()
    address = f"ws://127.0.0.1:{port}/sessions/{session_id}/live?sound=pcm&rate={RATE_HZ}"
    with connect(
        address, compression=None, max_queue=None, proxy=None, close_timeout=1
    ) as connection:
        waiting = [part(sound, number, length_s) for number in range(count)]
        for _ in range(1 if is_pausing else OPEN):
            begin(connection, account, waiting)
        while len(account.positions_s) < count:
            message = connection.recv(timeout=TIMEOUT_S)
            if isinstance(message, bytes):
                account.take(message)
            elif note(account, json.loads(message)) and waiting:
                if is_pausing:
                    pause(connection)
                begin(connection, account, waiting)
    return account


def pause(connection: ClientConnection) -> None:
    """Receive for a while, so that the clip of the utterance before is over."""
    end_s = time.perf_counter() + 0.5
    while time.perf_counter() < end_s:
        connection.recv(timeout=TIMEOUT_S)


def part(sound: bytes, number: int, length_s: float) -> bytes:
    """Return a part of a sound, which begins loud; another one for each number."""
    size, samples = round(length_s * RATE_HZ), np.frombuffer(sound, "<i2")
    turned = np.roll(samples, -(number * 7919) % len(samples))
    turned = np.roll(turned, -int(np.argmax(np.abs(turned) > LOUD)))  # silence would be left out
    return np.resize(turned, size).tobytes()


def begin(connection: ClientConnection, account: Account, waiting: list[bytes]) -> None:
    """Send the next utterance, if there is one; little enough to be taken at once."""
    if not waiting:
        return
    pcm, number = waiting.pop(0), len(account.sent) + 1
    account.sent[number], account.sent_s[number] = pcm, time.perf_counter()

    connection.send(json.dumps({"type": "begin"}))
    for start in range(0, len(pcm), PIECE_BYTES):
        connection.send(pcm[start : start + PIECE_BYTES])
    connection.send(json.dumps({"type": "end"}))


def note(account: Account, event: dict[str, object]) -> bool:
    """Note an event; True for the end of an utterance."""
    kind, number = str(event["type"]), event.get("number")
    if kind == "dropped":
        account.dropped = int(str(event["sounds"]))
    if not isinstance(number, int) or not event.get("own", True):
        return False
    account.events[kind, number] += 1
    if kind == "started":
        account.started_s.append(time.perf_counter() - account.sent_s[number])
    if kind == "finished":
        account.positions_s[number] = float(str(event["position_s"]))
    return kind == "finished"
