"""Contact sheet of an avatar's mouth: every viseme, then every third frame of a sentence.

`python -m bench.faces.contact_sheet --avatar demo --out results/bench/contact_sheet.png` draws an
avatar that is already prepared. Look at it before you trust any figure.
"""

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.avatars import load_engine
from stabilizers.blend import paste
from tts.catalogue import espeak_voices
from tts.speech import Speech
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarStore
from warm.engines.base import Engine, PatchRequest
from warm.engines.viseme.shape import Shape
from warm.face.landmarks import inter_ocular

Picture = NDArray[np.uint8]

VISEMES: dict[str, dict[Shape, float]] = {
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
FRAME_STEP = 3
"""Frames of the sentence from one picture to the next."""
COLUMNS = 6
CROP_IOD = (1.3, 1.45, 1.25)
"""Extent of a picture: to each side of the upper lip, above it and below it."""
WIDTH_PX = 260


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the sheet of a prepared avatar."""
    parser = argparse.ArgumentParser(prog="python -m bench.faces.contact_sheet")
    parser.add_argument("--avatar", default="demo", metavar="ID")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("results/bench/contact_sheet.png"))
    parser.add_argument("--sentence", default=SENTENCE)
    arguments = parser.parse_args(argv)
    avatar = AvatarStore(arguments.results).open(arguments.avatar)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.out), contact_sheet(avatar, arguments.sentence))
    print(arguments.out)
    return 0


def contact_sheet(avatar: Avatar, sentence: str = SENTENCE) -> Picture:
    """Return (h, w, 3) BGR: labelled visemes on the avatar's first frame, then the sentence."""
    engine = load_engine(avatar)
    visemes = [
        labelled_mouth(avatar, engine, 0, shape_weights(weights), name)
        for name, weights in VISEMES.items()
    ]
    return np.vstack([grid(visemes), grid(sentence_mouths(avatar, engine, sentence))])


def shape_weights(weights: dict[Shape, float]) -> NDArray[np.float32]:
    """Return (7,) by Shape; 0 for the others."""
    return np.array([weights.get(shape, 0.0) for shape in Shape], np.float32)


def sentence_mouths(avatar: Avatar, engine: Engine, sentence: str) -> list[Picture]:
    """Return every third frame of a sentence, labelled with its phoneme."""
    with closing(espeak_voices()) as voices:
        speeches = list(voices.speak(sentence, voices.choose()))
    pictures = []
    for speech in speeches:
        frames = int(np.ceil(speech.duration_s * avatar.fps))
        track = engine.encode_speech(speech, frames=frames, fps=avatar.fps)
        for frame in range(0, frames, FRAME_STEP):
            label = phoneme_label(speech, frame, avatar.fps)
            index = avatar.index_at(frame)
            pictures.append(labelled_mouth(avatar, engine, index, track[frame], label))
    return pictures


def phoneme_label(speech: Speech, frame: int, fps: int) -> str:
    """Return the number of a frame and the phoneme in its middle."""
    time_s = (frame + 0.5) / fps
    symbols = [p.symbol for p in speech.phonemes or () if p.start_s <= time_s < p.end_s]
    return f"{frame} {''.join(symbols)}"


def labelled_mouth(
    avatar: Avatar, engine: Engine, frame: int, weights: NDArray[np.float32], label: str
) -> Picture:
    """Return one labelled picture of the lower face."""
    picture = avatar.frames[frame].copy()
    (patch,) = engine.submit([PatchRequest(avatar, frame, weights)]).patches()
    paste(picture, patch.picture, patch.mask, patch.to_frame)
    crop = crop_lower_face(picture, avatar.landmarks[frame])
    # OpenCV's fonts are ASCII only.
    text = label.encode("ascii", "ignore").decode()
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(crop, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thick, cv2.LINE_AA)
    return crop


def crop_lower_face(picture: Picture, landmarks: NDArray[np.float32]) -> Picture:
    """Return the face around the mouth, WIDTH_PX wide; border pixels are repeated outside."""
    side, above, below = (part * float(inter_ocular(landmarks)) for part in CROP_IOD)
    x, y = (float(value) for value in landmarks[13, :2])
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
    """Return pictures of one size in rows of COLUMNS; the last row is padded with black."""
    missing = -len(pictures) % COLUMNS
    cells = [*pictures, *[np.zeros_like(pictures[0])] * missing]
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    return np.vstack(rows)


if __name__ == "__main__":
    raise SystemExit(main())
