"""Actions of avatars: added, replaced, placed; films that do not fit are refused."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.prepare.action.waving import waving, without_face, written
from tests.warm.sample_videos import Picture, portrait
from warm.avatars.avatar import MOUTH_SHARES, Avatar, AvatarBuild
from warm.avatars.recipe import PreparationSettings
from warm.avatars.store import AvatarMissing, AvatarStore
from warm.engines.base import Engine
from warm.media.sniff import MediaError
from warm.prepare.action.errors import (
    ActionFaceError,
    ActionFramingError,
    ActionLengthError,
    BadActionName,
)
from warm.prepare.action.source import ActionSource
from warm.prepare.run import prepare

pytestmark = pytest.mark.slow

FRAMES = 40
HIDDEN = range(14, 26)


class RowEngine:
    """Stores the mean grey level of every frame, also of those of actions."""

    name = "rows"

    def prepare(self, build: AvatarBuild) -> None:
        build.write_array("greys", greys(build.frames))

    def extend(self, _build: AvatarBuild, part: AvatarBuild) -> dict[str, NDArray[np.generic]]:
        assert part.turns_deg is not None
        assert part.turns_deg.shape == (len(part.frames), 2)
        return {"greys": greys(part.frames)}


def greys(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(frames.mean(axis=(1, 2, 3)), np.float64)


def row_engine() -> Engine:
    return RowEngine()  # type: ignore[return-value]  # only these methods are called


def add(store: AvatarStore, *actions: ActionSource, source: Path | None = None) -> Avatar:
    return prepare(
        source,
        avatar_id="face",
        store=store,
        actions=actions,
        engine=row_engine,
        settings=PreparationSettings(max_s=1),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AvatarStore]:
    """A store with one avatar, from a video of a second."""
    folder = tmp_path_factory.mktemp("acting")
    source = written(folder / "face.mp4", waving(25))
    store = AvatarStore(folder / "results")
    add(store, source=source)
    yield store
    assert sorted(path.name for path in store.root.iterdir()) == ["face"]


def psnr(one: Picture, other: Picture) -> float:
    return float(cv2.PSNR(np.ascontiguousarray(one), np.ascontiguousarray(other)))


def test_an_action_is_added_and_the_rest_of_the_avatar_stays_as_it_is(
    store: AvatarStore, tmp_path: Path
) -> None:
    before, pictures = store.open("face"), waving(FRAMES, hidden=HIDDEN)
    film = written(tmp_path / "wave.mp4", pictures)
    source = ActionSource(name="wave", path=film, source_name="w.mp4")
    avatar = add(store, source)
    action = avatar.actions["wave"]
    assert (action.start, action.frames, action.source) == (25, FRAMES, "w.mp4")
    assert avatar.period == before.period
    assert avatar.loop_frames == 25
    assert np.array_equal(avatar.frames[:25], before.frames)
    assert np.array_equal(avatar.landmarks[:25], before.landmarks)
    assert (avatar.base_digest, avatar.digest != before.digest) == (before.base_digest, True)
    assert np.allclose(avatar.extras["greys"], greys(avatar.frames), atol=0.01)
    check_hidden(avatar, pictures)
    manifest = (avatar.folder / "avatar.json").stat()
    add(store, source)
    assert (avatar.folder / "avatar.json").stat() == manifest, "it was not prepared again"


def check_hidden(avatar: Avatar, pictures: list[Picture]) -> None:
    """No mouth is drawn on the hand, and the picture there is as filmed."""
    action = avatar.actions["wave"]
    shares = np.asarray(avatar.extras[MOUTH_SHARES])[action.start :]
    assert not shares[HIDDEN.start : HIDDEN.stop].any()
    assert (shares[:8] == 1).all()
    assert (shares[-8:] == 1).all()
    assert action.mouth_frames == int((shares > 0).sum())
    shown = avatar.frames[action.start + HIDDEN.start + 4]
    assert psnr(shown, pictures[HIDDEN.start + 4]) > 28


def test_an_action_of_the_same_name_is_replaced_and_others_keep_their_frames(
    store: AvatarStore, tmp_path: Path
) -> None:
    films = {
        name: written(tmp_path / f"{name}.mp4", waving(frames))
        for name, frames in {"one": 21, "two": 22, "three": 23}.items()
    }
    named = {name: ActionSource(name=name, path=path) for name, path in films.items()}
    both = add(store, named["one"], named["two"])
    two = both.actions["two"]
    kept = np.array(both.frames[two.start : two.end])
    replaced = add(store, ActionSource(name="one", path=films["three"]))
    two = replaced.actions["two"]
    assert np.array_equal(replaced.frames[two.start : two.end], kept)
    assert replaced.actions["one"].frames == 23
    starts = sorted((each.start, each.end) for each in replaced.actions.values())
    assert starts[0][0] == replaced.loop_frames
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(starts))
    assert starts[-1][1] == len(replaced.frames) == len(replaced.extras["greys"])
    assert np.allclose(replaced.extras["greys"], greys(replaced.frames), atol=0.01)


def test_a_film_of_another_size_rate_and_framing_is_brought_to_the_avatar(
    store: AvatarStore, tmp_path: Path
) -> None:
    pictures = waving(48, zoom=0.93, shift=5, height=480)
    film = written(tmp_path / "w.mp4", pictures, fps=50)
    avatar = add(store, ActionSource(name="large", path=film))
    action = avatar.actions["large"]
    assert action.frames == 24
    assert avatar.frames.shape[1:] == (240, 204, 3)
    face = np.s_[40:150, 60:150]
    own = avatar.frames[action.start][face]
    assert max(psnr(own, frame[face]) for frame in avatar.frames[:25]) > 24
    scales = np.sqrt(np.linalg.det(avatar.transforms[:, :, :2]))
    assert scales[action.start] == pytest.approx(np.median(scales[:25]), rel=0.04)


@pytest.mark.parametrize(
    ("pictures", "error", "words"),
    [
        (waving(12), ActionLengthError, "0.48 s long"),
        (without_face(waving(22), range(4)), ActionFaceError, "does not begin with the face"),
        (waving(21, zoom=0.5), ActionFramingError, "too small"),
        (waving(21, zoom=1.5), ActionFramingError, "too large"),
    ],
)
def test_a_film_that_does_not_fit_is_refused_and_the_avatar_stays(
    store: AvatarStore,
    tmp_path: Path,
    pictures: list[Picture],
    error: type[Exception],
    words: str,
) -> None:
    before = store.open("face")
    film = written(tmp_path / "bad.mp4", pictures)
    with pytest.raises(error, match=words):
        add(store, ActionSource(name="bad", path=film))
    assert store.open("face").digest == before.digest


def test_a_long_film_is_refused_before_it_is_decoded(store: AvatarStore, tmp_path: Path) -> None:
    film = written(tmp_path / "long.mp4", [np.zeros((48, 64, 3), np.uint8)] * 22, fps=1)
    with pytest.raises(ActionLengthError, match="at most 20 s"):
        add(store, ActionSource(name="long", path=film))


def test_a_photo_and_a_missing_file_are_refused(store: AvatarStore, tmp_path: Path) -> None:
    photo = tmp_path / "me.png"
    cv2.imwrite(str(photo), portrait(240))
    with pytest.raises(ActionLengthError, match="is a photo"):
        add(store, ActionSource(name="me", path=photo))
    with pytest.raises(MediaError):
        add(store, ActionSource(name="me", path=tmp_path / "none.mp4"))


def test_actions_need_an_avatar_and_a_name(tmp_path: Path) -> None:
    film = written(tmp_path / "w.mp4", waving(24))
    with pytest.raises(AvatarMissing):
        add(AvatarStore(tmp_path / "empty"), ActionSource(name="wave", path=film))
    for name in ("", "Wave", "a b", "-a", "a" * 33):
        with pytest.raises(BadActionName):
            ActionSource(name=name, path=film)
