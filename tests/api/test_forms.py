"""Forms with files are read in every form that clients send, and every fault names its field."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, cast
from urllib.parse import urlencode

import pytest
from flask import Flask
from pydantic import Field, field_validator

from api.context import AppContext, attach_context, context
from api.forms import FilePart, Form, read_form
from api.problem import BadBody, problem_of
from api.slots import Slots
from app import open_uploads
from tests.api.test_uploads import files_left, png, wav
from warm.fetch.fetcher import Fetcher
from warm.settings import Settings
from warm.uploads.upload import ALL_KINDS, Upload

BOUNDARY = "x-boundary"


class PortraitForm(Form):
    takes_raw: ClassVar[bool] = True

    photo: Annotated[
        Upload | None, FilePart("picture", url="photo_url", data="photo_data")
    ] = None  # fmt: skip
    name: str = ""
    steps: Annotated[int, Field(ge=1, le=100)] = 1
    is_new: bool = False
    speed: float | None = None


class StrictForm(Form):
    photo: Annotated[Upload, FilePart("picture")]

    @field_validator("photo")
    @classmethod
    def _refuse(cls, _photo: Upload) -> Upload:
        raise ValueError("no picture will do")


class PairForm(Form):
    photo: Annotated[Upload, FilePart("picture", data="photo")]
    sound: Annotated[Upload, FilePart("sound")]


Read = Callable[..., Any]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """An application that only reads forms. It has the picture of the tests already,
    which is therefore not examined in each of them."""
    settings = Settings(results_dir=tmp_path_factory.mktemp("forms"))
    store = open_uploads(settings)
    store.receive([png()], allowed=ALL_KINDS, owner="")
    app = Flask(__name__)
    parts = SimpleNamespace(
        settings=settings, uploads=store, fetcher=Fetcher(store, None), receiving=Slots(1)
    )
    attach_context(app, cast(AppContext, parts))
    yield app
    store.close()


@pytest.fixture
def stored(app: Flask) -> Iterator[Callable[[], int]]:
    """Counts the files that were stored since the test began; removes them at its end."""
    store, before = context(app).uploads, context(app).uploads.of_owner(None)
    settings = context(app).settings
    files = len(files_left(settings))
    yield lambda: len(files_left(settings)) - files
    for upload in store.of_owner(None):
        if upload not in before:
            store.remove(upload.id)


@pytest.fixture
def read(app: Flask) -> Read:
    """Reads a form from a body; the result is the form, or the problem of the refusal."""

    def run(body: bytes, content_type: str, form: type[Form] = PortraitForm, **more: Any) -> Any:
        with app.test_request_context(
            "/x", method="POST", data=body, content_type=content_type, **more
        ):
            try:
                return read_form(form)
            except Exception as error:  # noqa: BLE001 - as the application does
                return problem_of(error)

    return run


def part(name: str, data: bytes, head: str = "", disposition: str = "") -> bytes:
    shown = disposition or f'form-data; name="{name}"'
    return f"--{BOUNDARY}\r\nContent-Disposition: {shown}\r\n{head}\r\n".encode() + data + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
PHOTO = 'form-data; name="photo"; filename="a.png"'


def photo(data: bytes | None = None, disposition: str = PHOTO, head: str = "") -> bytes:
    return part("photo", png() if data is None else data, head, disposition)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MULTIPART, multipart(photo(), part("name", b"Ann"))),
        (MULTIPART, multipart(part("name", b"Ann"), photo(head="Content-Type: text/plain\r\n"))),
        (f'Multipart/Form-Data; charset=utf-8; boundary="{BOUNDARY}"',
         b"preamble\r\n" + multipart(photo(), part("name", b"Ann")) + b"epilogue"),
        (MULTIPART, multipart(photo(), part("name", b"Ann")).removesuffix(b"\r\n")),
        (MULTIPART, multipart(
            photo(disposition="form-data; name=photo; filename*=UTF-8''%e2%82%ac.png"),
            part("name", b"Ann", "Content-Type: text/plain; charset=ISO-8859-1\r\n"))),
        (MULTIPART, multipart(
            photo(disposition='form-data; name="photo"'),
            part("name", b"Ann", disposition='form-data; name="name"; filename="n.txt"'))),
        (MULTIPART, multipart(part("photo_data", base64.b64encode(png())), part("name", b"Ann"))),
        (MULTIPART, multipart(
            part("photo", b"", disposition='form-data; name="photo"; filename=""'),
            part("photo_data", b"data:image/png;base64," + base64.b64encode(png())),
            part("name", b"Ann"))),
        ("application/json", json.dumps(
            {"photo_data": base64.urlsafe_b64encode(png()).decode().rstrip("="),
             "name": "Ann"}).encode()),
        ("application/json; charset=utf-8", json.dumps(
            {"photo_data": "data:image/png;base64," + base64.encodebytes(png()).decode(),
             "name": "Ann"}).encode()),
        ("application/x-www-form-urlencoded", urlencode(
            {"photo_data": base64.b64encode(png()), "name": "Ann",
             "steps": "", "speed": ""}).encode()),
    ],
)  # fmt: skip
def test_every_form_of_a_request_is_read(
    read: Read, stored: Callable[[], int], content_type: str, body: bytes
) -> None:
    form = read(body, content_type)
    assert isinstance(form, PortraitForm), form.detail
    assert form.photo is not None
    assert form.photo.path.read_bytes() == png()
    assert form.name == "Ann"
    assert form.steps == 1
    assert stored() == 1, "one record, of the same bytes"


def test_a_raw_body_takes_its_fields_from_the_query(read: Read, stored: object) -> None:
    form = read(png(), "image/png", query_string={"name": "Ann", "steps": "3", "is_new": "true"})
    assert isinstance(form, PortraitForm), form.detail
    assert (form.name, form.steps, form.is_new) == ("Ann", 3, True)
    assert form.photo is not None


def test_an_own_upload_may_be_named_by_its_address(read: Read, stored: object) -> None:
    first = read(png(), "image/png").photo
    for url in (f"/uploads/{first.id}.png", f"https://talk.example/talk/uploads/{first.id}.png"):
        form = read(json.dumps({"photo_url": url}).encode(), "application/json")
        assert isinstance(form, PortraitForm), form.detail
        assert form.photo == first


FAULTS = [
    (multipart(photo(), photo()), 422, {"photo"}),
    (multipart(part("name", b"a"), part("name", b"b"), photo()), 422, {"name"}),
    (multipart(part("steps", b"200"), part("speed", b"x"), part("is_new", b"perhaps"), photo()),
     422, {"steps", "speed", "is_new"}),
    (multipart(part("name", b"\xff"), part("steps", b"0")), 422, {"name", "steps"}),
    (multipart(part("name", b"a", "Content-Type: text/plain; charset=utf-7\r\n")), 422, {"name"}),
    (multipart(part("other", b"1"), photo()), 422, {"other"}),
    (multipart(photo(b"")), 422, {"photo"}),
    (multipart(photo(png()[:40])), 422, {"photo"}),
    (multipart(photo(wav())), 415, {"photo"}),
    (multipart(photo(b"#EXTM3U\nhttp://10.0.0.1/")), 415, {"photo"}),
    (multipart(photo(), part("photo_data", base64.b64encode(png()))), 422, {"photo"}),
    (multipart(part("photo_data", b"not base64!")), 422, {"photo_data"}),
    (multipart(part("photo_data", b"data:image/png,abc")), 422, {"photo_data"}),
    (multipart(part("photo_url", b"http://example.com/a.png")), 422, {"photo_url"}),
    (multipart(part("photo_url", b"/uploads/" + b"0" * 32 + b".png")), 422, {"photo_url"}),
    (multipart(part("photo_url", b"file:///etc/passwd")), 422, {"photo_url"}),
    (multipart(photo(head="Content-Transfer-Encoding: base64\r\n")), 422, set()),
    (multipart(part("name", b"a" * (1 << 18)), part("x", b"a")), 413, set()),
    (multipart(part("", b"a", disposition="form-data")), 400, set()),
    (multipart(part("", b"a", disposition='form-data; name=""')), 400, set()),
    (multipart(part("name", b"a", "X: " + "y" * 9000 + "\r\n")), 400, set()),
    (multipart(part("name", b"a", "X: \xff\r\n").replace(b"\xc3\xbf", b"\xff")), 400, set()),
    (multipart(*(part(f"n{index}", b"a") for index in range(100))), 400, set()),
    (multipart(photo())[:-30], 400, set()),
    (multipart(photo()).replace(BOUNDARY.encode(), b"other"), 400, set()),
    (b"a" * 600_000, 400, set()),
    (f"--{BOUNDARY}\r\n\r\nno headers\r\n--{BOUNDARY}--".encode(), 400, set()),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "fields"), FAULTS)
def test_a_faulty_form_is_refused_with_its_fields_and_leaves_nothing(
    read: Read, stored: Callable[[], int], body: bytes, status: int, fields: set[str]
) -> None:
    problem = read(body, MULTIPART)
    assert (problem.status, set(problem.details)) == (status, fields), problem.detail
    assert "/content" not in problem.detail
    assert "/incoming" not in problem.detail
    assert stored() == 0


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b'{"name": "a", "name": "b"}', 422),
        ("application/json", b'{"photo": {"id": "x", "path": "/etc/passwd"}}', 422),
        ("application/json", b'{"photo_url": ["http://a"]}', 422),
        ("application/json", b'{"name": NaN', 400),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b"[]", 422),
        ("application/json", b'{"speed": NaN}', 422),
        ("application/x-www-form-urlencoded", b"speed=inf", 422),
        ("application/json", rb'{"photo_data": "\ud800"}', 422),
        ("application/json", rb'{"photo_url": "http://a/\ud800"}', 422),
        ("application/json", rb'{"steps": "\ud800", "\udfff": 1}', 422),
        ("application/x-www-form-urlencoded", b"name=%ff", 400),
        ("application/x-www-form-urlencoded", b"name=a&name=b", 422),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(100)), 400),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=" + "b" * 500, b"x", 400),
        ("multipart/form-data; boundary=\u00fc", b"x", 400),
        ("image/png", b"", 422),
    ],
)
def test_a_faulty_body_is_refused(
    read: Read, stored: Callable[[], int], content_type: str, body: bytes, status: int
) -> None:
    problem = read(body, content_type)
    assert problem.status == status, problem.detail
    assert stored() == 0


def test_a_file_is_removed_if_another_field_is_refused(
    read: Read, stored: Callable[[], int]
) -> None:
    bad = part("sound", b"text only, no sound", disposition='form-data; name="sound"; filename="a"')
    assert read(multipart(photo(), bad), MULTIPART, PairForm).status == 415
    assert read(multipart(photo()), MULTIPART, PairForm).status == 422
    assert stored() == 0


@pytest.mark.parametrize("is_json", [True, False])
def test_a_file_may_be_sent_as_a_data_url_in_its_own_field(
    read: Read, stored: object, is_json: bool
) -> None:
    text = "data:image/png;base64," + base64.b64encode(png()).decode()
    sound = part("sound", wav(), disposition='form-data; name="sound"; filename="a.wav"')
    if is_json:
        body = json.dumps({"photo": text, "sound": "x"}).encode()
        assert set(read(body, "application/json", PairForm).details) == {"sound"}
        return
    form = read(multipart(part("photo", text.encode()), sound), MULTIPART, PairForm)
    assert isinstance(form, PairForm), form.detail
    assert form.photo.path.read_bytes() == png()


def test_a_refused_file_is_shown_without_its_path(read: Read, stored: Callable[[], int]) -> None:
    problem = read(multipart(photo()), MULTIPART, StrictForm)
    assert problem.status == 422
    assert problem.detail == 'photo = "<upload>": no picture will do'
    assert stored() == 0


def test_a_compressed_body_is_refused(read: Read) -> None:
    assert read(png(), "image/png", headers={"Content-Encoding": "gzip"}).status == 415


class Broken(io.RawIOBase):
    """A body whose client leaves."""

    def __init__(self, data: bytes) -> None:
        self._pieces = iter([data[start : start + 100] for start in range(0, len(data), 100)])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = next(self._pieces, None)
        if piece is None:
            raise BrokenPipeError
        buffer[: len(piece)] = piece
        return len(piece)


def test_nothing_is_left_when_the_client_leaves(app: Flask, stored: Callable[[], int]) -> None:
    body = multipart(photo())
    with (
        app.test_request_context(
            "/x",
            method="POST",
            content_type=MULTIPART,
            environ_overrides={
                "wsgi.input": Broken(body[: len(body) // 2]),
                "CONTENT_LENGTH": str(len(body)),
            },
        ),
        pytest.raises((BadBody, OSError)),
    ):
        read_form(PortraitForm)
    assert stored() == 0
