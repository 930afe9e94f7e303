"""Life of a job: its row, its files, its end."""

import errno
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.polling import wait_until
from tests.warm.jobs.conftest import MakeJobs
from tests.warm.jobs.gated_handler import GatedHandler
from warm.jobs import runner
from warm.jobs.database import Component
from warm.jobs.errors import (
    BadIdempotencyKey,
    BadJobToken,
    IdempotencyMismatch,
    JobQueueFull,
    JobRunning,
    ResultGone,
    ResultNotReady,
    UnknownJob,
)
from warm.jobs.job import Job
from warm.jobs.jobs import Jobs

PATIENCE_S = 60.0


def submit(jobs: Jobs, owner: str = "", key: str | None = None, **request: object) -> Job:
    return jobs.submit("film", request, surface="jobs", owner=owner, idempotency_key=key)


def rows(results: Path, columns: str = "id, state") -> list[tuple[object, ...]]:
    """Read the table as another program does."""
    connection = sqlite3.connect(f"file:{results / 'jobs.sqlite3'}?mode=ro", uri=True)
    try:
        return connection.execute(f"SELECT {columns} FROM jobs ORDER BY number").fetchall()
    finally:
        connection.close()


def files(results: Path) -> set[str]:
    """Paths in the folder of the jobs, without those that are being removed."""
    return {path for path in all_files(results) if ".trash" not in path}


def all_files(results: Path) -> set[str]:
    """Paths in the folder of the jobs, from which another thread may be removing some."""
    return {
        os.path.relpath(Path(folder, name), results / "jobs")
        for folder, folders, names in os.walk(results / "jobs")
        for name in (*folders, *names)
    }


def running(jobs: Jobs, job: Job, handler: GatedHandler) -> Job:
    """Wait until the handler has begun with a job."""
    wait_until(lambda: jobs.get(job.id).stage == "drawing", f"the start of {job.id}")
    return jobs.get(job.id)


def test_a_job_is_committed_before_submit_returns(make_jobs: MakeJobs, results: Path) -> None:
    jobs = make_jobs()
    job = submit(jobs, text="hello")
    assert rows(results, "id, state, request") == [(job.id, "queued", '{"text": "hello"}')]
    with jobs.database.write() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # each commit is synced


def test_a_job_that_is_done_has_one_result_file_and_its_facts(jobs: Jobs, results: Path) -> None:
    job = jobs.wait(submit(jobs, content="picture").id, PATIENCE_S)
    assert (job.state, job.progress, job.stage) == ("done", 1.0, "")
    assert (job.result, job.result_bytes) == ({"frames": 7}, 7)
    assert jobs.result_path(job).read_text() == "picture"
    assert files(results) == {job.id, f"{job.id}/result.mp4"}
    assert job.started_s is not None
    assert job.finished_s is not None
    assert job.created_s <= job.started_s <= job.finished_s


def test_what_a_hook_writes_is_committed_with_the_end(make_jobs: MakeJobs, results: Path) -> None:
    jobs = make_jobs()
    create = "CREATE TABLE deliveries (job TEXT NOT NULL)"
    jobs.database.register(Component("webhooks", ((create,),), "SELECT job FROM deliveries"))
    jobs.with_end(
        lambda connection, job: connection.execute("INSERT INTO deliveries VALUES (?)", (job.id,))
    )
    ends: list[str] = []
    jobs.on_ended(lambda job: ends.append(f"{job.id} {job.state}"))
    jobs.start()
    job = jobs.wait(submit(jobs).id, PATIENCE_S)
    with jobs.database.read() as connection:
        found = [row["job"] for row in connection.execute("SELECT job FROM deliveries")]
    assert found == [job.id]
    wait_until(lambda: ends == [f"{job.id} done"], "the callback")


