"""Simulated disk that loses unsynced data on a power cut, as far as POSIX allows it.

`LossyDisk` is placed between the program and a real folder. Every call is executed on the folder,
which shows the state of the page cache; in addition the class records which changes were synced,
and enumerates every state of the disk that a power cut may leave:

- unsynced writes and truncations are on disk completely, in part, in any combination, or not;
- a file may have grown without its new bytes (zeros), or with only some of its sectors;
- created, renamed or removed names are on disk or not until their folder is synced.

It can also make a call fail, end the process at a call, or fail a sync and drop the pages.
"""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations, islice, product
from pathlib import Path
from typing import Any

import pytest

SECTOR_BYTES = 512
SCRATCH = ".parts"
"""Suffix of folders whose contents are irrelevant."""
_MAX_STATES = 16
"""Maximum number of states at one moment; larger sets are sampled."""

Files = dict[str, bytes]
"""Contents of a disk by relative path; the path of a folder ends with a slash."""


class Killed(BaseException):
    """The process was killed; later calls have no effect."""


class Write:
    def __init__(self, offset: int, data: bytes) -> None:
        self.offset, self.data = offset, data

    def on(self, content: bytes) -> bytes:
        held = content.ljust(self.offset, b"\0")
        return held[: self.offset] + self.data + held[self.offset + len(self.data) :]

    def torn(self, chance: random.Random) -> Iterator["Write"]:
        """Yield writes that made the file grow but lost some of the bytes."""
        half = len(self.data) // 2
        yield Write(self.offset, self.data[:half])
        yield Write(self.offset, bytes(len(self.data)))
        yield Write(self.offset, bytes(half) + self.data[half:])
        kept = bytearray(self.data)
        for begin in range(-(self.offset % SECTOR_BYTES), len(kept), SECTOR_BYTES):
            if chance.random() < 0.5:
                sector = slice(max(0, begin), min(len(kept), begin + SECTOR_BYTES))
                kept[sector] = bytes(sector.stop - sector.start)
        yield Write(self.offset, bytes(kept))


class Cut:
    def __init__(self, size: int) -> None:
        self.size = size

    def on(self, content: bytes) -> bytes:
        return content[: self.size].ljust(self.size, b"\0")

    def torn(self, _: random.Random) -> Iterator["Cut"]:
        yield from ()


class File:
    def __init__(self, synced: bytes = b"") -> None:
        self.synced = synced
        self.pending: list[Write | Cut] = []
        self.dropped: list[Write | Cut] = []
        """Changes whose sync failed: they may be on disk, and are never synced again."""

    def sync(self) -> None:
        self.synced = apply(self.pending, self.synced)
        self.pending = []

    def states(self, chance: random.Random) -> Iterator[bytes]:
        for lost in subsets(self.dropped):
            for kept in subsets(self.pending):
                yield apply([*lost, *kept], self.synced)
        if self.pending:
            *before, last = self.pending
            for torn in last.torn(chance):
                yield apply([*before, torn], self.synced)


class Folder:
    def __init__(self) -> None:
        self.synced: dict[str, File | Folder] = {}
        self.pending: list[dict[str, File | Folder | None]] = []

    def now(self) -> "dict[str, File | Folder]":
        return merged(self.synced, self.pending)

    def sync(self) -> None:
        self.synced, self.pending = self.now(), []

    def states(self, _: random.Random) -> "Iterator[dict[str, File | Folder]]":
        for kept in subsets(self.pending):
            yield merged(self.synced, kept)


Entry = File | Folder


def apply(changes: Sequence[Write | Cut], content: bytes) -> bytes:
    for change in changes:
        content = change.on(content)
    return content


def merged(names: dict[str, Entry], changes: Sequence[dict[str, Entry | None]]) -> dict[str, Entry]:
    for change in changes:
        names = {**names, **change}  # type: ignore[dict-item]
    return {name: entry for name, entry in names.items() if entry is not None}


