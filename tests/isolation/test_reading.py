"""Reading in a process of its own: any failure there is only an error here."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from isolation.item import Item
from isolation.process import ROOT
from isolation.reading import LIMITS, Reader, ReadFailed, ReadLimits, read_isolated
from tests.isolation import misbehaving_readers as readers
from tests.isolation.misbehaving_readers import BadFile, VeryBadFile
from tests.polling import wait_until

pytestmark = pytest.mark.slow

PATH = Path("some.file")
TIMEOUT_S = 60


def read(reader: Reader, limits: ReadLimits = LIMITS, **arguments: object) -> list[Item]:
    items = []
    for item in read_isolated(reader, PATH, raises=BadFile, limits=limits, **arguments):
        items.append(item)
    return items


def failure_of(reader: Reader, limits: ReadLimits = LIMITS) -> str:
    with pytest.raises(ReadFailed) as caught:
        read(reader, limits)
    message = str(caught.value)
    assert str(PATH) in message
    return message


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_the_items_of_a_reader_arrive_in_order_with_their_arrays() -> None:
    items = read(readers.counting, count=20, shape=(400, 300, 3))
    assert [item.facts for item in items] == [{"number": k, "path": str(PATH)} for k in range(20)]
    for k, (_, array) in enumerate(items):
        assert array is not None and array.dtype == np.uint8 and array.shape == (400, 300, 3)
        assert (array == k).all() and array.flags.writeable


def test_arrays_keep_their_type_and_shape_and_facts_their_values() -> None:
    *numeric, empty, last = read(readers.types)
    for item in numeric:
        assert item.array is not None and item.array.dtype.str == item.facts["dtype"]
        expected = np.arange(12).reshape(3, 4)[:, ::2].astype(item.facts["dtype"])
        assert (item.array == expected).all()
    assert empty.array is not None and empty.array.shape == (0, 5)
    facts = {"text": "päth \udcff \0", "number": 1.5, "none": None, "list": [1, [2]]}
    assert last == Item(facts, None)


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (readers.segfault, "died of SIGSEGV"),
        (readers.abort, "died of SIGABRT"),
        (readers.fail, "failed with KeyError: 'a fault of the reader'"),
        (readers.chatter, "answered with bytes that are not"),
    ],
)
def test_a_reader_that_crashes_is_an_error_that_names_file_cause_and_remedy(
    reader: Reader, words: str
) -> None:
    message = failure_of(reader)
    assert message.startswith(f"The process that read {PATH} {words}")
    assert "Convert the file with another program, and send the result." in message


def test_a_reader_that_computes_without_end_is_stopped() -> None:
    message = failure_of(readers.spin, ReadLimits(item_cpu_s=0.2))
    assert "was stopped: it took too much CPU time" in message


def test_a_reader_that_hangs_is_stopped() -> None:
    message = failure_of(readers.stop, ReadLimits(item_s=5))
    assert "was stopped: it gave no answer within 5 s" in message


@pytest.mark.parametrize("reader", [readers.hoard, readers.hoard_and_complain])
def test_a_reader_that_fills_the_memory_is_stopped(reader: Reader) -> None:
    message = failure_of(reader, ReadLimits(memory_bytes=1 << 30))
    assert message.startswith(f"{PATH} needs more than 1.1 GB of memory to be read: ")
    assert message.endswith("Send a smaller file, or send it again.")


def test_an_expected_error_keeps_its_class_and_message() -> None:
    with pytest.raises(VeryBadFile, match=re.escape(f"{PATH} is very bad")):
        read(readers.refuse)


def test_items_before_an_error_are_delivered() -> None:
    items = read_isolated(readers.segfault, PATH, raises=BadFile)
    assert next(items) == Item({})
    with pytest.raises(ReadFailed):
        next(items)


def test_a_process_that_is_killed_from_outside_is_an_error() -> None:
    items = read_isolated(readers.waiting, PATH, raises=BadFile)
    os.kill(next(items).facts["pid"], signal.SIGKILL)
    with pytest.raises(
        ReadFailed, match=r"was killed by SIGKILL\. The machine may have run out of memory"
    ):
        next(items)


def test_the_process_ends_when_the_reader_is_closed() -> None:
    with closing(read_isolated(readers.waiting, PATH, raises=BadFile)) as items:
        pid = next(items).facts["pid"]
        assert is_running(pid)
    assert not is_running(pid)


def test_the_time_between_items_is_limited_and_not_that_of_all() -> None:
    limits = ReadLimits(item_s=30)
    reading = read_isolated(readers.slow, PATH, raises=BadFile, limits=limits, pause_s=0.01)
    with closing(reading) as items:
        assert len(list(islice(items, 30))) == 30


def test_a_slow_receiver_does_not_count_as_a_hang() -> None:
    limits, shape = ReadLimits(item_s=5, item_cpu_s=5), (1000, 1000)
    reading = read_isolated(
        readers.counting, PATH, raises=BadFile, limits=limits, count=9, shape=shape
    )
    with closing(reading) as items:
        next(items)
        subprocess.run(["sleep", "0.5"], check=True)
        assert len(list(items)) == 8


def test_the_process_has_no_descriptors_but_its_own_and_the_same_folder(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        (item,) = read(readers.descriptors)
    assert len(item.facts["open"]) <= 5, "stdin, stdout, stderr, the messages and the listing"
    assert item.facts["cwd"] == str(Path.cwd())


def test_libraries_start_no_threads_in_the_process() -> None:
    facts, _ = read(readers.threads)[0]
    assert facts["opencv"] == 1
    assert facts["running"] == 2, "the main thread, and the one that waits for the parent's end"


PARENT = """
from isolation.reading import read_isolated
from pathlib import Path
from tests.isolation import misbehaving_readers as readers
items = read_isolated(readers.waiting, Path("a"), raises=ValueError)
print(next(items).facts["pid"], flush=True)
next(items)
"""


@pytest.fixture
def parent() -> Iterator["subprocess.Popen[str]"]:
    """A process that reads and waits."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        process.kill()


def test_the_process_ends_with_the_one_that_started_it(parent: "subprocess.Popen[str]") -> None:
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    wait_until(lambda: not is_running(pid), "the process to end")


def test_a_spare_process_that_is_not_needed_ends_silently() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "isolation.reading_worker", "unused"], cwd=ROOT,
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