def test_a_hook_that_fails_does_not_keep_the_job_from_ending(
    make_jobs: MakeJobs, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = make_jobs()

    def fail(connection: sqlite3.Connection, job: Job) -> None:
        connection.execute("UPDATE jobs SET surface = 'torn'")
        raise ValueError("the hook is broken")

    jobs.with_end(fail)
    jobs.start()
    job = jobs.wait(submit(jobs).id, PATIENCE_S)
    assert (job.state, job.surface) == ("done", "jobs")
    assert "the hook is broken" in caplog.text


def test_half_a_surrogate_pair_in_an_error_is_stored_as_a_question_mark(
    jobs: Jobs, handler: GatedHandler
) -> None:
    handler.errors["it"] = ValueError("bad \ud800 text")
    job = jobs.wait(submit(jobs, error="it", text="\ud83d").id, PATIENCE_S)
    assert job.error is not None
    assert (job.error.description, job.request["text"]) == ("bad ? text", "\ud83d")


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (ValueError("no face"), "E", "no face"),
        (OSError(errno.ENOSPC, "full"), "StorageError", "make room"),
        (OSError(errno.EIO, "bad disk"), "StorageError", "system's log"),
    ],
)
def test_an_error_of_the_handler_ends_the_job_and_leaves_no_file(
    jobs: Jobs, handler: GatedHandler, results: Path, error: Exception, kind: str, part: str
) -> None:
    handler.errors["it"] = error
    job = jobs.wait(submit(jobs, error="it").id, PATIENCE_S)
    assert job.state == "error"
    assert job.error is not None
    assert job.error.kind == kind
    assert part in job.error.description
    assert files(results) == set()
    with pytest.raises(ResultNotReady, match=part):
        jobs.result_path(job)


@pytest.mark.parametrize("fact", [object(), float("nan")])
def test_facts_that_are_not_json_are_an_error_and_not_a_job_without_an_end(
    jobs: Jobs, handler: GatedHandler, fact: object
) -> None:
    handler.run = lambda *_: {"frames": fact}  # type: ignore[method-assign]
    job = jobs.wait(submit(jobs).id, PATIENCE_S)
    assert job.state == "error"


def test_progress_is_seen_at_once_and_stored_after_a_while(
    jobs: Jobs, handler: GatedHandler, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "STORE_S", 0.1)
    handler.gate.clear()
    job = running(jobs, submit(jobs), handler)
    assert (job.state, job.progress) == ("running", 0.5)
    stored = [(job.id, 0.5, "drawing")]
    wait_until(lambda: rows(results, "id, progress, stage") == stored, "the stored progress")


@pytest.mark.parametrize(("error", "state"), [("it", "error"), (None, "cancelled")])
def test_a_job_that_fails_keeps_the_progress_that_was_seen(
    jobs: Jobs, handler: GatedHandler, error: str | None, state: str
) -> None:
    handler.errors["it"] = ValueError("no face")
    handler.gate.clear()
    job = running(jobs, submit(jobs, **({"error": error} if error else {})), handler)
    assert job.progress == 0.5
    if error is None:
        jobs.cancel(job.id)
    handler.gate.set()
    ended = jobs.wait(job.id, PATIENCE_S)
    assert (ended.state, ended.progress, ended.stage) == (state, 0.5, "drawing")


def test_a_row_that_was_read_just_before_the_end_of_its_job_shows_the_end(
    jobs: Jobs, handler: GatedHandler
) -> None:
    handler.gate.clear()
    job = running(jobs, submit(jobs), handler)
    row = replace(job, progress=0.0, stage="")  # as it was stored last
    assert jobs._runner.live(row) == job
    handler.gate.set()
    ended = jobs.wait(job.id, PATIENCE_S)
    wait_until(lambda: not jobs._runner.running(), "the end of its thread")
    assert jobs._runner.live(row) == ended


def test_requests_with_one_key_at_once_make_one_job(jobs: Jobs, results: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: submit(jobs, key="k-1", text="hi").id, range(16)))
    assert len(found) == 1
    assert [row[0] for row in rows(results)] == list(found)


