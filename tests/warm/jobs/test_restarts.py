"""Jobs after a crash or a stop of the server: a crash is a copy of the folder at some moment."""

import shutil
import threading
from pathlib import Path

import pytest

from tests.polling import wait_until
from tests.warm.jobs.conftest import MakeJobs
from tests.warm.jobs.gated_handler import GatedHandler
from tests.warm.jobs.test_jobs import PATIENCE_S, all_files, files, rows, running, submit
from warm.jobs import runner
from warm.jobs.errors import JobStopped
from warm.jobs.jobs import Jobs


def crashed(results: Path, number: int = 1) -> Path:
    """Return a copy of the folder, as a process that is killed now would leave it."""
    copy = results.with_name(f"crash-{number}")
    shutil.copytree(results, copy)
    return copy


def test_a_queued_job_runs_after_a_crash(make_jobs: MakeJobs, results: Path) -> None:
    job = submit(make_jobs(), content="after")
    jobs = make_jobs(crashed(results))
    jobs.start()
    job = jobs.wait(job.id, PATIENCE_S)
    assert (job.state, job.attempts) == ("done", 1)
    assert jobs.result_path(job).read_text() == "after"


def test_a_running_job_runs_again_from_the_start(
    make_jobs: MakeJobs, results: Path, handler: GatedHandler
) -> None:
    handler.gate.clear()
    jobs = make_jobs()
    jobs.start()
    job = running(jobs, submit(jobs), handler)
    copy = crashed(results)
    assert f"{job.id}.part/scratch" in files(copy)
    handler.gate.set()
    again = make_jobs(copy)
    again.start()
    job = again.wait(job.id, PATIENCE_S)
    assert (job.state, job.attempts, job.crashes) == ("done", 2, 1)
    assert files(copy) == {job.id, f"{job.id}/result.mp4"}  # and nothing of the first attempt


def test_a_job_during_which_the_server_crashed_twice_is_an_error(
    make_jobs: MakeJobs, results: Path, handler: GatedHandler
) -> None:
    handler.gate.clear()
    jobs, folder = make_jobs(), results
    jobs.start()
    job = submit(jobs)
    for number in (1, 2):
        running(jobs, job, handler)
        folder = crashed(folder, number)
        jobs = make_jobs(folder)
        ends: list[str] = []
        jobs.with_end(lambda _, ended, ends=ends: ends.append(ended.state))
        jobs.start()
    job = jobs.wait(job.id, PATIENCE_S)
    assert job.error is not None
    assert (job.state, job.error.kind) == ("error", "InternalError")
    assert "ended 2 times" in job.error.description
    assert ends == ["error"]
    wait_until(lambda: files(folder) == set(), "the removal of the attempt")
    assert len(handler.starts) == 2


def test_a_job_that_was_hit_by_a_crash_runs_alone(
    make_jobs: MakeJobs, results: Path, handler: GatedHandler
) -> None:
    handler.gate.clear()
    jobs = make_jobs(max_concurrent_jobs=2)
    jobs.start()
    hit = [submit(jobs), submit(jobs)]
    for job in hit:
        running(jobs, job, handler)
    again = make_jobs(crashed(results), max_concurrent_jobs=2)
    again.start()
    wait_until(lambda: again.get(hit[0].id).attempts == 2, "the second start of the first job")
    fresh = submit(again)
    assert again.counts()["running"] == 1
    assert again.get(hit[1].id).state == again.get(fresh.id).state == "queued"
    handler.gate.set()
    assert {again.wait(job.id, PATIENCE_S).state for job in (*hit, fresh)} == {"done"}


def test_a_finished_job_keeps_its_result_and_its_key(make_jobs: MakeJobs, results: Path) -> None:
    jobs = make_jobs()
    jobs.start()
    job = jobs.wait(submit(jobs, key="k", content="kept").id, PATIENCE_S)
    again = make_jobs(crashed(results))
    again.start()
    assert again.get(job.id) == job
    assert again.result_path(job).read_text() == "kept"
    assert submit(again, key="k", content="kept").id == job.id


def test_a_result_that_was_renamed_before_its_end_was_committed_is_made_again(
    make_jobs: MakeJobs, results: Path, handler: GatedHandler
) -> None:
    handler.gate.clear()
    jobs = make_jobs()
    jobs.start()
    job = running(jobs, submit(jobs, content="second"), handler)
    copy = crashed(results)
    (copy / "jobs" / f"{job.id}.part").rename(copy / "jobs" / job.id)
    (copy / "jobs" / job.id / "result.mp4").write_text("first")
    handler.gate.set()
    again = make_jobs(copy)
    again.start()
    job = again.wait(job.id, PATIENCE_S)
    assert again.result_path(job).read_text() == "second"
    assert files(copy) == {job.id, f"{job.id}/result.mp4"}


