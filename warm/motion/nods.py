"""Paths of a speaking head on the rail of a portrait: nods at accents, lifts for questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Shown
from warm.motion.prosody import Accent, Prosody
from warm.motion.rail import LIFT, NOD, Gesture, Rail

FASTEST = 2.2
"""Highest mean speed between gestures, frames of the curve per frame."""
EDGE_FRAMES = 2
"""A gesture begins and ends at least this long after and before the ends of a sentence."""
PAUSE_S = (0.25, 0.9)
"""Shortest time between two nods, drawn for each sentence: some are livelier than others."""
WEAKEST = 0.5
"""Weaker accents get no nod."""
RANDOM_STRENGTH = 0.35
"""Spread of the random part of an accent's strength."""
HOLD_S = 0.07
"""Longest rest at the bottom of a nod."""
RISE_S = 0.16
"""A lift begins this long before the accent of a question."""
TURNING_SHARE = 0.65
"""A gesture is left early where its speed is at most this share of its highest."""
STRIDE = 24
"""Without gestures the path is back on the idle loop after this many frames."""
RETURN_FRAMES = 5
"""Shortest return from the curve to the idle loop."""
RETURN_FASTEST, RETURN_ACCELERATION, PATIENCE_FRAMES = 2.2, 0.11, 8
"""As FASTEST, on the way back to the idle loop, which may be moving away; after PATIENCE_FRAMES it
rises by RETURN_ACCELERATION with each frame."""


@dataclass(frozen=True, slots=True)
class Window:
    """One gesture in time: down in `frames`, hold, and back."""

    start: int
    """Last frame on the curve before it."""
    frames: int
    hold: int
    kind: int
    strength: float

    @property
    def end(self) -> int:
        """First frame on the curve after it."""
        return self.start + 2 * self.frames + self.hold

    def depth_at(self, frame: int) -> int:
        """Return how deep in the branch a frame of the sentence is."""
        return max(0, min(frame - self.start, self.frames, self.end - frame))


