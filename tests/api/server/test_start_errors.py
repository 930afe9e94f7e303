"""Errors found when the engine is loaded end the server, as errors at its start do."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.server_process import TINY, free_port

pytestmark = pytest.mark.slow


def test_wrong_weights_end_the_server_with_the_reason(tmp_path: Path) -> None:
    """Catches a server that runs but can never speak."""
    done = subprocess.run(
        [sys.executable, str(TINY), str(tmp_path), str(free_port()), "unfit"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3
    assert "Warmtalk cannot start.\nunet.pth does not fit musetalk.json\n" in done.stderr
    assert "Traceback" not in done.stderr