def test_leftovers_are_removed_at_the_start(make_jobs: MakeJobs, results: Path) -> None:
    jobs = make_jobs()
    jobs.start()
    job = jobs.wait(submit(jobs).id, PATIENCE_S)
    copy = crashed(results)
    for name in ("job_0.part", "job_1", "job_2.00.trash"):
        (copy / "jobs" / name / "deep").mkdir(parents=True)
    (copy / "jobs" / "stray").write_bytes(b"")
    again = make_jobs(copy)
    again.start()
    kept = {job.id, f"{job.id}/result.mp4"}
    wait_until(lambda: all_files(copy) == kept, "the removal")


def test_a_stop_returns_running_jobs_to_the_queue_and_counts_no_crash(
    make_jobs: MakeJobs, results: Path, handler: GatedHandler
) -> None:
    handler.gate.clear()
    jobs = make_jobs()
    jobs.start()
    job = running(jobs, submit(jobs), handler)
    jobs.close()
    assert rows(results, "id, state, crashes") == [(job.id, "queued", 0)]
    assert files(results) == set()
    handler.gate.set()
    again = make_jobs()
    again.start()
    assert again.wait(job.id, PATIENCE_S).state == "done"


def test_a_handler_that_ignores_the_stop_delays_it_no_longer_than_the_setting(
    make_jobs: MakeJobs, results: Path, handler: GatedHandler
) -> None:
    handler.gate.clear()
    jobs = make_jobs(stop_s=0.1)
    jobs.start()
    job = running(jobs, submit(jobs, deaf=True), handler)
    jobs.close()
    assert rows(results, "id, state, crashes") == [(job.id, "queued", 0)]
    handler.gate.set()  # the end of the old attempt comes too late
    wait_until(lambda: not files(results), "the end of the attempt")
    assert rows(results, "id, state, crashes") == [(job.id, "queued", 0)]


@pytest.mark.parametrize("error", [RuntimeError("the engine stops"), None])
def test_an_error_that_the_stop_causes_is_not_the_end_of_the_job(
    make_jobs: MakeJobs, results: Path, handler: GatedHandler, error: Exception | None
) -> None:
    handler.gate.clear()
    jobs = make_jobs()
    jobs.start()
    request = {} if error is None else {"error": "it"}
    if error is not None:
        handler.errors["it"] = error
    job = running(jobs, submit(jobs, deaf=True, **request), handler)
    jobs.stop()
    handler.gate.set()
    jobs.close()
    assert rows(results) == [(job.id, "done" if error is None else "queued")]


def test_a_job_of_a_kind_that_is_not_known_any_more_is_an_error(
    make_jobs: MakeJobs, results: Path
) -> None:
    job = submit(make_jobs())
    jobs: Jobs = make_jobs(crashed(results))
    jobs._runner.handlers.clear()
    jobs.start()
    assert jobs.wait(job.id, PATIENCE_S).state == "error"


def test_a_handler_may_notice_the_stop_before_the_jobs_do(
    make_jobs: MakeJobs, results: Path, handler: GatedHandler
) -> None:
    handler.gate.clear()
    handler.errors["it"] = JobStopped()
    jobs = make_jobs()
    jobs.start()
    job = running(jobs, submit(jobs, deaf=True, error="it"), handler)
    handler.gate.set()
    wait_until(lambda: not handler.busy, "the error of the handler")
    jobs.close()
    assert rows(results, "id, state, crashes") == [(job.id, "queued", 0)]


def test_a_handler_that_notices_a_stop_that_never_comes_is_an_error(
    make_jobs: MakeJobs, handler: GatedHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "STOP_S", 0.01)
    handler.errors["it"] = JobStopped()
    jobs = make_jobs()
    jobs.start()
    assert jobs.wait(submit(jobs, error="it").id, PATIENCE_S).state == "error"
    assert len(handler.starts) == 1


def test_a_panic_of_native_code_ends_the_job(make_jobs: MakeJobs, handler: GatedHandler) -> None:
    class PanicError(BaseException):
        pass

    handler.errors["it"] = PanicError("index out of bounds")
    jobs = make_jobs()
    jobs.start()
    job = jobs.wait(submit(jobs, error="it").id, PATIENCE_S)
    assert job.error is not None
    assert "index out of bounds" in job.error.description


def test_a_job_whose_thread_cannot_be_started_waits(
    make_jobs: MakeJobs, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = make_jobs()
    job = submit(jobs)
    jobs.start()
    jobs.wait(job.id, PATIENCE_S)
    start, failures = threading.Thread.start, []

    def fail_once(thread: threading.Thread) -> None:
        if thread.name == "job" and not failures:
            failures.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_once)
    monkeypatch.setattr(runner, "RETRY_S", 0.01)
    again = jobs.wait(submit(jobs).id, PATIENCE_S)
    assert (again.state, again.attempts, again.crashes) == ("done", 2, 0)
    assert len(failures) == 1