def spoken_path(
    rail: Rail,
    idle: NDArray[np.int64],
    last: Sequence[Shown],
    prosody: Prosody,
    fps: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return (n,) frames of the avatar for a sentence.

    idle: (n + 2,) frames of the idle loop, from the one before the sentence to the one after it.
    `last`: up to two pictures shown before it, on the curve. The path begins there and ends on the
    idle loop, or on the way to it.
    """
    base = rail.unwrapped(idle)
    begin = knot_of(rail, [one.frame for one in last], base)
    windows = choose_windows(rail, prosody, len(idle) - 2, fps, rng)
    placed = place_windows(rail, windows, base, begin[1], rng)
    places = curve_places(base, begin, placed)
    frames = np.rint(places).astype(np.int64) % rail.length
    for window, gesture, _ in placed:
        for frame in range(window.start, window.end + 1):
            frames[frame + 1] = gesture.frame_at(window.depth_at(frame))
    return frames[1:-1]


def knot_of(rail: Rail, last: Sequence[int], base: NDArray[np.float64]) -> "Knot":
    """Return where a sentence begins: at the last frames shown, or on the idle loop."""
    if not last:
        return 0, float(base[0]), float(base[1] - base[0])
    place = rail.nearest(last[-1], float(base[0]))
    speed = rail.nearest(last[-1], last[0]) - last[0] if len(last) > 1 else 0.0
    return 0, place, speed


def choose_windows(
    rail: Rail, prosody: Prosody, frames: int, fps: int, rng: np.random.Generator
) -> list[Window]:
    """Return gestures that do not overlap, in order: the strongest accents have priority."""
    pause = round(rng.uniform(*PAUSE_S) * fps)
    wanted = [window_of(rail, accent, fps, rng) for accent in ranked(prosody, rng)]
    lift = question_lift(rail, prosody, frames, fps)
    chosen = [lift] if lift is not None else []
    for window in wanted:
        is_inside = window.start >= EDGE_FRAMES and window.end <= frames - EDGE_FRAMES
        if is_inside and all(
            window.end + pause <= other.start or other.end + pause <= window.start
            for other in chosen
        ):
            chosen.append(window)
    return sorted(chosen, key=lambda window: window.start)


def ranked(prosody: Prosody, rng: np.random.Generator) -> list[Accent]:
    """Return the accents that may get a nod, the strongest first, with a random part."""
    scored = [
        (accent.strength + RANDOM_STRENGTH * float(rng.standard_normal()), accent)
        for accent in prosody.accents
    ]
    strong = [pair for pair in scored if pair[0] >= WEAKEST]
    return [accent for _, accent in sorted(strong, key=lambda pair: -pair[0])]


def window_of(rail: Rail, accent: Accent, fps: int, rng: np.random.Generator) -> Window:
    """Return the nod whose bottom is at an accent."""
    frames = branch_frames(rail, NOD)
    hold = int(rng.integers(0, round(HOLD_S * fps) + 1))
    start = round(accent.time_s * fps) - frames
    return Window(start, frames, hold, NOD, accent.strength)


def question_lift(rail: Rail, prosody: Prosody, frames: int, fps: int) -> Window | None:
    """Return the lift of a question: from its last accent to its end; None if it is too short."""
    if not (prosody.is_question and prosody.accents and prosody.phrase_ends_s):
        return None
    length = branch_frames(rail, LIFT)
    last = prosody.accents[-1].time_s
    end = min(round(prosody.phrase_ends_s[-1] * fps) + length, frames - EDGE_FRAMES)
    start = min(round((last - RISE_S) * fps), end - 2 * length)
    if start < EDGE_FRAMES:
        return None
    return Window(start, length, end - start - 2 * length, LIFT, 1.0)


def branch_frames(rail: Rail, kind: int) -> int:
    """Return the number of frames of a kind of gesture."""
    return next(gesture.frames for gesture in rail.gestures if gesture.kind == kind)


Placed = tuple[Window, Gesture, float]
"""A window, its gesture, and the unwrapped place of that on the curve."""


def place_windows(
    rail: Rail,
    windows: Sequence[Window],
    base: NDArray[np.float64],
    place: float,
    rng: np.random.Generator,
) -> list[Placed]:
    """Choose the gesture of each window: near the idle loop, fitting its strength, in reach.

    `place`: that before the sentence.
    """
    placed, at = list[Placed](), 0
    for window in windows:
        is_last = window is windows[-1]
        middle = float(base[window.end + 1 if is_last else (window.start + window.end) // 2 + 1])
        free = window.start + 1 - at
        options = [
            (cost_of(window, gesture, where - middle, placed, rng), gesture, where)
            for gesture in rail.gestures
            if gesture.kind == window.kind
            and abs((where := rail.nearest(gesture.junction, middle)) - place) <= FASTEST * free
        ]
        if not options:
            continue
        _, gesture, place = min(options, key=lambda option: option[0])
        placed.append((window, gesture, place))
        at = window.end + 1
    return placed


def cost_of(
    window: Window,
    gesture: Gesture,
    distance: float,
    placed: Sequence[Placed],
    rng: np.random.Generator,
) -> float:
    """Return the cost of a gesture in a window; one repeated at once looks mechanical."""
    is_repeated = bool(placed) and placed[-1][1] is gesture
    misfit = 10 * abs(gesture.strength / 100 - min(window.strength, 1.4))
    return abs(distance) + misfit + 12 * is_repeated + 3 * float(rng.random())


def curve_places(
    base: NDArray[np.float64], begin: "Knot", placed: Sequence[Placed]
) -> NDArray[np.float64]:
    """Return (n + 2,) unwrapped places on the curve: at rest in gestures, smooth in between."""
    slopes = np.gradient(base)
    knots = [begin]
    for window, _, place in placed:
        knots += [(window.start + 1, place, 0.0), (window.end + 1, place, 0.0)]
    knots.append(end_knot(base, knots[-1]))
    places = np.array(base)
    for before, after in zip(knots[::2], knots[1::2], strict=True):
        stretch(places, before, after, slopes)
    for window, _, place in placed:
        places[window.start + 1 : window.end + 2] = place
    return places


def end_knot(base: NDArray[np.float64], before: "Knot") -> "Knot":
    """Return where a sentence ends: on the idle loop, or as near to it as `before` allows."""
    frame = len(base) - 1
    distance = float(base[-1]) - before[1]
    reach = FASTEST * (frame - before[0])
    if abs(distance) <= reach:
        return frame, float(base[-1]), float(base[-1] - base[-2])
    return (
        frame,
        before[1] + float(np.copysign(reach, distance)),
        float(np.copysign(FASTEST, distance)),
    )


Knot = tuple[int, float, float]
"""Frame, place and speed."""


def stretch(
    places: NDArray[np.float64], before: Knot, after: Knot, slopes: NDArray[np.float64]
) -> None:
    """Fill `places` between two knots; a long stretch follows the idle loop in its middle."""
    if after[0] - before[0] <= 2 * STRIDE:
        places[before[0] : after[0] + 1] = hermite(before, after)
        return
    for first, last in ((before, before[0] + STRIDE), (after[0] - STRIDE, after)):
        one = first if isinstance(first, tuple) else knot_at(places, slopes, first)
        other = last if isinstance(last, tuple) else knot_at(places, slopes, last)
        places[one[0] : other[0] + 1] = hermite(one, other)


def knot_at(places: NDArray[np.float64], slopes: NDArray[np.float64], frame: int) -> Knot:
    """Return the idle loop at a frame."""
    return frame, float(places[frame]), float(slopes[frame])


def hermite(before: Knot, after: Knot) -> NDArray[np.float64]:
    """Return the cubic with the places and speeds of two knots, at every frame from one to the
    other."""
    span = after[0] - before[0]
    if span == 0:
        return np.array([after[1]])
    t = np.arange(span + 1) / span
    return np.asarray(
        (2 * t**3 - 3 * t**2 + 1) * before[1]
        + (t**3 - 2 * t**2 + t) * span * before[2]
        + (3 * t**2 - 2 * t**3) * after[1]
        + (t**3 - t**2) * span * after[2]
    )


def return_path(
    rail: Rail, last: Sequence[Shown], idle: NDArray[np.int64], blink: int
) -> list[Shown]:
    """Return pictures that lead from the last ones of a cut clip back to the idle loop.

    idle: (m, 2) pictures of the loop from the last one shown on. `blink`: frames of a blink. The
    picture after the returned ones is that of the loop.
    """
    if is_on(last, idle):
        return []
    base = rail.unwrapped(idle[:, 0])
    branch = way_out(rail, last)
    found = rail.locate(last[-1].frame)
    frame = last[-1].frame if found is None else found[0].junction
    place = rail.nearest(frame, float(base[0]))
    speed = 0.0 if found or len(last) < 2 else curve_speed(rail, last[-2].frame, frame)
    start, unfinished = len(branch), unfinished_frames(last[-1].lid, blink)
    end = next(
        (
            end
            for end in range(max(start + RETURN_FRAMES, unfinished + 1), len(base) - 1)
            if abs(float(base[end]) - place) <= longest_way(end - start)
            and lid_is_free(idle[:, 1], end, unfinished)
        ),
        len(base) - 1,
    )
    slope = float(base[end] - base[end - 1])
    places = hermite((start, place, speed), (end, float(base[end]), slope))[1:-1]
    frames = [*branch, *(np.rint(places).astype(int) % rail.length).tolist()]
    lids = returning_lids(last[-1].lid, idle[1 : len(frames) + 1, 1], blink)
    return [Shown(*pair) for pair in zip(frames, lids, strict=True)]


def longest_way(frames: int) -> float:
    """Return how far the path may go in a number of frames on the way back."""
    extra_speed = RETURN_ACCELERATION * max(0, frames - PATIENCE_FRAMES)
    return (RETURN_FASTEST + extra_speed) * frames


def unfinished_frames(lid: int, blink: int) -> int:
    """Return the frames that a blink still takes."""
    return blink - lid if lid else 0


def lid_is_free(idle: NDArray[np.int64], end: int, unfinished: int) -> bool:
    """Return True if the loop has no blink at `end` that could not be shown from its start."""
    return not idle[end] or end - int(idle[end]) + 1 > unfinished


def is_on(last: Sequence[Shown], idle: NDArray[np.int64]) -> bool:
    """Return True if the last picture is that of the idle loop."""
    return last[-1] == Shown(*idle[0].tolist())


def way_out(rail: Rail, last: Sequence[Shown]) -> list[int]:
    """Return the frames from inside a gesture to its junction, turning without a jerk."""
    found = rail.locate(last[-1].frame)
    if found is None:
        return []
    gesture, depth = found
    before = rail.locate(last[-2].frame) if len(last) > 1 else None
    is_going_in = depth > (before[1] if before is not None else 0) and depth < gesture.frames
    deepest = turning_depth(gesture, depth) if is_going_in else depth
    turn = [*range(depth + 1, deepest + 1), deepest] if is_going_in else []
    return [gesture.frame_at(level) for level in [*turn, *range(deepest - 1, -1, -1)]]


def turning_depth(gesture: Gesture, depth: int) -> int:
    """Return the depth at which a path on its way in can turn: where it is slow."""
    steps = -np.diff(np.cos(np.pi * np.arange(gesture.frames + 1) / gesture.frames))
    slow = np.flatnonzero(steps <= TURNING_SHARE * steps.max()) + 1
    return int(slow[slow >= depth][0])


def curve_speed(rail: Rail, before: int, after: int) -> float:
    """Return the step between two frames of the curve."""
    if rail.locate(before) is not None:
        return 0.0
    return float(rail.nearest(after, before) - before)


def returning_lids(lid: int, idle: NDArray[np.int64], blink: int) -> list[int]:
    """Return lids that finish a blink in progress, then follow one of the idle loop from its
    start."""
    rest = list(range(lid + 1, blink + 1)) if lid else []
    lids = [*rest[: len(idle)], *([0] * (len(idle) - len(rest)))]
    starts = np.flatnonzero(idle == 1)
    for start in starts[starts >= len(rest)].tolist():
        for n in range(start, min(start + blink, len(idle))):
            lids[n] = int(idle[n])
    return lids
