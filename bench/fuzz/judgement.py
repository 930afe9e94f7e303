"""Judgement of answers: errors of the server, and differences from the OpenAPI document."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock

import requests
from schemathesis import Response as Answer
from schemathesis.core.failures import AcceptedNegativeData, Failure, FailureGroup
from schemathesis.openapi.checks import UndefinedStatusCode
from schemathesis.specs.openapi import checks

from bench.fuzz.cases import Case

EXCUSED = (501, 503, 507)
"""Errors that are correct answers to a full queue or disk, if they have a reason."""
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
]
SHOWN_CHARS = 400


@dataclass(slots=True)
class Judgements:
    """All answers so far. Any thread."""

    statuses: Counter[int] = field(default_factory=Counter)
    waiting: int = 0
    """Requests that wait for a film to grow, and got no answer within their time."""
    server_errors: list[str] = field(default_factory=list)
    undocumented: list[str] = field(default_factory=list)
    """Answers with a status that the document does not name."""
    different: list[str] = field(default_factory=list)
    """Answers whose content, media type or headers differ from the document."""
    accepted: list[str] = field(default_factory=list)
    """Requests that the document rules out, and that were carried out."""
    unanswered: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def count(self) -> int:
        """Number of requests."""
        return sum(self.statuses.values()) + self.waiting + len(self.unanswered)

    def judge(self, case: Case, answer: Answer) -> None:
        """Record an answer and its faults."""
        shown = show(case, answer)
        failures = failures_of(case, answer)
        with self._lock:
            self.statuses[answer.status_code] += 1
            if answer.status_code >= 500 and not is_excused(answer):
                self.server_errors.append(shown)
            for failure in failures:
                found = self._faults_like(failure)
                found.append(f"{failure.title}: {failure.message[:SHOWN_CHARS]}\n{shown}")

    def _faults_like(self, failure: Failure) -> list[str]:
        """Return the list of faults of this kind."""
        if isinstance(failure, UndefinedStatusCode):
            return self.undocumented
        return self.accepted if isinstance(failure, AcceptedNegativeData) else self.different

    def note_waiting(self) -> None:
        """Record a request that waits for a film to grow."""
        with self._lock:
            self.waiting += 1

    def note_unanswered(self, case: Case, error: requests.RequestException) -> None:
        """Record a request without an answer."""
        with self._lock:
            self.unanswered.append(f"{error}: {case.method} {case.formatted_path}")


def failures_of(case: Case, answer: Answer) -> list[Failure]:
    """Return the differences between an answer and the document."""
    try:
        case.validate_response(answer, checks=CHECKS)
    except FailureGroup as group:
        found = [each for each in group.exceptions if isinstance(each, Failure)]
        return [each for each in found if not is_refusal(each, answer)]
    return []


def is_refusal(failure: Failure, answer: Answer) -> bool:
    """True if a request that the document rules out was refused, by whatever status."""
    return isinstance(failure, AcceptedNegativeData) and answer.status_code >= 400


def is_excused(answer: Answer) -> bool:
    """True for a 501, 503 or 507 that names its reason."""
    return answer.status_code in EXCUSED and bool(answer.content)


def show(case: Case, answer: Answer) -> str:
    """Return a request and its answer for a report."""
    body = "" if not isinstance(case.body, dict | list | str) else f" {case.body!r}"
    sent = f"{case.method} {case.formatted_path} {case.query or ''}{body}"[:SHOWN_CHARS]
    return f"{sent} -> {answer.status_code} {answer.content[:SHOWN_CHARS]!r}"