def test_a_key_with_another_request_is_refused(jobs: Jobs, results: Path) -> None:
    first = submit(jobs, "ann", "k", text="one")
    with pytest.raises(IdempotencyMismatch, match="another request"):
        submit(jobs, "ann", "k", text="two")
    assert submit(jobs, "ann", "k", text="one").id == first.id
    assert submit(jobs, "bob", "k", text="two").id != first.id  # another owner's key is another key
    assert len(rows(results)) == 2


def test_a_key_finds_its_job_even_if_the_queue_is_full(
    make_jobs: MakeJobs, handler: GatedHandler
) -> None:
    jobs = make_jobs(max_queue_size=1)
    job = submit(jobs, key="k")
    with pytest.raises(JobQueueFull):
        submit(jobs, key="other")
    assert submit(jobs, key="k").id == job.id


def test_an_identity_takes_the_place_of_the_request(jobs: Jobs) -> None:
    def upload(upload_id: str, digest: str) -> Job:
        return jobs.submit(
            "film",
            {"source": upload_id},
            surface="jobs",
            idempotency_key="k",
            identity={"sha256": digest},
        )

    assert upload("u1", "aa").id == upload("u2", "aa").id
    with pytest.raises(IdempotencyMismatch):
        upload("u3", "bb")


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "a\0"])
def test_a_key_must_be_visible_ascii(jobs: Jobs, key: str) -> None:
    with pytest.raises(BadIdempotencyKey, match="1 to 255 visible"):
        submit(jobs, key=key)


def test_a_full_queue_names_the_limit_and_a_time(make_jobs: MakeJobs, results: Path) -> None:
    jobs = make_jobs(max_queue_size=2)
    submit(jobs), submit(jobs)
    with pytest.raises(JobQueueFull, match="max_queue_size = 2") as full:
        submit(jobs)
    assert 1 <= full.value.retry_after_s <= 3600
    assert len(rows(results)) == 2


def test_one_owner_cannot_take_the_whole_queue(make_jobs: MakeJobs) -> None:
    jobs = make_jobs(max_queue_size=10)
    for _ in range(7):
        submit(jobs, "ann")
    with pytest.raises(JobQueueFull, match="'ann'"):
        submit(jobs, "ann")
    submit(jobs, "bob")
    with pytest.raises(JobQueueFull, match="'bob'"):
        jobs.submit("film", {}, surface="jobs", owner="bob", max_queued=1)


def test_owners_take_turns(make_jobs: MakeJobs, handler: GatedHandler) -> None:
    jobs = make_jobs(max_concurrent_jobs=1)
    order = [submit(jobs, owner) for owner in ("ann", "ann", "ann", "bob", "eve")]
    jobs.start()
    for job in order:
        jobs.wait(job.id, PATIENCE_S)
    assert [job.owner for job in handler.starts] == ["ann", "bob", "eve", "ann", "ann"]


def test_no_more_jobs_run_at_once_than_allowed(make_jobs: MakeJobs, handler: GatedHandler) -> None:
    handler.gate.clear()
    jobs = make_jobs(max_concurrent_jobs=2)
    jobs.start()
    made = [submit(jobs) for _ in range(4)]
    wait_until(lambda: len(handler.starts) == 2, "two starts")
    assert jobs.counts() == {"queued": 2, "running": 2, "done": 0, "error": 0, "cancelled": 0}
    handler.gate.set()
    assert {jobs.wait(job.id, PATIENCE_S).state for job in made} == {"done"}
    assert len(handler.starts) == 4


def test_a_queued_job_is_cancelled_at_once(make_jobs: MakeJobs, handler: GatedHandler) -> None:
    jobs = make_jobs()
    assert jobs.cancel(submit(jobs).id).state == "cancelled"
    jobs.start()
    jobs.wait(submit(jobs).id, PATIENCE_S)
    assert len(handler.starts) == 1


