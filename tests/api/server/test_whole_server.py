"""The application with the prepared demo portrait, real engine and voices."""

from collections.abc import Iterator
from pathlib import Path

import av
import matplotlib as mpl
import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from api.context import context
from app import create_app
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarStore
from warm.prepare.run import FACE_MODELS, prepare
from warm.render.utterances import TAIL_FRAMES
from warm.settings import Settings

pytestmark = pytest.mark.slow

PORTRAIT = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    if not FACE_MODELS.is_dir():
        pytest.skip(f"the face models are not in {FACE_MODELS}; `make` fetches them")
    settings = Settings(results_dir=tmp_path_factory.mktemp("whole"), max_side=320)
    prepare(
        PORTRAIT,
        avatar_id=settings.avatar_id,
        store=AvatarStore(settings.results_dir),
        settings=settings.preparation_settings,
    )
    app = create_app(settings)
    assert context(app).runtime.wait_until_warm(60)
    yield app.test_client()
    context(app).runtime.close()


def test_the_portrait_speaks_with_its_mouth_and_nothing_else(client: FlaskClient) -> None:
    answer = client.post("/speak", json={"text": "Hello world. How are you today?"})
    assert answer.status_code == 200
    avatar = context(client.application).runtime.avatar
    with av.open(answer.get_json()["video_path"]) as film:
        shown = [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]
    assert len(shown) == answer.get_json()["clip"]["frames"]
    inside, outside = [], []
    indices = nearest_frames(avatar, shown)
    for index, picture in zip(indices, shown, strict=True):
        changed = np.abs(picture.astype(int) - avatar.frames[index]).mean(axis=2)
        corners = avatar.landmarks[index, [61, 291], :2]
        width = np.ptp(corners[:, 0])
        x, y = corners.mean(axis=0).round().astype(int)
        box = np.s_[
            y - int(width / 3) : y + int(width / 2), x - int(width / 2) : x + int(width / 2)
        ]
        inside.append(changed[box].mean())
        outside.append(changed[: y - int(1.2 * width)].mean())
    assert max(inside) > 3 * max(outside)
    assert max(inside[-TAIL_FRAMES:]) < 2 * max(outside)
    assert max(outside) < 5
    ends = [*range(2), *range(len(shown) - 2, len(shown))]
    for number in ends:
        assert head_distance(avatar, indices[number], avatar.index_at(number)) < 1.5
    away = [head_distance(avatar, index, avatar.index_at(n)) for n, index in enumerate(indices)]
    assert max(away) > 1.5


def nearest_frames(avatar: Avatar, shown: list[NDArray[np.uint8]]) -> list[int]:
    """The avatar's frame that each picture shows, by all but its lowest part."""
    part = np.s_[: avatar.size[1] // 2 : 4, ::4]
    frames = avatar.frames[:, *part].astype(np.int16)
    return [int(np.abs(frames - one[part]).mean(axis=(1, 2, 3)).argmin()) for one in shown]


def head_distance(avatar: Avatar, one: int, other: int) -> float:
    """Mean distance between the landmarks of two frames, pixels."""
    moved = avatar.landmarks[one, :, :2] - avatar.landmarks[other, :, :2]
    return float(np.hypot(*moved.T).mean())


def test_the_avatar_is_listed_with_its_pictures(client: FlaskClient) -> None:
    (listed,) = client.get("/avatars").get_json()["avatars"]
    assert (listed["id"], listed["active"], listed["state"]) == ("demo", True, "ready")
    preview = client.get(listed["preview_url"])
    assert (preview.status_code, preview.mimetype) == (200, "image/png")
    idle = client.get(listed["idle_url"], headers={"Range": "bytes=0-99"})
    assert (idle.status_code, idle.mimetype, len(idle.data)) == (206, "video/mp4", 100)
    preview.close()
    idle.close()


def test_the_page_and_its_files_are_served(client: FlaskClient) -> None:
    page = client.get("/")
    assert page.mimetype == "text/html"
    assert b"<html" in page.data
    script = client.get("/web/main.js")
    assert script.mimetype == "text/javascript"
    assert script.headers["Cache-Control"] == "no-cache"
    assert client.get("/web/%2e%2e/app.py").status_code == 404
    page.close()
    script.close()
