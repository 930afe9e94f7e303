"""`GET /metrics`: values, names, and that the dashboard and the alerts name what exists."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text

from api.instruments import Instruments
from api.metrics import actor_metrics
from tests.setup.documents import ROOT, read
from warm.jobs.job import Job
from warm.runtime import Runtime

MONITORING = ROOT / "examples" / "monitoring"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
SUFFIXES = ("_bucket", "_count", "_sum")
EXTRA_LABELS = {"instance", "le", "job"}
MEASURED_LATE = "warmtalk_pace_frames_per_second[]"
"""Has no value until the server has worked for a while."""
NAME = re.compile(r"\b(?:warmtalk|process)_[a-z_]+\b|\bup\b")


def families(client: FlaskClient) -> dict[str, Metric]:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    return {family.name: family for family in read_text(answer.text)}


def value(client: FlaskClient, name: str, **labels: str) -> float:
    """Value of one sample."""
    found = [
        sample.value
        for family in families(client).values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def speak(client: FlaskClient, **body: str) -> dict[str, Any]:
    with client.post("/speak", json={"text": "Hello.", **body}) as answer:
        result: dict[str, Any] = answer.get_json()
    return result


def test_speech_is_counted_and_timed(client: FlaskClient) -> None:
    spoken = [speak(client) for _ in range(2)]
    assert value(client, "warmtalk_speech_requests_total", outcome="done") == 2
    assert value(client, "warmtalk_frames_total") == sum(each["clip"]["frames"] for each in spoken)
    for name, member in (
        ("warmtalk_speech_first_fragment_seconds", "first_fragment_s"),
        ("warmtalk_speech_render_seconds", "render_s"),
    ):
        assert value(client, f"{name}_count") == 2
        total_s = sum(each["timings"][member] for each in spoken)
        assert value(client, f"{name}_sum") == pytest.approx(total_s, abs=1e-3)
    waited_s = sum(each["timings"]["total_s"] - each["timings"]["render_s"] for each in spoken)
    assert value(client, "warmtalk_speech_queue_seconds_sum") == pytest.approx(waited_s, abs=1e-3)
    assert value(client, "warmtalk_sessions") == 1
    assert value(client, "warmtalk_healthy") == 1


def test_requests_and_errors_are_counted_by_route_and_kind(client: FlaskClient) -> None:
    for path in ("/sessions/one", "/sessions/two", "/nowhere", "/.env", "/talks/tlk_1"):
        client.get(path).close()
    client.post("/speak", json={"text": 7}).close()
    client.open("/speak", method="BREW").close()
    count = "warmtalk_http_request_duration_seconds_count"
    route = {"route": "/sessions/<session_id>", "method": "GET"}
    assert value(client, count, **route, status="4xx") == 2
    assert value(client, count, route="none", method="GET", status="4xx") == 2
    assert value(client, count, route="none", method="OTHER", status="4xx") == 1
    assert value(client, count, route="/speak", method="POST", status="4xx") == 1
    assert value(client, "warmtalk_errors_total", kind="NotFoundError") == 5
    assert value(client, "warmtalk_errors_total", kind="ValidationError") == 1


def test_actors_that_work_and_spares_are_counted_apart() -> None:
    counts = {"queued_frames": 0, "batches": 3, "replays": 1, "restarts": 0}
    states = ["ready", "late", "restarting", "spare", "waiting"]
    rows = [{"name": f"{number}", "state": each, **counts} for number, each in enumerate(states)]
    found = {family.name: family.samples[0].value for family in actor_metrics(rows)}
    names = ("actors", "actors_working", "actors_spare")
    assert [found[f"warmtalk_{name}"] for name in names] == [5, 2, 1]


def test_nothing_is_counted_by_session_or_path(client: FlaskClient) -> None:
    before = series(client)
    for number in range(2):
        speak(client, session_id=f"private-{number}")
        client.get(f"/sessions/private-{number}").close()
        client.get(f"/private-{number}").close()
    first = series(client)
    speak(client, session_id="private-9")
    assert "private" not in client.get("/metrics").text
    assert series(client) - first <= {MEASURED_LATE}
    assert len(first - before) < 200


def series(client: FlaskClient) -> set[str]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}"
        for family in families(client).values()
        for sample in family.samples
    }


def test_open_metrics_are_sent_on_request(client: FlaskClient) -> None:
    speak(client)
    answer = client.get("/metrics", headers={"Accept": OPEN_METRICS})
    assert answer.mimetype == "application/openmetrics-text"
    assert answer.text.endswith("# EOF\n")
    found = {family.name for family in read_open_metrics(answer.text)}
    assert {"warmtalk_speech_queue_seconds", "warmtalk_frames"} <= found


def test_each_application_counts_for_itself(app: Flask, client_with: Any) -> None:
    first, second = app.test_client(), client_with()
    first.get("/nowhere").close()
    assert value(first, "warmtalk_errors_total", kind="NotFoundError") == 1
    errors = families(second)["warmtalk_errors"].samples
    assert errors == []


def test_jobs_are_timed_by_kind_and_end() -> None:
    instruments = Instruments()
    facts: dict[str, Any] = {"surface": "talks", "owner": "", "request": {}, "extra": {}}
    for state in ("done", "error", "done"):
        job = Job(
            id="job_1", kind="film", state=state, created_s=0, started_s=10, finished_s=14, **facts
        )  # type: ignore[arg-type]
        instruments.observe_job(job)
    instruments.observe_job(Job(id="job_2", kind="film", state="cancelled", created_s=0, **facts))
    name, labels = "warmtalk_job_run_seconds", {"kind": "film", "state": "done"}
    assert instruments.registry.get_sample_value(f"{name}_count", labels) == 2
    assert instruments.registry.get_sample_value(f"{name}_sum", labels) == 8
    never = {"kind": "film", "state": "cancelled"}
    assert instruments.registry.get_sample_value(f"{name}_count", never) is None


def test_the_names_follow_the_conventions_of_prometheus(client: FlaskClient) -> None:
    for name, family in families(client).items():
        assert re.fullmatch(r"(warmtalk|process)(_[a-z]+)+", name)
        assert family.documentation.endswith("."), name
        if family.type == "histogram":
            assert name.endswith("_seconds")
        if name.startswith("warmtalk") and ("time" in name or "duration" in name):
            assert name.endswith("_seconds")
        assert not name.endswith(("_ms", "_mb", "_gb", "_percent"))


# --- the dashboard and the alerts


def known_metrics(client: FlaskClient, runtime: Runtime) -> Mapping[str, set[str]]:
    """The names that an expression may use, each with its labels."""
    speak(client)
    client.get("/nowhere").close()
    instruments_labels = {
        "warmtalk_errors": {"kind"},
        "warmtalk_job_run_seconds": {"kind", "state"},
        "warmtalk_engine_memory_bytes": {"kind"},
    }
    known: dict[str, set[str]] = {"up": {"job"}}
    for family in families(client).values():
        labels = instruments_labels.get(family.name, set[str]())
        labels |= {label for sample in family.samples for label in sample.labels}
        if family.type == "histogram":
            known |= {f"{family.name}{suffix}": labels for suffix in SUFFIXES}
        else:
            known[family.name + ("_total" if family.type == "counter" else "")] = labels
    return known


def dashboard_expressions() -> Iterator[str]:
    dashboard = json.loads((MONITORING / "grafana.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["definition"]


def rules() -> list[dict[str, Any]]:
    content = yaml.safe_load((MONITORING / "alerts.yaml").read_text("utf-8"))
    [group] = content["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_every_expression_names_metrics_and_labels_that_exist(
    client: FlaskClient, runtime: Runtime
) -> None:
    known = known_metrics(client, runtime)
    expressions = [*dashboard_expressions(), *(rule["expr"] for rule in rules())]
    assert len(expressions) > 30
    for expression in expressions:
        names = NAME.findall(expression)
        assert names, expression
        assert set(names) <= known.keys(), expression
        labels = EXTRA_LABELS.union(*(known[name] for name in names))
        used = set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"", expression))
        for listed in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
            used |= {label.strip() for label in listed.split(",")}
        assert used <= labels, expression


def test_every_expression_is_balanced_and_rates_counters_only() -> None:
    for expression in (*dashboard_expressions(), *(rule["expr"] for rule in rules())):
        for left, right in ("()", "{}", "[]"):
            assert expression.count(left) == expression.count(right), expression
        for name in re.findall(r"(?:rate|increase)\(([a-z_]+)", expression):
            assert name.endswith(("_total", *SUFFIXES)), expression
        if "_bucket" in expression:
            assert "histogram_quantile(" in expression
            assert "by (le" in expression


def test_every_alert_has_what_prometheus_requires_and_what_a_person_needs() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    page = read(ROOT / "docs" / "operations.md")
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert f"`{rule['alert']}`" in page


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads((MONITORING / "grafana.json").read_text("utf-8"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert dashboard["uid"] == "warmtalk"
    assert dashboard["schemaVersion"] >= 36
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"


def test_the_page_lists_every_metric(client: FlaskClient, runtime: Runtime) -> None:
    page = read(ROOT / "docs" / "operations.md")
    listed = set(re.findall(r"`(warmtalk_[a-z_]+)`", page.split("## Dashboard")[0]))
    known = {
        name.removesuffix("_bucket")
        for name in known_metrics(client, runtime)
        if name.startswith("warmtalk") and not name.endswith(("_count", "_sum"))
    }
    assert listed == known


def test_the_configuration_of_prometheus_names_the_job_of_the_alerts() -> None:
    content = yaml.safe_load((MONITORING / "prometheus.yaml").read_text("utf-8"))
    [job] = content["scrape_configs"]
    assert (job["job_name"], content["rule_files"]) == ("warmtalk", ["alerts.yaml"])
    assert 'job="warmtalk"' in (MONITORING / "alerts.yaml").read_text("utf-8")
    assert Path(job["authorization"]["credentials_file"]).is_absolute()
