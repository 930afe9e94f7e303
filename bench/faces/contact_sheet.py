"""A contact sheet of an avatar's mouth: every viseme, then every third frame of a sentence.

`python -m bench.contact_sheet --avatar demo --out results/bench/contact_sheet.png` draws an avatar
that is prepared already. Look at it before believing any figure.
"""

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.blend import paste
from tts.espeak import EspeakVoices
from tts.speech import Speech
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarStore
from warm.engines.base import Engine, PatchRequest
from warm.engines.factory import make_engine
from warm.engines.viseme.shape import Shape
from warm.face.landmarks import inter_ocular
from warm.settings import Settings

Picture = NDArray[np.uint8]
Shapes = dict[Shape, float]

VISEMES: dict[str, Shapes] = {
    "rest": {},
    "/a/ half": {Shape.OPEN: 0.5},
    "/a/": {Shape.OPEN: 1.0},
    "/e/": {Shape.OPEN: 0.5, Shape.WIDE: 0.6},
    "/i/": {Shape.OPEN: 0.24, Shape.WIDE: 1.0},
    "/o/": {Shape.OPEN: 0.5, Shape.ROUND: 0.7},
    "/u/": {Shape.OPEN: 0.2, Shape.ROUND: 1.0, Shape.WIDE: -0.3},
    "/m b p/": {Shape.PRESS: 1.0},
    "/f v/": {Shape.OPEN: 0.12, Shape.TUCK: 1.0},
    "/s z/": {Shape.OPEN: 0.15, Shape.TEETH: 1.0, Shape.WIDE: 0.3},
    "sh": {Shape.OPEN: 0.2, Shape.TEETH: 1.0, Shape.ROUND: 0.5},
    "/l t d/": {Shape.OPEN: 0.3, Shape.TONGUE: 1.0},
}
SENTENCE = "My father will make five new shoes before you leave."
EVERY = 3
"""Frames of the sentence from one picture to the next."""
COLUMNS = 6
CUT_IOD = (1.3, 1.45, 1.25)
"""What a picture shows of the face: to the sides of the mouth, above and below it."""
WIDTH_PX = 260


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the sheet of a prepared avatar."""
    known = argparse.ArgumentParser(prog="python -m bench.contact_sheet")
    known.add_argument("--avatar", default="demo", metavar="ID")
    known.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    known.add_argument("--out", type=Path, default=Path("results/bench/contact_sheet.png"))
    known.add_argument("--sentence", default=SENTENCE)
    asked = known.parse_args(argv)
    avatar = AvatarStore(asked.results).open(asked.avatar)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(asked.out), contact_sheet(avatar, asked.sentence))
    print(asked.out)
    return 0


def contact_sheet(avatar: Avatar, sentence: str = SENTENCE) -> Picture:
    """(h, w, 3) BGR: labelled visemes on the avatar's first frame, then the sentence."""
    engine = make_engine(Settings())
    engine.load()
    engine.load_avatar(avatar)
    visemes = [cell(avatar, engine, 0, row(shapes), name) for name, shapes in VISEMES.items()]
    return np.vstack([grid(visemes), grid(spoken(avatar, engine, sentence))])


def row(shapes: Shapes) -> NDArray[np.float32]:
    """(7,) by Shape."""
    return np.array([shapes.get(shape, 0.0) for shape in Shape], np.float32)


def spoken(avatar: Avatar, engine: Engine, sentence: str) -> list[Picture]:
    """Every third frame of a sentence, with what is said in it."""
    with closing(EspeakVoices()) as voices:
        speeches = list(voices.speak(sentence, voices.choose()))
    pictures = []
    for speech in speeches:
        frames = int(np.ceil(speech.duration_s * avatar.fps))
        track = engine.encode_speech(speech, frames=frames, fps=avatar.fps)
        pictures += [
            cell(
                avatar,
                engine,
                avatar.index_at(frame),
                track[frame],
                sound_at(speech, frame, avatar.fps),
            )
            for frame in range(0, frames, EVERY)
        ]
    return pictures


def sound_at(speech: Speech, frame: int, fps: int) -> str:
    """The frame's number and the phoneme in its middle."""
    time_s = (frame + 0.5) / fps
    now = [p.symbol for p in speech.phonemes or () if p.start_s <= time_s < p.end_s]
    return f"{frame} {''.join(now)}"


def cell(
    avatar: Avatar, engine: Engine, frame: int, shapes: NDArray[np.float32], label: str
) -> Picture:
    """One labelled picture of the lower face."""
    picture = avatar.frames[frame].copy()
    (patch,) = engine.submit([PatchRequest(avatar, frame, shapes)]).patches()
    paste(picture, patch.picture, patch.mask, patch.to_frame)
    cut = enlarged(picture, avatar.landmarks[frame])
    # OpenCV's letters are ASCII only.
    text = label.encode("ascii", "ignore").decode()
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(cut, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thick, cv2.LINE_AA)
    return cut


def enlarged(picture: Picture, points: NDArray[np.float32]) -> Picture:
    """The face around the mouth, WIDTH_PX wide; beyond the picture's edge it goes on as it ends."""
    side, above, below = (part * float(inter_ocular(points)) for part in CUT_IOD)
    x, y = (float(value) for value in points[13, :2])
    scale = WIDTH_PX / (2 * side)
    matrix = np.array([[scale, 0, (side - x) * scale], [0, scale, (above - y) * scale]])
    size = (WIDTH_PX, round((above + below) * scale))
    return np.asarray(
        cv2.warpAffine(
            picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def grid(pictures: Sequence[Picture]) -> Picture:
    """Pictures of one size in rows of COLUMNS; the last row is filled up with black."""
    missing = -len(pictures) % COLUMNS
    cells = [*pictures, *[np.zeros_like(pictures[0])] * missing]
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    return np.vstack(rows)


if __name__ == "__main__":
    raise SystemExit(main())
