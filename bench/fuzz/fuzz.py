"""10,000 generated requests over all operations of a real server."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.figure import Figure
from bench.fuzz.cases import Case, Known, Operation, cases, operations_of
from bench.fuzz.client import send_all
from bench.fuzz.judgement import Judgements
from bench.server_process import ServerProcess, run_server
from session.fragmented.check import check_film
from warm.avatars.recipe import PreparationSettings
from warm.avatars.store import AvatarStore
from warm.prepare.demo import demo_portrait
from warm.prepare.run import prepare

REQUESTS = 10_000
SEED = 12
SIDE_PX = 208
"""A small avatar: its pictures are not measured."""
KEPT = "kept"
"""Session whose film must survive; generated requests do not name it."""
KNOWN: Known = {"session_id": "default", "avatar_id": "demo", "name": "main.js"}


def measure(out: Path) -> list[Figure]:
    """Send the requests, and write the faults to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        make_avatar(results)
        with run_server(results) as server:
            server.request("POST", "/speak", {"text": "This film is kept.", "session_id": KEPT})
            document = json.loads(server.request("GET", "/openapi.json"))
            operations = operations_of(document)
            found = send_all(every_case(operations, REQUESTS), server.url(""))
            alive = is_alive(server)
        damaged = damaged_films(results)
    write_faults(found, out / "fuzz_faults.txt")
    print(
        f"operations: {len(operations)}; answers by status: {dict(sorted(found.statuses.items()))}"
    )
    return figures(found, lost=int(not alive), damaged=len(damaged))


def make_avatar(results: Path) -> None:
    """Prepare a small avatar."""
    prepare(
        demo_portrait(),
        avatar_id="demo",
        store=AvatarStore(results),
        settings=PreparationSettings(max_side=SIDE_PX),
    )


def every_case(operations: list[Operation], count: int) -> Iterator[Case]:
    """Yield `count` requests, spread evenly over the operations."""
    left = count
    for number in itertools.count(SEED):
        run = max(1, -(-left // len(operations)))
        for operation in operations:
            for case in itertools.islice(cases(operation, run, number, KNOWN), left):
                left -= 1
                yield case
        if not left:
            return


def is_alive(server: ServerProcess) -> bool:
    """True if the server still speaks, in a session that has a film."""
    answer: dict[str, Any] = json.loads(
        server.request("POST", "/speak", {"text": "Still here.", "session_id": KEPT})
    )
    return server.process.poll() is None and answer["session"]["clips"] == 2


def damaged_films(results: Path) -> list[Path]:
    """Return the films that the film checker finds damaged, the kept one among them if missing."""
    films = [*results.rglob("full_session.mp4")]
    kept = results / "sessions" / KEPT / "full_session.mp4"
    missing = [] if kept in films else [kept]
    return missing + [film for film in films if check_film(film).faults]


def figures(found: Judgements, *, lost: int, damaged: int) -> list[Figure]:
    """Return the figures of all answers."""
    n = found.count
    return [
        Figure.at_least("generated requests: number", n, "", REQUESTS, n),
        Figure.at_most("generated requests: answered 5xx", len(found.server_errors), "", 0, n),
        Figure.at_most(
            "generated requests: undocumented statuses", len(found.undocumented), "", 0, n
        ),
        Figure.at_most(
            "generated requests: answers unlike the document", len(found.different), "", 0, n
        ),
        Figure.at_most("generated requests: invalid, and accepted", len(found.accepted), "", 0, n),
        Figure.at_most("generated requests: without an answer", len(found.unanswered), "", 0, n),
        Figure.at_most("generated requests: servers lost", lost, "", 0, n),
        Figure.at_most("generated requests: films damaged", damaged, "", 0, n),
    ]


def write_faults(found: Judgements, path: Path) -> None:
    """Write all faults for a person to read."""
    groups = {
        "answered 5xx": found.server_errors,
        "undocumented statuses": found.undocumented,
        "unlike the document": found.different,
        "invalid, and accepted": found.accepted,
        "without an answer": found.unanswered,
    }
    lines = [f"# {name}\n" + "\n\n".join(faults) for name, faults in groups.items()]
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
