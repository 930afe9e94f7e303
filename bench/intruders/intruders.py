"""Hostile files, addresses, names and clients against a real server: nothing gets through."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figure import Figure
from bench.intruders import pictures, recordings
from bench.intruders.addresses import addresses, own_addresses
from bench.intruders.attempt import Answer, Attempt, multipart, send
from bench.intruders.leaving_clients import visits
from bench.intruders.listeners import Canary, listening, redirecting
from bench.intruders.names import targets
from bench.polling import wait_until
from bench.server_process import ServerProcess, process_tree, run_server
from warm.avatars.recipe import PreparationSettings
from warm.avatars.store import AvatarStore
from warm.prepare.demo import demo_portrait
from warm.prepare.run import prepare

ALLOWED = "127.0.0.2"
"""The only address that the measured server may fetch from."""
FLAGS = (
    *("--fetch-urls", "true", "--fetch-allowed-networks", ALLOWED),
    *("--max-upload-mb", "30", "--max-session-s", "600"),
)
SIDE_PX = 208
QUIET_S = 60.0
SAMPLE = 6
"""`/uploads` gets all files; the other routes, which receive files with the same code, get one in
this many."""
SLOW_S = 3.0
MAX_GROWTH_MB = 50.0
SECRETS = (b"root:", b"SQLite format")
"""Beginnings of files that no answer may contain."""
FILE_ROUTES: tuple[tuple[str, str, dict[str, str], str], ...] = (
    ("/images", "image", {}, "picture"),
    ("/audios", "audio", {}, "sound"),
    ("/upload-source-image", "file", {}, "picture"),
    ("/upload-audio", "file", {}, "sound"),
    ("/avatars/prepare", "video_file", {"avatar_id": "intruder"}, "picture"),
    ("/generate", "audio_file", {"avatar_id": "demo"}, "sound"),
    ("/speak", "audio", {}, "sound"),
)
"""Path, field, other fields and kind of the routes that take files."""
ADDRESS_ROUTES: tuple[tuple[str, dict[str, object]], ...] = (
    ("/speak", {"audio_url": ""}),
    ("/avatars/prepare", {"avatar_id": "intruder", "video_url": ""}),
    ("/generate-video", {"audio_url": "", "source_url": "/uploads/none"}),
    ("/talks", {"source_url": "", "script": {"type": "text", "input": "Hi."}}),
)
"""Path and body of the routes that take addresses; the empty member takes the address."""


@dataclass(slots=True)
class Findings:
    """Failures found."""

    attempts: int = 0
    accepted: list[str] = field(default_factory=list)
    """Attempts that were not refused."""
    faults: list[str] = field(default_factory=list)
    """Attempts answered with 5xx, or without an answer."""
    silent: list[str] = field(default_factory=list)
    """Refusals without words."""
    leaked: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    """Attempts that took more than SLOW_S."""

    def note(self, attempt: Attempt, answer: Answer) -> None:
        """Judge an answer."""
        self.attempts += 1
        shown = f"{attempt.name}: {answer.status} {answer.content[:300]!r}"
        if answer.status == 0 or answer.status >= 500:
            self.faults.append(shown)
        elif answer.status < 400 and not attempt.may_pass:
            self.accepted.append(shown)
        elif answer.status >= 400 and not answer.is_refusal():
            self.silent.append(shown)
        if any(secret in answer.content for secret in SECRETS):
            self.leaked.append(shown)


def measure(out: Path) -> list[Figure]:
    """Send everything; the failures are written to `out`."""
    canary, findings = Canary(), Findings()
    with (
        TemporaryDirectory(prefix="warmtalk-bench-") as name,
        listening("::", canary.respond) as canary_port,
        listening(ALLOWED, redirecting(canary_port)) as redirector,
        prepared_server(Path(name)) as server,
    ):
        workers = set(process_tree(server.process.pid, depth=1))
        warm_up(server)
        before_mb, before = server.resident_mb(), files_in(Path(name))
        for attempt in all_attempts(server, canary_port, f"http://{ALLOWED}:{redirector}"):
            began_s = time.perf_counter()
            answer = send(server.port, attempt)
            findings.note(attempt, answer)
            if time.perf_counter() - began_s > SLOW_S:
                findings.slow.append(f"{attempt.name}: {time.perf_counter() - began_s:.1f} s")
            undo(server.port, answer)
        for what, visit in visits():
            visit(server.port)
            findings.attempts += 1
            findings.note(Attempt(what, "GET", "/nowhere"), send(server.port, healthy()))
        left = left_files(Path(name), before)
        after_mb = quiet_mb(server, before_mb)
        lost = len(workers - set(process_tree(server.process.pid, depth=1)))
    write_failures(findings, [*left], out / "intruders_failures.json")
    n = findings.attempts
    return [
        Figure.at_most("intruders: accepted", len(findings.accepted), "", 0, n),
        Figure.at_most("intruders: connections to forbidden servers", canary.connections, "", 0, n),
        Figure.at_most("intruders: answers of 5xx, or none", len(findings.faults), "", 0, n),
        Figure.at_most("intruders: refusals without words", len(findings.silent), "", 0, n),
        Figure.at_most("intruders: files of the server in answers", len(findings.leaked), "", 0, n),
        Figure.at_most("intruders: files left behind", len(left), "", 0, n),
        Figure.at_most(
            "intruders: growth of the server's memory", after_mb - before_mb, "MB", MAX_GROWTH_MB, n
        ),
        Figure.at_most("intruders: server processes lost", lost, "", 0, n),
    ]


@contextmanager
def prepared_server(results: Path) -> Iterator[ServerProcess]:
    """Run a server with a small avatar."""
    prepare(
        demo_portrait(),
        avatar_id="demo",
        store=AvatarStore(results),
        settings=PreparationSettings(max_side=SIDE_PX),
    )
    with run_server(results, program=("app.py", *FLAGS)) as server:
        yield server


def warm_up(server: ServerProcess) -> None:
    """Send ordinary files, so that the memory that they need is taken before the measurement."""
    for data in (pictures.encoded("PNG"), recordings.wav(1), recordings.video()):
        body, content_type = multipart("file", data, "a")
        attempt = Attempt("ordinary", "POST", "/uploads", body, {"Content-Type": content_type})
        answer = send(server.port, attempt)
        if answer.status != 201:
            raise RuntimeError(f"an ordinary file was refused: {answer.content!r}")
        undo(server.port, answer)


def undo(port: int, answer: Answer) -> None:
    """Delete what an answer says was stored."""
    if answer.status == 201 and b'"sha256"' in answer.content:
        path = f"/uploads/{json.loads(answer.content)['id']}"
        send(port, Attempt("delete", "DELETE", path))


def healthy() -> Attempt:
    """Return a request that shows that the server still answers, with an error in words."""
    return Attempt("still answers", "GET", "/nowhere")


def all_attempts(server: ServerProcess, canary_port: int, redirector: str) -> Iterator[Attempt]:
    """Yield the requests of all kinds."""
    known = set(json.loads(server.request("GET", "/openapi.json"))["paths"])
    yield from file_attempts(known, canary_port)
    urls = addresses(canary_port, redirector)
    yield from address_attempts("/uploads", {"url": ""}, urls)
    for path, members in ADDRESS_ROUTES:
        if path in known:
            yield from address_attempts(path, members, own_addresses(canary_port))
    for method, path in targets():
        yield Attempt(f"{method} {path}", method, path)


def file_attempts(known: set[str], canary_port: int) -> Iterator[Attempt]:
    """Yield uploads of hostile files to the routes that exist."""
    hostile_pictures = [*pictures.bombs(), *pictures.truncated(), *pictures.disguised()]
    hostile_sounds = [*recordings.too_long(), *recordings.truncated()]
    hostile_sounds += recordings.references(canary_port)
    odd = [*pictures.bombs_in_metadata(), *recordings.harmless_references(canary_port)]
    files = {
        "picture": [*hostile_pictures, ("a sound", recordings.wav(1))],
        "sound": [*hostile_sounds, ("a picture", pictures.encoded("PNG"))],
        "all": [*hostile_pictures, *hostile_sounds, ("nothing", b"")],
    }
    yield from uploads("/uploads", "file", {}, files["all"])
    for path, field_name, texts, kind in FILE_ROUTES:
        if path in known:
            yield from uploads(path, field_name, texts, files[kind][::SAMPLE])
    yield from uploads("/uploads", "file", {}, odd, may_pass=True)


def uploads(
    path: str,
    field_name: str,
    texts: dict[str, str],
    files: Iterable[tuple[str, bytes]],
    *,
    may_pass: bool = False,
) -> Iterator[Attempt]:
    """Yield an upload of each file under a misleading name."""
    for name, data in files:
        body, content_type = multipart(field_name, data, "../../face.png", **texts)
        headers = {"Content-Type": content_type}
        yield Attempt(f"{path}: {name}", "POST", path, body, headers, may_pass=may_pass)


def address_attempts(
    path: str, members: dict[str, object], urls: Iterable[str]
) -> Iterator[Attempt]:
    """Yield requests with each address."""
    for url in urls:
        named = {name: url if value == "" else value for name, value in members.items()}
        body = json.dumps(named).encode()
        headers = {"Content-Type": "application/json"}
        yield Attempt(f"{path}: {url[:80]}", "POST", path, body, headers)


def files_in(folder: Path) -> set[Path]:
    """Return all files of a folder."""
    return {path for path in folder.rglob("*") if path.is_file()}


def left_files(folder: Path, before: set[Path]) -> set[Path]:
    """Return the files that are new, after a time for those that are still being removed."""
    journals = (".sqlite3-wal", ".sqlite3-shm")

    def found() -> set[Path]:
        new = files_in(folder) - before
        return {path for path in new if not path.name.endswith(journals)}

    with suppress(TimeoutError):
        wait_until(lambda: not found(), "a folder without new files", timeout_s=QUIET_S / 4)
    return found()


def quiet_mb(server: ServerProcess, before_mb: float) -> float:
    """Return the memory of the server's processes once those that read files have ended."""
    limit_mb = before_mb + MAX_GROWTH_MB
    with suppress(TimeoutError):
        wait_until(lambda: server.resident_mb() < limit_mb, "its memory", timeout_s=QUIET_S / 2)
    return server.resident_mb()


def write_failures(findings: Findings, left: list[Path], path: Path) -> None:
    """Write the failures, if there are any."""
    failures = {
        "accepted": findings.accepted,
        "faults": findings.faults,
        "silent": findings.silent,
        "leaked": findings.leaked,
        "slow": findings.slow,
        "left": [str(each) for each in left],
    }
    path.unlink(missing_ok=True)
    if any(chain.from_iterable(failures.values())):
        path.write_text(json.dumps(failures, indent=1), encoding="utf-8")
        print(f"failures: {path}")
