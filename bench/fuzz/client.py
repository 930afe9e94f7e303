"""Clients that send generated requests to a server and read bounded answers."""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import local

import requests
from schemathesis import Response as Answer

from bench.fuzz.cases import Case
from bench.fuzz.judgement import Judgements

CLIENTS = 8
ANSWER_S = 60.0
WAITING = ("/stream", "/events", "/live.m3u8")
"""Endings of the paths of responses that wait for a film to grow."""
WAITING_S = 0.4
"""Time to wait for such a response, and to read it."""
MAX_BYTES = 1 << 20
"""Bytes to read of a response that grows."""


def send_all(cases: Iterable[Case], base_url: str) -> Judgements:
    """Send all requests, several at a time, and return the judgement of their answers."""
    found = Judgements()
    threads = local()
    with ThreadPoolExecutor(CLIENTS) as pool:

        def send(case: Case) -> None:
            if not hasattr(threads, "session"):
                threads.session = requests.Session()
            send_one(case, base_url, threads.session, found)

        list(pool.map(send, cases))
    return found


def send_one(case: Case, base_url: str, session: requests.Session, found: Judgements) -> None:
    """Send one request and judge its answer."""
    waits = case.path.endswith(WAITING)
    try:
        answer = session.request(
            **case.as_transport_kwargs(base_url=base_url),
            stream=True,
            allow_redirects=False,
            timeout=WAITING_S if waits else ANSWER_S,
        )
        with answer:
            if waits:
                answer._content = beginning(answer)
            found.judge(case, Answer.from_any(answer))
    except requests.RequestException as error:
        if waits and isinstance(error, requests.Timeout):
            found.note_waiting()
        else:
            found.note_unanswered(case, error)


def beginning(answer: requests.Response) -> bytes:
    """Return the part of a response that arrives within `WAITING_S`."""
    content, deadline = b"", time.monotonic() + WAITING_S
    try:
        for chunk in answer.iter_content(None):
            content += chunk
            if len(content) >= MAX_BYTES or time.monotonic() > deadline:
                break
    except requests.RequestException:
        pass  # nothing more within the time limit
    return content
