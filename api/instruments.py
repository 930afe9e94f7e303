"""Instruments of `GET /metrics` for events, which are measured when they happen.

Labels have few values: routes as templates, classes of status, kinds of errors. Nothing is counted
by session, key or client.
"""

import time
from collections.abc import Iterator

from flask import Flask, Response, g, has_request_context, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector

from warm.jobs.job import Job
from warm.render.jobs import Timings

PREFIX = "warmtalk"
FIRST_S = (0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30)
QUEUE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
RENDER_S = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
JOB_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""Upper bounds of the buckets, seconds."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "OTHER"
NO_ROUTE = "none"
"""Route of a request for a path that does not exist, or with a method that it does not take."""


class Registry(CollectorRegistry):
    """A registry without the creation times of its counters, each of which would be a series."""

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        for metric in super().collect():
            metric.samples = [
                sample for sample in metric.samples if not sample.name.endswith("_created")
            ]
            yield metric


class Instruments:
    """The instruments of one application, with a registry of their own. Any thread."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.first_fragment = self._histogram(
            "speech_first_fragment_seconds",
            "Time from a request to speak to its first fragment on disk.",
            FIRST_S,
        )
        self.queue = self._histogram(
            "speech_queue_seconds",
            "Time from a request to speak to the start of its clip, opening of the film included.",
            QUEUE_S,
        )
        self.render = self._histogram(
            "speech_render_seconds", "Time from the start of a clip to its end.", RENDER_S
        )
        self.requests = self._histogram(
            "http_request_duration_seconds",
            "Time from a request to the end of its response; that of a stream may be hours.",
            REQUEST_S,
            ("route", "method", "status"),
        )
        self.job_runs = self._histogram(
            "job_run_seconds", "Time from the last start of a job to its end.", JOB_S,
            ("kind", "state"),
        )  # fmt: skip
        self.errors = Counter(
            f"{PREFIX}_errors_total", "Problems answered, by kind.", ("kind",),
            registry=self.registry,
        )  # fmt: skip
        ProcessCollector(registry=self.registry)

    def observe_spoken(self, timings: Timings) -> None:
        """Observe a clip that is on disk."""
        if timings.first_fragment_s is not None:
            self.first_fragment.observe(timings.first_fragment_s)
        if timings.render_s is not None and timings.total_s is not None:
            self.render.observe(timings.render_s)
            self.queue.observe(max(0.0, timings.total_s - timings.render_s))

    def observe_job(self, job: Job) -> None:
        """Observe a job that has ended; one that never ran is not counted."""
        if job.started_s is not None and job.finished_s is not None:
            run_s = max(0.0, job.finished_s - job.started_s)
            self.job_runs.labels(job.kind, job.state).observe(run_s)

    def observe_requests(self, app: Flask) -> None:
        """Observe every request of an application; call it before other hooks are added."""
        app.before_request(start_timer)
        app.after_request(self._observe_response)

    def _observe_response(self, response: Response) -> Response:
        kind = g.get("error_kind")
        if kind is not None:
            self.errors.labels(kind).inc()
        labels = labels_of_request(response.status_code)
        begun_s = g.get("timer_begun_s", time.monotonic())
        duration = self.requests.labels(*labels)
        response.call_on_close(lambda: duration.observe(time.monotonic() - begun_s))
        return response

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
    ) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry)


def start_timer() -> None:
    """Note the start of the current request."""
    g.timer_begun_s = time.monotonic()


def count_error(kind: str) -> None:
    """Note the kind of error that the current request, if any, is answered with."""
    if has_request_context():
        g.error_kind = kind


def labels_of_request(status: int) -> tuple[str, str, str]:
    """Return route, method and class of status of the current request."""
    rule = request.url_rule
    method = request.method if request.method in METHODS else OTHER_METHOD
    return (NO_ROUTE if rule is None else rule.rule), method, f"{status // 100}xx"
