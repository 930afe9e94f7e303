"""The measurement of an engine that is unloaded, with networks of a fraction of the real size."""

from pathlib import Path

import pytest

from bench.neural.memory import Unloading, measure_unload
from bench.neural.random_models import write_models

pytestmark = pytest.mark.slow


def test_an_engine_is_loaded_unloaded_and_loaded_again(tmp_path: Path) -> None:
    found = measure_unload(write_models(tmp_path, tiny=True))
    assert found.load_s > 0
    assert found.loaded > 0


def test_the_share_counts_the_memory_of_the_engine_and_not_of_the_process() -> None:
    found = Unloading(before=400, loaded=1400, unloaded=450, load_s=1.0)
    assert found.given_back_percent == 95.0
