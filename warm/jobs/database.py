"""The SQLite database of the jobs: connections, transactions, migrations, damage.

The folder lock of the server keeps other servers away. One connection writes, one reads; readers
do not wait for the writer. A committed transaction survives a power cut.
"""

import logging
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from session.disk import make_folder, sync_folder
from session.errors import is_out_of_space
from warm.jobs.errors import (
    JobStoreBusy,
    JobStoreDamaged,
    JobStoreError,
    JobStoreFull,
    JobStoreNewer,
    JobStoreUnavailable,
)

FILE_NAME = "jobs.sqlite3"
WAIT_S = 3.0
"""Longest wait for a lock, of another thread or another process."""
MOST_OPENINGS = 3
"""Attempts of a reader to find the database open."""
COMPANIONS = ("-wal", "-shm", "-journal")
"""Suffixes of the files that SQLite keeps next to the database."""
VERSIONS = "CREATE TABLE IF NOT EXISTS versions (component TEXT PRIMARY KEY, version INTEGER)"
STAMP = "%Y%m%dT%H%M%S.%fZ"
MAIN = "jobs"
"""The component whose version is the `user_version` of the database."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Component:
    """Tables that belong together, and the statements that make them."""

    name: str
    migrations: tuple[tuple[str, ...], ...]
    """The statements of each version, from the first; released ones are never changed."""
    check: str
    """A statement that reads every column, and fails if one is missing."""

    @property
    def version(self) -> int:
        """Current version."""
        return len(self.migrations)


class Database:
    """The database file. Any thread; opened by the first use.

    Raises JobStoreError from every operation that the disk, another program or damage prevents,
    and JobStoreNewer if a newer release has written it.
    """

    def __init__(self, results: Path, *, wait_s: float = WAIT_S) -> None:
        self.path = results / FILE_NAME
        self.on_begin: Callable[[str], None] = lambda _: None
        """Called before a new database is made, because there is none or it is damaged. The
        argument is a suffix for the names of files that belonged to the earlier one."""
        self._results = results
        self._wait_s = wait_s
        self._components: list[Component] = []
        self._write_lock, self._read_lock = Lock(), Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        """Device and inode of the open file."""
        self._is_suspect = False
        """True if damage was found since the file was opened."""

    def register(self, component: Component) -> None:
        """Add tables; they are made or migrated when the database is opened, which is later."""
        self._components.append(component)

    def open(self) -> None:
        """Open, check and migrate the database; a damaged one is moved aside, and logged."""
        with self._locked(self._write_lock):
            self._open()

    @property
    def is_open(self) -> bool:
        """True if the database is open and no damage was found."""
        return self._writer is not None and self._is_usable()

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        with self._locked(self._write_lock), self._locked(self._read_lock):
            self._close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run the block in a transaction that is durable after the block, or has no effect."""
        with self._locked(self._write_lock), self._translated():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with suppress(sqlite3.Error):  # the first error is the one to report
                        connection.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Run the block, which sees one state of the database and cannot change it."""
        with self._reading(), self._translated():
            if self._reader is None:
                self._reader = self._connect(for_reading=True)
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Hold the lock of the reader while the database is open."""
        for _ in range(MOST_OPENINGS):
            self._ensure_open()
            with self._locked(self._read_lock):
                if self.is_open:  # no other thread has closed it or found damage meanwhile
                    yield
                    return
        raise JobStoreUnavailable(self.path, "it keeps being damaged or moved")

    @contextmanager
    def _locked(self, lock: Lock) -> Iterator[None]:
        if not lock.acquire(timeout=2 * self._wait_s):
            raise JobStoreBusy(self.path, 2 * self._wait_s)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Convert the errors of SQLite and of the disk."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise  # a bug of the caller, or a duplicate that it expects
        except sqlite3.Error as error:
            raise self._store_error(error) from error

    def _store_error(self, error: sqlite3.Error) -> JobStoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return JobStoreBusy(self.path, self._wait_s)
        if code == sqlite3.SQLITE_FULL:
            return JobStoreFull(self.path)
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            self._is_suspect = True
            return JobStoreDamaged(self.path, error)
        return JobStoreUnavailable(self.path, error)

    def _ensure_open(self) -> None:
        if not self.is_open:
            self.open()

    def _open(self) -> sqlite3.Connection:
        """Return the writing connection, opened if the file is not open. Its lock is held.

        No other thread reads meanwhile: a connection to a file that is moved aside would share the
        companions of the new one.
        """
        if self._writer is None or not self._is_usable():
            with self._locked(self._read_lock):
                self._writer = self._open_again()
        return self._writer

    def _open_again(self) -> sqlite3.Connection:
        """Close the file, if it is open, and open it. Both locks are held."""
        if self._writer is not None:
            log.error("the database of the jobs is damaged or was moved", extra=self._shown())
        self._close()
        try:
            connection = self._open_file()
        except JobStoreDamaged as found:
            self._move_aside(found)
            connection = self._open_file()
        opened = self.path.stat()
        self._identity = opened.st_dev, opened.st_ino
        self._is_suspect = False  # damage that was found before is not in the new file
        return connection

    def _is_usable(self) -> bool:
        """True if the path still names the open file, and no damage was found in it."""
        if self._is_suspect:
            return False
        try:
            found = self.path.stat()
        except OSError:
            return False
        return self._identity == (found.st_dev, found.st_ino)

    def _open_file(self) -> sqlite3.Connection:
        """Connect, check and migrate; closes the connection on an error."""
        self._require_regular()
        with self._translated():
            connection = self._connect()
            try:
                self._check_versions(connection)
                check_content(connection)
                self._migrate(connection)
                sync_folder(self._results)
            except BaseException:
                connection.close()
                raise
        return connection

    def _require_regular(self) -> None:
        """Make the folder; raise JobStoreUnavailable for a folder or a pipe in place of the file.

        SQLite would wait for a pipe.
        """
        try:
            make_folder(self._results, under=self._results)
            if not self.path.exists():
                self.on_begin(stamped("without-database"))
            elif not stat.S_ISREG(self.path.stat().st_mode):
                raise JobStoreUnavailable(self.path, "it is not a file")
        except OSError as error:
            if is_out_of_space(error):
                raise JobStoreFull(self.path) from error
            raise JobStoreUnavailable(self.path, error.strerror) from error

    def _connect(self, *, for_reading: bool = False) -> sqlite3.Connection:
        """Return a connection whose commits are durable."""
        connection = sqlite3.connect(
            self.path, timeout=self._wait_s, isolation_level=None, check_same_thread=False
        )
        try:
            connection.row_factory = sqlite3.Row
            if for_reading:
                connection.execute("PRAGMA query_only = ON")
            else:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # each commit is synced
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_versions(self, connection: sqlite3.Connection) -> None:
        for component in self._components:
            version = version_of(connection, component.name)
            if version > component.version:
                raise JobStoreNewer(self.path, component.name, version, component.version)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring every component to its current version, each in one transaction."""
        for component in self._components:
            version = version_of(connection, component.name)
            if version < component.version:
                with transaction(connection):
                    for statements in component.migrations[version:]:
                        for statement in statements:
                            connection.execute(statement)
                    set_version(connection, component)
            check_tables(connection, component)

    def _move_aside(self, error: JobStoreDamaged) -> None:
        """Rename the damaged files, so that they can be repaired by hand."""
        suffix = stamped("damaged")
        aside = self.path.with_name(self.path.name + suffix)
        try:
            self.on_begin(suffix)
            for ending in COMPANIONS:
                with suppress(FileNotFoundError):
                    self.path.with_name(self.path.name + ending).rename(f"{aside}{ending}")
            self.path.rename(aside)
            sync_folder(self._results)
        except OSError as failure:
            raise JobStoreUnavailable(self.path, failure.strerror) from failure
        log.error(
            "the database of the jobs is damaged; it was set aside, and a new one is made",
            extra={**self._shown(), "set_aside": str(aside), "damage": str(error.__cause__)},
        )

    def _close(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()
        self._reader = self._writer = None

    def _shown(self) -> dict[str, str]:
        return {"path": str(self.path)}


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def stamped(reason: str) -> str:
    """Return a suffix for the names of files that are set aside now."""
    return f".{reason}-{datetime.now(UTC).strftime(STAMP)}"


def check_content(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError if pages of the database are damaged."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise damage(found)


def check_tables(connection: sqlite3.Connection, component: Component) -> None:
    """Raise sqlite3.DatabaseError if a table or column of a component is missing."""
    try:
        connection.execute(component.check).fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            raise damage(str(error)) from error
        raise


def damage(reason: str) -> sqlite3.DatabaseError:
    """Return the error of a damaged database."""
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def version_of(connection: sqlite3.Connection, component: str) -> int:
    """Version of a component's tables; 0 if there are none yet."""
    if component == MAIN:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    exists = "SELECT 1 FROM sqlite_master WHERE name = 'versions'"
    if connection.execute(exists).fetchone() is None:
        return 0
    row = connection.execute("SELECT version FROM versions WHERE component = ?", (component,))
    found = row.fetchone()
    return int(found[0]) if found else 0


def set_version(connection: sqlite3.Connection, component: Component) -> None:
    """Store the version of a component in the current transaction."""
    if component.name == MAIN:
        connection.execute(f"PRAGMA user_version = {component.version:d}")
        return
    connection.execute(VERSIONS)
    connection.execute(
        "INSERT OR REPLACE INTO versions VALUES (?, ?)", (component.name, component.version)
    )
