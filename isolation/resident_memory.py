"""Memory of a process and its descendants, from /proc."""

from collections import defaultdict
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
KB = 1024


def anonymous_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants that no file backs.

    Mapped files are left out, because the system reclaims their memory when it runs short. 0 on
    systems that do not report it.
    """
    return sum(_anonymous_bytes(each) for each in family_of(pid))


def family_of(pid: int) -> list[int]:
    """Return a process and its descendants."""
    children = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            children[_parent_of(folder)].append(int(folder.name))
    found = [pid]
    for each in found:  # grows during the loop
        found += children[each]
    return found


def _parent_of(folder: Path) -> int:
    """Return the parent's process id; the program name before it may contain any character."""
    stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
    return int(stat.rpartition(")")[2].split()[1])


def _anonymous_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * KB
    return 0
