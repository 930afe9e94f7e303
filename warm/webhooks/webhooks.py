"""Webhooks: enqueued with the end of a job, and sent until they are acknowledged, for an hour."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal, Protocol

from warm.fetch.errors import FetchError
from warm.jobs.errors import JobStoreError
from warm.jobs.job import Job
from warm.jobs.jobs import Jobs
from warm.webhooks.delivery import Attempt, Delivery, DeliveryState, Message
from warm.webhooks.errors import BadWebhook, WebhooksDisabled
from warm.webhooks.retries import is_delivered, is_final, next_attempt_s
from warm.webhooks.signature import signature_of
from warm.webhooks.table import DeliveryTable

WebhookPolicy = Literal["off", "public", "any"]
ATTEMPT_S = 15.0
"""Longest time of one attempt, from the resolution of the name to the end of the answer."""
AT_ONCE = 4
CLOSE_S = 1.0
"""Longest wait of `close` for attempts in progress, which are repeated after the next start."""
MAX_WAIT_S = 60.0
"""Longest time between two queries for due deliveries."""
PRUNE_EVERY_S = 3600.0
MAX_URL_CHARS = 2000
MAX_ERROR_CHARS = 300

log = logging.getLogger(__name__)

MessageOf = Callable[[Job], Message | None]
"""Returns the message to send at the end of a job, or None. Any thread, without a request."""


class Answer(Protocol):
    """The answer of a receiver."""

    @property
    def status(self) -> int:
        """Status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, with names in lower case."""
        ...


class Poster(Protocol):
    """Sends requests to addresses that it has checked; `warm.fetch.checked_http.CheckedHttp`."""

    def check(self, url: str) -> None:
        """Raise FetchError unless a request to this address may be tried."""
        ...

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, total_s: float) -> Answer:
        """Send a request without following redirects; raises FetchError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """The settings of webhooks."""

    policy: WebhookPolicy = "off"
    may_be_plain: Callable[[str], bool] = lambda _url: False
    """True for an `http` address that the operator allows although it is not encrypted."""
    key: bytes | None = None
    """Key of the signatures; None: messages are not signed."""