def subsets(items: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield all subsets, from the empty one to the full one."""
    return chain.from_iterable(combinations(items, size) for size in range(len(items) + 1))


class LossyDisk:
    """See the module. `watched` is called after every call that changes the disk."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> None:
        self.root = root.resolve()
        self.watched: Callable[[], None] = lambda: None
        self.calls = 0
        """Number of calls that change or sync the disk."""
        self.before: Callable[[int, str], None] = lambda *_: None
        """Called with number and name before each such call; may raise in its place."""
        self.torn_at: int | None = None
        """Number of the call that writes half of its bytes and then kills the process."""
        self.takes_half = False
        """True if a failing write writes the first half of its bytes, as on a full disk."""
        self._chance = random.Random(seed)
        self._top = Folder()
        self._held: dict[int, tuple[Entry, Path]] = {}
        self._is_killed = False
        self._real: dict[str, Callable[..., Any]] = {}
        for name in ("open", "close", "pwrite", "ftruncate", "fsync", "replace", "rename"):
            self._intercept(monkeypatch, name)
        for name in ("unlink", "mkdir", "rmdir", "posix_fadvise"):
            self._intercept(monkeypatch, name)

    def _intercept(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self._real[name] = getattr(os, name)
        monkeypatch.setattr(os, name, getattr(self, f"on_{name}"))

    def begin_with(self, files: Files) -> None:
        """Write initial contents to the disk, all of them synced."""
        lay_out(files, self.root)
        self._top = Folder()  # drops the creation of the folders from the record
        for path, data in files.items():
            parent, _, name = path.rstrip("/").rpartition("/")
            folder = self._find(self.root / parent)
            assert isinstance(folder, Folder)
            folder.synced[name] = Folder() if path.endswith("/") else File(data)

    def revive(self) -> None:
        """Start another process: locks and descriptors of the killed one are released."""
        for fd in list(self._held):
            self._real["close"](fd)
        self._held.clear()
        self._is_killed = False
        self.torn_at = None
        self.before = lambda *_: None

    def kill(self) -> None:
        """Kill the process in place of the current call; called from `before`."""
        self._is_killed = True
        raise Killed

    def states(self) -> Iterator[Files]:
        """Yield the states that a power cut may leave now; a random sample if there are many."""
        found = self._grown(self._top)
        few = list(islice(found, 4 * _MAX_STATES))
        if len(few) > _MAX_STATES:
            few = [few[0], few[-1], *self._chance.sample(few[1:-1], _MAX_STATES - 2)]
        yield from few

    def _grown(self, folder: Folder) -> Iterator[Files]:
        for names in folder.states(self._chance):
            choices = [self._contents(name, entry) for name, entry in sorted(names.items())]
            for chosen in product(*choices):
                yield {path: data for files in chosen for path, data in files.items()}

    def _contents(self, name: str, entry: Entry) -> list[Files]:
        if isinstance(entry, File):
            return [{name: content} for content in dict.fromkeys(entry.states(self._chance))]
        if name.endswith(SCRATCH):
            return [{f"{name}/": b"", f"{name}/half": b"half"}]
        below = self._grown(entry)
        return [
            {f"{name}/": b""} | {f"{name}/{path}": data for path, data in files.items()}
            for files in below
        ]

    def _step(self, name: str) -> None:
        if self._is_killed:
            raise Killed
        self.calls += 1
        self.before(self.calls, name)

    def _find(self, path: Path) -> Entry | None:
        entry: Entry | None = self._top
        for part in path.relative_to(self.root).parts:
            entry = entry.now().get(part) if isinstance(entry, Folder) else None
        return entry

    def _parent(self, path: Path) -> Folder:
        found = self._find(path.parent)
        assert isinstance(found, Folder), path
        return found

    def _path_on_disk(self, path: Any, dir_fd: int | None = None) -> Path | None:
        """Return the full path if it is on this disk, else None."""
        if not isinstance(path, str | Path):
            return None
        folder = Path.cwd() if dir_fd is None else Path(f"/proc/self/fd/{dir_fd}").readlink()
        full = folder / path
        return full if full.is_relative_to(self.root) else None

    def _register(self, path: Path) -> None:
        """Register a file that another program wrote; nothing of it is synced."""
        file = File()
        file.pending.append(Write(0, path.read_bytes()))
        self._parent(path).pending.append({path.name: file})

    def on_open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        ours = self._path_on_disk(path, **more)
        if ours is None:
            return int(self._real["open"](path, flags, mode, **more))
        if ours.is_file() and self._find(ours) is None:
            self._register(ours)
        is_new = bool(flags & os.O_CREAT) and self._find(ours) is None
        self._step("open")
        fd = int(self._real["open"](path, flags, mode, **more))
        if is_new:
            self._parent(ours).pending.append({ours.name: File()})
        entry = self._find(ours)
        if entry is None:
            return fd
        if flags & os.O_TRUNC and not is_new and isinstance(entry, File):
            entry.pending.append(Cut(0))
        self._held[fd] = (entry, ours)
        self.watched()
        return fd

    def on_close(self, fd: int) -> None:
        self._held.pop(fd, None)
        self._real["close"](fd)

    def _file(self, fd: int) -> File:
        entry = self._held[fd][0]
        assert isinstance(entry, File)
        return entry

    def on_pwrite(self, fd: int, data: Any, offset: int) -> int:
        if fd not in self._held:
            return int(self._real["pwrite"](fd, data, offset))
        given = bytes(data)
        try:
            self._step("pwrite")
        except OSError:
            if self.takes_half:
                self._write(fd, given[: len(given) // 2], offset)
            raise
        if self.torn_at == self.calls:
            given = given[: len(given) // 2]
        written = self._write(fd, given, offset)
        self.watched()
        if self.torn_at == self.calls:
            self.kill()
        return written

    def _write(self, fd: int, data: bytes, offset: int) -> int:
        written = int(self._real["pwrite"](fd, data, offset))
        self._file(fd).pending.append(Write(offset, data[:written]))
        return written

    def on_ftruncate(self, fd: int, size: int) -> None:
        if fd in self._held:
            self._step("ftruncate")
            self._file(fd).pending.append(Cut(size))
        self._real["ftruncate"](fd, size)
        self.watched()

    def on_fsync(self, fd: int) -> None:
        if fd not in self._held:
            self._real["fsync"](fd)
            return
        entry = self._held[fd][0]
        try:
            self._step("fsync")
        except OSError:  # the kernel marks the pages clean and drops them
            if isinstance(entry, File):
                entry.dropped, entry.pending = [*entry.dropped, *entry.pending], []
            raise
        entry.sync()
        self.watched()

    def on_posix_fadvise(self, fd: int, _offset: int, _size: int, advice: int) -> None:
        """Drop cached pages: the file shows what is on the disk."""
        if fd in self._held and advice == os.POSIX_FADV_DONTNEED and self._file(fd).dropped:
            entry, path = self._file(fd), self._held[fd][1]
            path.write_bytes(apply(entry.pending, entry.synced))
            entry.dropped = []

    def _rename(self, name: str, source: Any, target: Any) -> None:
        ours, there = self._path_on_disk(source), self._path_on_disk(target)
        if ours is None or there is None:
            self._real[name](source, target)
            return
        self._step(name)
        entry, old, new = self._find(ours), self._parent(ours), self._parent(there)
        self._real[name](source, target)
        if old is new:
            old.pending.append({ours.name: None, there.name: entry})
        else:
            new.pending.append({there.name: entry})
            old.pending.append({ours.name: None})
        self.watched()

    def on_replace(self, source: Any, target: Any) -> None:
        self._rename("replace", source, target)

    def on_rename(self, source: Any, target: Any) -> None:
        self._rename("rename", source, target)

    def _remove(self, name: str, path: Any, **more: Any) -> None:
        ours = self._path_on_disk(path, **more)
        if ours is not None and self._find(ours) is not None:
            self._step(name)
        self._real[name](path, **more)
        if ours is not None:
            self._parent(ours).pending.append({ours.name: None})
            self.watched()

    def on_unlink(self, path: Any, **more: Any) -> None:
        self._remove("unlink", path, **more)

    def on_rmdir(self, path: Any, **more: Any) -> None:
        self._remove("rmdir", path, **more)

    def on_mkdir(self, path: Any, mode: int = 0o777) -> None:
        ours = self._path_on_disk(path)
        if ours is not None and self._find(ours) is None:
            self._step("mkdir")
        self._real["mkdir"](path, mode)
        if ours is not None:
            self._parent(ours).pending.append({ours.name: Folder()})
            self.watched()


def lay_out(files: Files, root: Path) -> None:
    """Write the contents of a disk to a real folder."""
    for path, data in files.items():
        place = root / path
        if path.endswith("/"):
            place.mkdir(parents=True)
        else:
            place.write_bytes(data)
