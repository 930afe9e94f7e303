"""What is found wrong only when the engine is loaded stops the start as all else does."""

import subprocess
import sys
from pathlib import Path

from tests.api.server_process import TINY, free_port


def test_weights_that_turn_out_to_be_wrong_end_the_server_with_the_reason(tmp_path: Path) -> None:
    """Would miss a server that stays up, and can never speak."""
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
