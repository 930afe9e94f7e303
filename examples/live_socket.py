"""A client of the live socket: a WAV file in, pictures and the same sound out.

    python examples/live_socket.py answer.wav --out shown/

The file has 16-bit mono sound of 16, 24 or 48 kHz. The folder gets one JPEG a picture while the
face speaks, and `sound.wav`. Needs a running server and the package `websockets`.
"""

import argparse
import json
import struct
import sys
import wave
from pathlib import Path
from threading import Condition, Thread

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

HEADER = struct.Struct("<BBHIqQII")
"""kind, flags, reserved, number, position, clock, length, epoch: docs/live-socket.md."""
PICTURE = 1
PIECE_S = 0.1
AHEAD_S = 5.0
"""Sound that is sent before it is heard; the rest stays here, where it could be dropped at once."""


class Refused(Exception):
    """The server reported a problem; the message is the server's."""


class Playback:
    """The playback position, shared with the thread that sends."""

    def __init__(self) -> None:
        self._position_s = 0.0
        self._changed = Condition()

    def reach(self, position_s: float) -> None:
        """Note a position."""
        with self._changed:
            self._position_s = position_s
            self._changed.notify_all()

    def wait_until_near(self, position_s: float) -> None:
        """Wait until a position is at most AHEAD_S away."""
        with self._changed:
            self._changed.wait_for(lambda: position_s - self._position_s < AHEAD_S)


def send(socket: ClientConnection, sound: wave.Wave_read, playback: Playback) -> None:
    """Send a recording as one utterance. A thread of its own."""
    rate, sent = sound.getframerate(), 0
    try:
        socket.send(json.dumps({"type": "begin", "rate": rate}))
        while piece := sound.readframes(round(PIECE_S * rate)):
            playback.wait_until_near(sent / rate)
            socket.send(piece)
            sent += len(piece) // 2
        socket.send(json.dumps({"type": "end"}))
    except ConnectionClosed:  # the receiving thread reports it
        return


def receive(socket: ClientConnection, folder: Path, rate: int, playback: Playback) -> float:
    """Save what the face shows and says until the utterance ends; return its length in seconds."""
    own, pictures = -1, 0
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        for message in socket:
            if isinstance(message, str):
                event = json.loads(message)
                if event["type"] == "error":
                    raise Refused(event["problem"]["detail"])
                if event.get("number") != own:
                    own = event["number"] if event["type"] == "queued" else own
                elif event["type"] == "progress":
                    playback.reach(event["position_s"])
                elif event["type"] == "finished":
                    return float(event["position_s"])
                continue
            kind, _, _, number, *_ = HEADER.unpack_from(message)
            if number == own and kind == PICTURE:
                pictures += 1
                (folder / f"{pictures:05}.jpg").write_bytes(message[HEADER.size :])
            elif number == own:
                sound.writeframes(message[HEADER.size :])
    raise Refused("the connection was closed before the end")


def speak(server: str, session: str, path: Path, folder: Path) -> float:
    """Have a session speak a WAV file; raises Refused, OSError and the errors of websockets."""
    folder.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "rb") as sound:
        if (sound.getnchannels(), sound.getsampwidth()) != (1, 2):
            raise Refused(f"{path}: must be mono, with 16 bits per sample")
        rate, playback = sound.getframerate(), Playback()
        address = f"{server}/sessions/{session}/live?pictures=jpeg&sound=pcm&rate={rate}"
        with connect(address, compression=None) as socket:
            sender = Thread(target=send, args=(socket, sound, playback), daemon=True)
            sender.start()
            length_s = receive(socket, folder, rate, playback)
            sender.join()
    return length_s


def main() -> int:
    """Parse the command line and speak; returns the exit status."""
    parser = argparse.ArgumentParser(description="Have the live face speak a WAV file.")
    parser.add_argument("wav", type=Path)
    parser.add_argument("--out", type=Path, default=Path("shown"))
    parser.add_argument("--session", default="default")
    parser.add_argument("--server", default="ws://127.0.0.1:8000")
    arguments = parser.parse_args()
    try:
        length_s = speak(arguments.server, arguments.session, arguments.wav, arguments.out)
    except (Refused, OSError, wave.Error, ConnectionClosed, InvalidHandshake) as error:
        print(f"{arguments.server}: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {length_s:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