def test_a_running_job_is_cancelled_and_leaves_no_file(
    jobs: Jobs, handler: GatedHandler, results: Path
) -> None:
    handler.gate.clear()
    job = running(jobs, submit(jobs), handler)
    ended = jobs.cancel(job.id, wait_s=PATIENCE_S)
    assert (ended.state, ended.result) == ("cancelled", None)
    assert files(results) == set()
    assert jobs.cancel(job.id).finished_s == ended.finished_s  # an end does not change


def test_a_result_that_comes_after_the_cancellation_is_discarded(
    jobs: Jobs, handler: GatedHandler, results: Path
) -> None:
    handler.gate.clear()
    job = running(jobs, submit(jobs, deaf=True), handler)
    assert jobs.cancel(job.id, wait_s=0).state == "running"
    handler.gate.set()
    assert jobs.wait(job.id, PATIENCE_S).state == "cancelled"
    assert files(results) == set()


def test_a_handler_that_does_not_end_is_abandoned(
    jobs: Jobs, handler: GatedHandler, monkeypatch: pytest.MonkeyPatch, results: Path
) -> None:
    monkeypatch.setattr(runner, "GRACE_S", 0.05)
    handler.gate.clear()
    job = running(jobs, submit(jobs, deaf=True), handler)
    ended = jobs.cancel(job.id, wait_s=PATIENCE_S)
    assert ended.state == "cancelled"
    handler.gate.set()  # its late result changes nothing
    wait_until(lambda: files(results) == set(), "the removal of the late result")
    assert jobs.get(job.id) == ended
    assert jobs.wait(submit(jobs).id, PATIENCE_S).state == "done"


def test_a_job_that_takes_too_long_ends_as_an_error(
    make_jobs: MakeJobs, handler: GatedHandler, results: Path
) -> None:
    handler.gate.clear()
    jobs = make_jobs(job_timeout_seconds=0.05)
    jobs.start()
    job = jobs.wait(submit(jobs).id, PATIENCE_S)
    assert job.error is not None
    assert (job.state, job.error.kind) == ("error", "TimeoutError")
    assert "job_timeout_seconds = 0.05" in job.error.description
    assert files(results) == set()


def test_a_running_job_cannot_be_deleted(jobs: Jobs, handler: GatedHandler) -> None:
    handler.gate.clear()
    job = running(jobs, submit(jobs), handler)
    with pytest.raises(JobRunning, match="cancel it"):
        jobs.delete(job.id)
    assert jobs.get(job.id).state == "running"


def test_a_deleted_job_is_gone_with_its_files(jobs: Jobs, results: Path) -> None:
    job = jobs.wait(submit(jobs, key="k").id, PATIENCE_S)
    with jobs.result_path(job).open() as download:
        jobs.delete(job.id)
        assert download.read() == "film"  # a download that has begun goes on
    assert rows(results) == []
    assert files(results) == set()
    with pytest.raises(UnknownJob):
        jobs.get(job.id)
    assert submit(jobs, key="k").id != job.id


def test_a_queued_job_that_is_deleted_ends_first(make_jobs: MakeJobs, results: Path) -> None:
    jobs = make_jobs()
    ends: list[str] = []
    jobs.with_end(lambda _, job: ends.append(job.state))
    jobs.on_ended(lambda job: ends.append(job.state))
    jobs.delete(submit(jobs).id)
    wait_until(lambda: ends == ["cancelled", "cancelled"], "the callback")
    assert rows(results) == []


def test_pages_list_every_job_once_from_the_newest_on(make_jobs: MakeJobs) -> None:
    jobs = make_jobs()
    made = [submit(jobs, owner).id for owner in ("ann", "bob") * 3]
    found, token = [], None
    while True:
        page, token = jobs.list(limit=2, token=token)
        found += [job.id for job in page]
        if token is None:
            break
        submit(jobs)  # newer jobs do not move the pages
    assert found[-6:] == made[::-1]
    assert [job.owner for job in jobs.list(owner="bob")[0]] == ["bob"] * 3
    assert jobs.list(surface="talks") == ([], None)


