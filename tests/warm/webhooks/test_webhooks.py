"""Webhooks arrive signed, at least once, also after failures and restarts, and are logged."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.polling import wait_until
from tests.warm.webhooks.receiver import Receiver, webhook_receiver
from warm.fetch.checked_http import CheckedHttp
from warm.jobs.job import Job, JobError
from warm.jobs.jobs import Jobs
from warm.jobs.limits import limits_of
from warm.jobs.progress import JobProgress
from warm.settings import BadSettings, Settings
from warm.webhooks.delivery import Message
from warm.webhooks.errors import BadWebhook, WebhooksDisabled
from warm.webhooks.options import webhook_options, webhook_poster
from warm.webhooks.retries import GIVE_UP_S, next_attempt_s
from warm.webhooks.signature import BadSecret, key_of
from warm.webhooks.webhooks import WebhookOptions, WebhookPolicy, Webhooks, retry_after

KEY = b"a secret of sixteen bytes"


class Sleeper:
    """Has nothing to do."""

    kind = "film"

    def run(self, job: Job, progress: JobProgress) -> dict[str, Any]:
        progress.check()
        if job.request.get("fail"):
            raise RuntimeError("no film")
        return {"answer": 42}


class Clock:
    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as found:
        yield found


@contextmanager
def running(
    results: Path,
    *,
    clock: Clock | None = None,
    key: bytes | None = KEY,
    policy: WebhookPolicy = "any",
) -> Iterator[tuple[Jobs, Webhooks]]:
    """Jobs and webhooks of a results folder, as a server has them."""
    jobs = Jobs(
        results,
        limits_of(Settings(results_dir=results, min_free_mb=0)),
        describe=lambda error: JobError("InternalError", str(error)),
    )
    webhooks = Webhooks(
        jobs,
        CheckedHttp("127.0.0.0/8"),
        WebhookOptions(policy=policy, key=key),
        now=clock or time.time,
    )
    webhooks.register("talks", message_of)
    jobs.register(Sleeper())
    jobs.start()
    webhooks.start()
    try:
        yield jobs, webhooks
    finally:
        webhooks.close()
        jobs.close()


def message_of(job: Job) -> Message | None:
    url = job.extra.get("webhook")
    return Message(url, json.dumps({"id": job.id, "state": job.state}).encode()) if url else None


def submitted(jobs: Jobs, receiver: Receiver, **request: Any) -> Job:
    job = jobs.submit(
        "film", request, surface="talks", extra={"webhook": f"{receiver.url}/hook?a=1"}
    )
    return jobs.wait(job.id, 30)


def wait_for(webhooks: Webhooks, job: Job, state: str) -> None:
    wait_until(lambda: [each.state for each in webhooks.of_job(job.id)] == [state], state)


def test_the_end_of_a_job_is_posted_with_a_signature(tmp_path: Path, receiver: Receiver) -> None:
    with running(tmp_path) as (jobs, webhooks):
        job = submitted(jobs, receiver)
        wait_for(webhooks, job, "delivered")
        (found,) = webhooks.of_job(job.id)
    (received,) = receiver.received
    assert received.path == "/hook?a=1"
    assert json.loads(received.body) == {"id": job.id, "state": "done"}
    headers = received.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Webhook-Id"] == found.id
    assert abs(int(headers["Webhook-Timestamp"]) - time.time()) < 60
    signed = f"{found.id}.{headers['Webhook-Timestamp']}.".encode() + received.body
    digest = hmac.new(KEY, signed, hashlib.sha256).digest()
    assert headers["Webhook-Signature"] == "v1," + base64.b64encode(digest).decode()
    (attempt,) = found.attempts
    assert (attempt.number, attempt.status, attempt.error) == (1, 200, "")


def test_a_job_that_fails_is_posted_too(tmp_path: Path, receiver: Receiver) -> None:
    with running(tmp_path, key=None) as (jobs, webhooks):
        job = submitted(jobs, receiver, fail=True)
        wait_for(webhooks, job, "delivered")
    (received,) = receiver.received
    assert json.loads(received.body)["state"] == "error"
    assert "Webhook-Signature" not in received.headers


def test_jobs_of_other_surfaces_and_without_an_address_post_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    with running(tmp_path) as (jobs, webhooks):
        extra = {"webhook": receiver.url}
        others = [
            jobs.submit("film", {}, surface="jobs", extra=extra),
            jobs.submit("film", {}, surface="talks"),
        ]
        for job in others:
            jobs.wait(job.id, 30)
            assert webhooks.of_job(job.id) == []
    assert receiver.received == []


def test_a_failed_attempt_is_repeated_with_the_same_id(tmp_path: Path, receiver: Receiver) -> None:
    receiver.reply = lambda number: (503, {}) if number < 3 else (204, {})
    clock = Clock()
    with running(tmp_path, clock=clock) as (jobs, webhooks):
        job = submitted(jobs, receiver)
        for number in (1, 2):
            wait_until(lambda n=number: len(webhooks.of_job(job.id)[0].attempts) == n, "an attempt")
            (found,) = webhooks.of_job(job.id)
            assert found.state == "pending" and found.next_s is not None
            assert found.next_s - clock() == pytest.approx(5 * 2 ** (number - 1), rel=0.4)
            clock.ahead_s += 20
            webhooks._wake.set()
        wait_for(webhooks, job, "delivered")
        (found,) = webhooks.of_job(job.id)
    assert [each.status for each in found.attempts] == [503, 503, 204]
    assert len({each.headers["Webhook-Id"] for each in receiver.received}) == 1
    assert len({each.body for each in receiver.received}) == 1
    assert [each.headers["Webhook-Attempt"] for each in receiver.received] == ["1", "2", "3"]


def test_after_an_hour_the_delivery_is_given_up(tmp_path: Path, receiver: Receiver) -> None:
    receiver.reply = lambda _number: (500, {})
    clock = Clock()
    with running(tmp_path, clock=clock) as (jobs, webhooks):
        job = submitted(jobs, receiver)
        wait_until(lambda: len(webhooks.of_job(job.id)[0].attempts) == 1, "the first attempt")
        clock.ahead_s += GIVE_UP_S
        webhooks._wake.set()
        wait_for(webhooks, job, "failed")
        (found,) = webhooks.of_job(job.id)
    assert found.next_s is None
    assert "status 500" in found.attempts[-1].error


@pytest.mark.parametrize(
    ("status", "headers", "state"),
    [
        (302, {"Location": "http://127.0.0.1:1/"}, "pending"),
        (410, {}, "failed"),
        (404, {}, "pending"),
    ],
)
def test_only_a_2xx_is_an_acknowledgement_and_no_redirect_is_followed(
    tmp_path: Path, receiver: Receiver, status: int, headers: dict[str, str], state: str
) -> None:
    receiver.reply = lambda _number: (status, headers)
    with running(tmp_path) as (jobs, webhooks):
        job = submitted(jobs, receiver)
        wait_until(lambda: len(webhooks.of_job(job.id)[0].attempts) == 1, "the first attempt")
        (found,) = webhooks.of_job(job.id)
    assert (found.state, len(receiver.received)) == (state, 1)
    assert found.attempts[0].status == status


def test_a_message_that_cannot_be_made_does_not_keep_a_job_from_ending(
    tmp_path: Path, receiver: Receiver
) -> None:
    with running(tmp_path) as (jobs, webhooks):
        webhooks.register("talks", lambda job: Message(job.extra["missing"], b""))
        job = submitted(jobs, receiver)
        assert job.state == "done"
        assert webhooks.of_job(job.id) == []


def test_a_delivery_goes_on_after_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    with running(tmp_path, policy="off") as (jobs, webhooks):
        job = submitted(jobs, receiver)
        (queued,) = webhooks.of_job(job.id)
    assert receiver.received == []
    with running(tmp_path) as (_, webhooks):
        wait_for(webhooks, job, "delivered")
    assert [each.headers["Webhook-Id"] for each in receiver.received] == [queued.id]


def test_a_receiver_that_cannot_be_reached_is_logged(tmp_path: Path) -> None:
    with running(tmp_path) as (jobs, webhooks):
        job = submitted(jobs, Receiver("http://127.0.0.1:1"))
        wait_until(lambda: webhooks.of_job(job.id)[0].attempts, "an attempt")
        (found,) = webhooks.of_job(job.id)
    assert (found.state, found.attempts[0].status) == ("pending", None)
    assert "no connection to 127.0.0.1:1" in found.attempts[0].error


def test_a_private_address_is_never_contacted(tmp_path: Path, receiver: Receiver) -> None:
    settings = Settings(results_dir=tmp_path, webhooks="public", min_free_mb=0)
    jobs = Jobs(tmp_path, limits_of(settings), describe=lambda _: JobError("x", "x"))
    webhooks = Webhooks(jobs, webhook_poster(settings), webhook_options(settings))
    webhooks.register("talks", message_of)
    jobs.register(Sleeper())
    jobs.start()
    webhooks.start()
    try:
        job = submitted(jobs, receiver)
        wait_until(lambda: webhooks.of_job(job.id)[0].attempts, "an attempt")
        assert "not a host of the public internet" in webhooks.of_job(job.id)[0].attempts[0].error
    finally:
        webhooks.close()
        jobs.close()
    assert receiver.received == []


@pytest.mark.parametrize(
    ("policy", "networks", "url", "error"),
    [
        ("off", None, "https://example.com/", "webhooks are off"),
        ("public", None, "http://example.com/", "must begin with https://"),
        ("public", None, "ftp://example.com/", "http:// or https://"),
        ("public", None, "https://user:pw@example.com/", "user name or password"),
        ("public", None, "https://example.com/" + "a" * 3000, "characters"),
        ("public", None, "https://example.com/a?b=c", ""),
        ("public", "10.0.0.0/8", "http://10.1.2.3:9000/hook", ""),
        ("public", "hooks.internal", "http://hooks.internal/", ""),
        ("public", "10.0.0.0/8", "http://11.1.2.3/hook", "must begin with https://"),
        ("any", None, "http://192.168.1.1/", ""),
    ],
)
def test_addresses_are_checked_when_a_job_is_made(
    tmp_path: Path, policy: str, networks: str | None, url: str, error: str
) -> None:
    settings = Settings(
        results_dir=tmp_path, webhooks=policy, fetch_allowed_networks=networks, min_free_mb=0
    )
    jobs = Jobs(tmp_path, limits_of(settings), describe=lambda _: JobError("x", "x"))
    webhooks = Webhooks(jobs, webhook_poster(settings), webhook_options(settings))
    if not error:
        webhooks.check(url)
        return
    with pytest.raises((BadWebhook, WebhooksDisabled), match=error):
        webhooks.check(url)


def test_attempts_become_rarer_and_end_after_an_hour() -> None:
    waits, now_s, attempts = [], 0.0, 0
    while True:
        attempts += 1
        next_s = next_attempt_s(attempts, queued_s=0.0, now_s=now_s)
        if next_s is None:
            break
        waits.append(next_s - now_s)
        now_s = next_s
    assert 3.7 < waits[0] < 6.3 and 7.5 < waits[1] < 12.5 and max(waits) <= 750
    assert 10 <= attempts <= 16 and now_s > 0.75 * GIVE_UP_S


def test_the_wait_that_a_receiver_asks_for_is_kept() -> None:
    next_s = next_attempt_s(1, queued_s=0.0, now_s=0.0, retry_after_s=120.0)
    assert next_s is not None and next_s == 120.0
    assert retry_after("120", 0.0) == 120
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 0.0) == 60
    for odd in (None, "", "soon", "-5", "9" * 30):
        assert 0 <= retry_after(odd, 0.0) <= 1e9


@pytest.mark.parametrize("make", [lambda: "whsec_" + base64.b64encode(KEY).decode(), KEY.decode])
def test_a_secret_is_base64_after_its_prefix_or_text(make: Callable[[], str]) -> None:
    assert key_of(make()) == KEY


@pytest.mark.parametrize("secret", ["short", "whsec_", "whsec_%%%", "whsec_YWJj"])
def test_a_weak_secret_keeps_the_server_from_starting(tmp_path: Path, secret: str) -> None:
    with pytest.raises(BadSecret):
        key_of(secret)
    with pytest.raises(BadSettings, match="webhook_secret: must"):
        webhook_options(Settings(results_dir=tmp_path, webhook_secret=secret))
