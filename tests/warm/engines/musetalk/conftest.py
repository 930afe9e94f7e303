"""Weights for the tests of the neural engine: random, tiny, in the official layout."""

import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[5] / "shared" / "golden"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Use one thread: test processes with two threads each block one another."""
    import torch  # noqa: PLC0415  only what the test needs

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder whose networks generate thirty pictures a second on a CPU."""
    from tests.warm.engines.musetalk.tiny_weights import write_weights  # noqa: PLC0415  only what the test needs

    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def golden() -> Path:
    if not (GOLDEN / "golden.json").is_file():
        pytest.skip(f"the reference's tensors are not in {GOLDEN}")
    return GOLDEN


@pytest.fixture(scope="session")
def golden_weights(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random weights with which the reference's tensors were computed."""
    models = tmp_path_factory.mktemp("golden-weights")
    script = [sys.executable, str(golden / "make_weights.py"), "--variant", "tiny"]
    subprocess.run([*script, "--out", str(models)], check=True, capture_output=True)
    return models