class Webhooks:
    """The deliveries of a server. Any thread; its own thread sends."""

    def __init__(
        self,
        jobs: Jobs,
        poster: Poster,
        options: WebhookOptions,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._table = DeliveryTable(jobs.database)
        self._poster, self._options, self._now = poster, options, now
        self._messages: dict[str, MessageOf] = {}
        self._wake = threading.Event()
        self._is_closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._sending: set[str] = set()
        """Ids of the deliveries whose attempt is in progress."""
        self._lock = threading.Lock()
        self._pruned_s = 0.0
        jobs.with_end(self._enqueue)
        jobs.on_ended(lambda _job: self._wake.set())

    def register(self, surface: str, message_of: MessageOf) -> None:
        """Have messages sent at the end of the jobs of a surface."""
        self._messages[surface] = message_of

    def check(self, url: str) -> None:
        """Raise WebhookError unless an address may be a webhook; it is not resolved yet."""
        if self._options.policy == "off":
            raise WebhooksDisabled
        if len(url) > MAX_URL_CHARS:
            raise BadWebhook(f"has {len(url)} characters; at most {MAX_URL_CHARS} are allowed")
        try:
            self._poster.check(url)
        except FetchError as error:
            raise BadWebhook(str(error)) from error
        is_plain = url.lower().startswith("http:")
        if is_plain and self._options.policy != "any" and not self._options.may_be_plain(url):
            raise BadWebhook(
                "must begin with https://; http is allowed for hosts in fetch_allowed_networks, "
                "and with webhooks: any"
            )

    def of_job(self, job_id: str) -> list[Delivery]:
        """Return the deliveries of a job with their attempts; raises JobStoreError."""
        return list(self._table.of_job(job_id))

    def start(self) -> None:
        """Start sending, including the messages of an earlier process, unless webhooks are off."""
        if self._options.policy == "off":
            return
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; what is not delivered is sent after the next start."""
        self._is_closed.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _enqueue(self, connection: sqlite3.Connection, job: Job) -> None:
        """Add the delivery of a job, in the transaction that ends it."""
        message = self._message(job)
        if message is not None:
            self._table.insert(connection, job, message, self._now())

    def _message(self, job: Job) -> Message | None:
        """Return the message at the end of a job; a bug in it must not undo the end."""
        message_of = self._messages.get(job.surface)
        try:
            return None if message_of is None else message_of(job)
        except Exception:
            log.exception("the webhook of a job could not be made", extra={"job": job.id})
            return None

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as senders:
            while not self._is_closed.is_set():
                self._wake.clear()
                try:
                    wait_s = self._send_due(senders)
                except JobStoreError as error:
                    log.warning("webhooks wait for the database: %s", error)
                    wait_s = MAX_WAIT_S
                except Exception:
                    log.exception("webhooks could not be sent")
                    wait_s = MAX_WAIT_S
                self._wake.wait(wait_s)

    def _send_due(self, senders: ThreadPoolExecutor) -> float:
        """Begin the attempts that are due; return the time to wait for the next ones."""
        now_s = self._now()
        if abs(now_s - self._pruned_s) > PRUNE_EVERY_S:
            self._table.prune(now_s)
            self._pruned_s = now_s
        for delivery in self._table.due(now_s, limit=2 * AT_ONCE):
            with self._lock:
                if delivery.id in self._sending or len(self._sending) >= AT_ONCE:
                    continue
                self._sending.add(delivery.id)
            senders.submit(self._attempt, delivery).add_done_callback(self._done)
        if self._sending:
            return MAX_WAIT_S  # the end of an attempt wakes this thread
        next_s = self._table.next_due_s()
        return MAX_WAIT_S if next_s is None else min(max(next_s - self._now(), 0.0), MAX_WAIT_S)

    def _done(self, future: "Future[None]") -> None:
        error = future.exception()
        if error is not None:
            log.error("an attempt of a webhook failed", exc_info=error)
        self._wake.set()

    def _attempt(self, delivery: Delivery) -> None:
        try:
            number = self._table.attempts_of(delivery.id) + 1
            attempt, retry_after_s = self._post(delivery, number)
            state, next_s = self._outcome(delivery, attempt, retry_after_s)
            self._table.note_attempt(delivery, attempt, state=state, next_s=next_s)
            if state == "failed":
                log.warning("webhook of %s given up: %s", delivery.job_id, attempt.error)
        finally:
            with self._lock:
                self._sending.discard(delivery.id)

    def _post(self, delivery: Delivery, number: int) -> tuple[Attempt, float]:
        """Send the message once; return the attempt, and the wait that the receiver asks for."""
        started_s, began_s = self._now(), time.monotonic()
        status: int | None = None
        error, retry_after_s = "", 0.0
        try:
            answer = self._poster.post(
                delivery.url,
                delivery.body,
                self._headers(delivery, round(started_s), number),
                total_s=ATTEMPT_S,
            )
            status = answer.status
            retry_after_s = retry_after(answer.headers.get("retry-after"), started_s)
            if not is_delivered(status):
                error = f"is answered with status {status}; it must be 200 to 299"
        except FetchError as failure:
            error = str(failure)
        attempt = Attempt(
            number=number,
            started_s=started_s,
            duration_s=time.monotonic() - began_s,
            status=status,
            error=error[:MAX_ERROR_CHARS],
        )
        return attempt, retry_after_s

    def _outcome(
        self, delivery: Delivery, attempt: Attempt, retry_after_s: float
    ) -> tuple[DeliveryState, float | None]:
        """Return the state after an attempt, and the time of the next one."""
        if not attempt.error:
            return "delivered", None
        if attempt.status is not None and is_final(attempt.status):
            return "failed", None
        next_s = next_attempt_s(
            attempt.number,
            queued_s=delivery.queued_s,
            now_s=self._now(),
            retry_after_s=retry_after_s,
        )
        return ("failed", None) if next_s is None else ("pending", next_s)

    def _headers(self, delivery: Delivery, timestamp: int, number: int) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Webhook-Id": delivery.id,
            "Webhook-Timestamp": str(timestamp),
            "Webhook-Attempt": str(number),
        }
        if self._options.key is not None:
            headers["Webhook-Signature"] = signature_of(
                self._options.key, delivery.id, timestamp, delivery.body
            )
        return headers


def retry_after(value: str | None, now_s: float) -> float:
    """Return the wait in a Retry-After header, seconds; 0 without one."""
    if value is None:
        return 0.0
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        return max(parsedate_to_datetime(value).timestamp() - now_s, 0.0)
    except (TypeError, ValueError, OverflowError):
        return 0.0
