"""Native encoders end with their clips."""

from pathlib import Path

import pytest

from tests.polling import wait_until
from tests.sessions import session_of
from warm.render.jobs import Interrupted
from warm.runtime import Runtime

TEXT = "Good morning, and thank you for calling us on this fine day."


def native_threads() -> int:
    """Threads of this process, those of encoders included."""
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.mark.usefixtures("no_collection")
def test_no_encoder_waits_for_a_collection_of_garbage(runtime: Runtime) -> None:
    """Catches memory and threads that grow when sessions are reset while they speak."""
    runtime.speak(session_of(runtime, "a"), TEXT, runtime.choose()).result()
    before = native_threads()
    for number in range(12):
        job = runtime.speak(session_of(runtime, "a"), TEXT, runtime.choose())
        next(job.events())
        if number % 2:
            runtime.reset(session_of(runtime, "a"), {})
            with pytest.raises(Interrupted):
                job.result()
        else:
            job.result()
    wait_until(lambda: native_threads() <= before + 2, "the end of the encoders")