@pytest.mark.parametrize("token", ["x", "-1", "1 ", "9" * 19, "1;DROP TABLE jobs", "٣"])
def test_a_malformed_token_is_refused(make_jobs: MakeJobs, token: str) -> None:
    with pytest.raises(BadJobToken, match="token"):
        make_jobs().list(token=token)


@pytest.mark.parametrize(
    "job_id",
    [
        "", ".", "..", "../../etc/passwd", "job_" + "0" * 31, "job_" + "0" * 33, "job_" + "Ａ" * 32,
        "jоb_" + "0" * 32, "job_" + "0" * 32 + "\n", "job_\0" + "0" * 31, "0" * 10_000_000,
        "job_" + "٠" * 32, "%",
    ],
)  # fmt: skip
def test_a_malformed_id_is_unknown(make_jobs: MakeJobs, job_id: str) -> None:
    with pytest.raises(UnknownJob) as unknown:
        make_jobs().get(job_id)
    assert len(str(unknown.value)) < 300


def test_old_results_are_deleted_and_later_forgotten(
    make_jobs: MakeJobs, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "EXPIRY_S", 0.0)
    monkeypatch.setattr(runner, "IDLE_TICK_S", 0.02)
    time_s = 1000.0
    jobs = make_jobs(now=lambda: time_s, job_ttl_s=100.0)
    jobs.start()
    job = jobs.wait(submit(jobs).id, PATIENCE_S)
    with jobs.result_path(job).open() as download:
        time_s = 1101.0
        wait_until(lambda: jobs.get(job.id).is_expired, "the end of the result")
        assert download.read() == "film"
    wait_until(lambda: files(results) == set(), "the removal of the file")
    with pytest.raises(ResultGone, match="job_ttl_s"):
        jobs.result_path(jobs.get(job.id))
    time_s = 1202.0
    wait_until(lambda: rows(results) == [], "the removal of the row")


def test_the_oldest_results_make_room_and_never_those_of_running_jobs(
    make_jobs: MakeJobs, results: Path, handler: GatedHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "EXPIRY_S", 0.0)
    monkeypatch.setattr(runner, "IDLE_TICK_S", 0.02)
    jobs = make_jobs(max_jobs_mb=0.00002)  # 20 bytes
    jobs.start()
    made = [jobs.wait(submit(jobs, content="x" * size).id, PATIENCE_S) for size in (10, 6, 6)]
    handler.gate.clear()
    last = running(jobs, submit(jobs, content="y" * 50), handler)
    wait_until(lambda: jobs.get(made[0].id).is_expired, "room")
    assert not jobs.get(made[1].id).is_expired
    assert jobs.folder(last).is_dir()
    handler.gate.set()
    assert jobs.wait(last.id, PATIENCE_S).state == "done"
    wait_until(lambda: files(results) == {last.id, f"{last.id}/result.mp4"}, "the newest alone")


def test_a_clock_that_is_set_back_neither_mixes_times_up_nor_keeps_results_forever(
    make_jobs: MakeJobs, monkeypatch: pytest.MonkeyPatch, handler: GatedHandler
) -> None:
    monkeypatch.setattr(runner, "EXPIRY_S", 0.0)
    monkeypatch.setattr(runner, "IDLE_TICK_S", 0.02)
    time_s = 1_000_000.0
    jobs = make_jobs(now=lambda: time_s, job_ttl_s=100.0)
    jobs.start()
    handler.gate.clear()
    first = running(jobs, submit(jobs), handler)
    time_s = 500.0
    handler.gate.set()
    first = jobs.wait(first.id, PATIENCE_S)
    assert first.started_s is not None
    assert first.finished_s is not None
    assert 1_000_000.0 <= first.started_s <= first.finished_s < 1_000_100.0
    second = jobs.wait(submit(jobs).id, PATIENCE_S)
    assert [job.id for job in jobs.list()[0]] == [second.id, first.id]
    wait_until(lambda: jobs.counts()["done"] == 2, "both")
    time_s = 601.0  # 101 s later by the new clock
    wait_until(lambda: jobs.get(first.id).is_expired, "the end of the result")
