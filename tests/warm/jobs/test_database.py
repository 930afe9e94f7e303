"""Faults of the database file: locked, full, damaged, newer, missing."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.polling import wait_until
from tests.warm.jobs.conftest import MakeJobs
from tests.warm.jobs.gated_handler import GatedHandler
from tests.warm.jobs.test_jobs import PATIENCE_S, files, rows, running, submit
from warm.jobs.database import Component, Database
from warm.jobs.errors import (
    JobStoreBusy,
    JobStoreError,
    JobStoreFull,
    JobStoreNewer,
    JobStoreUnavailable,
    UnknownJob,
)
from warm.jobs.jobs import Jobs

TALKS = Component("talks", (("CREATE TABLE talks (a)",),), "SELECT a FROM talks")
TWO = Component("talks", (("CREATE TABLE talks (a)",), ("ALTER TABLE talks ADD b",)), "SELECT 1")


@contextmanager
def locked(results: Path) -> Iterator[None]:
    """Hold the lock of a writer, as a sqlite3 shell with an open transaction does."""
    with closing(sqlite3.connect(results / "jobs.sqlite3", isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        yield


def set_wait(jobs: Jobs, wait_s: float) -> None:
    """Limit the waits for locks from the next opening on."""
    jobs.database._wait_s = wait_s
    jobs.database.close()


def database_of(component: Component, results: Path) -> Database:
    database = Database(results)
    database.register(component)
    return database


def lose_the_table(database: Database) -> None:
    """Damage the database as another program might, while no connection is open."""
    with database.write() as connection:
        connection.execute("DROP TABLE talks")
    database.close()


def aside(results: Path, reason: str) -> list[Path]:
    return sorted(results.glob(f"*.{reason}-*"))


def test_a_locked_database_refuses_new_jobs_and_goes_on_reading(
    make_jobs: MakeJobs, results: Path
) -> None:
    jobs = make_jobs()
    job = submit(jobs)
    set_wait(jobs, 0.05)
    assert jobs.get(job.id) == job
    with locked(results):
        with pytest.raises(JobStoreBusy, match="sqlite3 shell"):
            submit(jobs)
        assert jobs.get(job.id) == job
        assert jobs.counts()["queued"] == 1
    assert submit(jobs).number == job.number + 1


def test_the_end_of_a_job_waits_for_a_locked_database(
    make_jobs: MakeJobs, results: Path, handler: GatedHandler
) -> None:
    jobs = make_jobs()
    set_wait(jobs, 0.05)
    ends: list[str] = []
    jobs.with_end(lambda _, job: ends.append(job.id))
    jobs.start()
    handler.gate.clear()
    job = running(jobs, submit(jobs), handler)
    with locked(results):
        handler.gate.set()
        wait_until(lambda: files(results) >= {job.id}, "the result")
        assert jobs.get(job.id).state == "running"
    assert jobs.wait(job.id, PATIENCE_S).state == "done"
    assert ends == [job.id]


def test_a_full_disk_refuses_a_job_and_changes_nothing(make_jobs: MakeJobs, results: Path) -> None:
    jobs = make_jobs()
    job = submit(jobs)
    with jobs.database.write() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JobStoreFull, match="make room"):
        submit(jobs, text="x" * 100_000)
    assert rows(results) == [(job.id, "queued")]
    with jobs.database.write() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    submit(jobs, text="x" * 100_000)


DAMAGES = {
    "no database": lambda _: b"This is no database. " * 1000,
    "a torn page": lambda content: content[:4096] + bytes(4096) + content[8192:],
    "a torn header": lambda content: content[:20] + b"\xff" * 100 + content[120:],
    "cut in half": lambda content: content[: len(content) // 8192 * 4096],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_set_aside_with_the_results(
    make_jobs: MakeJobs, results: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = make_jobs()
    jobs.start()
    old = jobs.wait(submit(jobs, content="precious").id, PATIENCE_S)
    jobs.close()
    path = results / "jobs.sqlite3"
    content = DAMAGES[damage](path.read_bytes())
    path.write_bytes(content)
    jobs = make_jobs()
    jobs.start()
    new = jobs.wait(submit(jobs).id, PATIENCE_S)
    with pytest.raises(UnknownJob):
        jobs.get(old.id)
    database, folder = sorted(aside(results, "damaged"), key=Path.is_dir)
    assert database.read_bytes() == content
    assert (folder / old.id / "result.mp4").read_text() == "precious"
    assert "is damaged; it was set aside" in caplog.text
    assert rows(results) == [(new.id, "done")]


def test_damage_that_comes_while_the_server_runs_is_set_aside_by_a_later_request(
    make_jobs: MakeJobs, results: Path
) -> None:
    jobs = make_jobs()
    jobs.start()
    jobs.wait(submit(jobs).id, PATIENCE_S)
    with jobs.database.write() as connection:
        connection.execute("DROP TABLE jobs")  # as another program might
    jobs.database.close()
    assert jobs.wait(submit(jobs).id, PATIENCE_S).state == "done"
    assert len(aside(results, "damaged")) == 2


def test_a_database_made_in_place_of_a_damaged_one_stays_open(results: Path) -> None:
    with closing(database_of(TALKS, results)) as database:
        lose_the_table(database)
        with database.write() as first:
            first.execute("INSERT INTO talks VALUES (1)")
        with database.write() as second:
            assert second is first


def test_threads_that_find_damage_at_once_set_one_database_aside(results: Path) -> None:
    damages, is_over = 8, Event()

    def read() -> None:
        while not is_over.is_set():
            with suppress(JobStoreError), database.read() as connection:
                connection.execute("SELECT count(*) FROM talks").fetchone()

    with closing(database_of(TALKS, results)) as database:
        readers = [Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        try:
            for number in range(damages):
                lose_the_table(database)
                with database.write() as connection:
                    connection.execute("INSERT INTO talks VALUES (?)", (number,))
                with database.read() as connection:
                    assert connection.execute("SELECT * FROM talks").fetchall()[0]["a"] == number
        finally:
            is_over.set()
            for reader in readers:
                reader.join(PATIENCE_S)
    assert len(aside(results, "damaged")) == damages


def test_a_newer_database_is_refused_in_words_and_stays_as_it_is(
    make_jobs: MakeJobs, results: Path
) -> None:
    jobs = make_jobs()
    submit(jobs)
    with jobs.database.write() as connection:
        connection.execute("PRAGMA user_version = 99")
    jobs.close()
    before = (results / "jobs.sqlite3").read_bytes()
    with pytest.raises(JobStoreNewer, match=r"version 99 .* newer release"):
        make_jobs().start()
    assert (results / "jobs.sqlite3").read_bytes() == before
    assert aside(results, "damaged") == []


def test_tables_of_other_owners_are_migrated_from_any_version(results: Path) -> None:
    first = Component("talks", TWO.migrations[:1], "SELECT a FROM talks")
    for component in (first, TWO, TWO):
        database = Database(results)
        database.register(component)
        with database.write() as connection:
            connection.execute("INSERT INTO talks (a) VALUES (1)")
        database.close()
    database.open()
    with database.read() as connection:
        assert connection.execute("SELECT a, b FROM talks").fetchall()[0]["b"] is None
        assert connection.execute("SELECT count(*) FROM talks").fetchone()[0] == 3
    database.close()
    older = Database(results)
    older.register(first)
    with pytest.raises(JobStoreNewer, match="version 2 of its talks"):
        older.open()


def test_a_failed_migration_leaves_the_database_as_it_was(results: Path) -> None:
    broken = Component("talks", (("CREATE TABLE talks (a)", "CREATE NONSENSE"),), "SELECT 1")
    database = Database(results)
    database.register(broken)
    with pytest.raises(JobStoreUnavailable, match="NONSENSE"):
        database.open()
    assert aside(results, "damaged") == []
    again = Database(results)
    again.register(TWO)
    again.open()
    again.close()


def test_results_without_a_database_are_set_aside_and_not_deleted(
    make_jobs: MakeJobs, results: Path
) -> None:
    jobs = make_jobs()
    jobs.start()
    job = jobs.wait(submit(jobs, content="precious").id, PATIENCE_S)
    jobs.close()
    for path in results.glob("jobs.sqlite3*"):
        path.unlink()
    jobs = make_jobs()
    jobs.start()
    jobs.wait(submit(jobs).id, PATIENCE_S)
    (folder,) = aside(results, "without-database")
    assert (folder / job.id / "result.mp4").read_text() == "precious"


def test_a_database_that_is_removed_while_it_is_open_takes_no_jobs_with_it(
    make_jobs: MakeJobs, results: Path
) -> None:
    jobs = make_jobs()
    submit(jobs)
    (results / "jobs.sqlite3").unlink()
    job = submit(jobs)
    assert rows(results) == [(job.id, "queued")]


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_folder_or_pipe_in_place_of_the_file_is_an_error_and_not_a_wait(
    make_jobs: MakeJobs, results: Path, kind: str
) -> None:
    results.mkdir()
    path = results / "jobs.sqlite3"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    jobs = make_jobs()
    jobs.start()
    with pytest.raises(JobStoreUnavailable, match="it is not a file"):
        submit(jobs)
    path.rmdir() if kind == "folder" else path.unlink()
    assert jobs.wait(submit(jobs).id, PATIENCE_S).state == "done"


FULL = """
import resource, sys
from pathlib import Path
from warm.jobs.database import Component, Database
from warm.jobs.errors import JobStoreError
database = Database(Path(sys.argv[1]))
database.register(Component("t", (("CREATE TABLE t (a)",),), "SELECT a FROM t"))
def write(value):
    with database.write() as connection:
        connection.execute("INSERT INTO t VALUES (?)", (value,))
write("first")
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    write("x" * 1_000_000)
except JobStoreError as error:
    print(type(error).__name__)
write("second")
"""


@pytest.mark.slow
def test_a_write_that_the_system_refuses_is_undone(results: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(results)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.split() == ["JobStoreUnavailable"]
    with closing(sqlite3.connect(results / "jobs.sqlite3")) as database:
        assert database.execute("SELECT a FROM t").fetchall() == [("first",), ("second",)]
