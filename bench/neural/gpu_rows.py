"""Rows of `python -m bench gpu`, the most important first."""

from collections.abc import Sequence

from bench.neural.gpu_engine import (
    cold_start,
    first_frames,
    plain_pipeline,
    real_time_sessions,
    steady_speed,
    unload_and_reload,
)
from bench.neural.gpu_networks import (
    accelerations,
    batch_sizes,
    compiled_by_search,
    compiled_networks,
    kernel_profile,
    other_decoders,
    precisions,
)
from bench.neural.gpu_results import Row

ROWS: Sequence[Row] = (
    ("start", cold_start, 40),
    ("steady", steady_speed, 25),
    ("first frames", first_frames, 5),
    ("plain", plain_pipeline, 20),
    ("unload", unload_and_reload, 20),
    ("sessions", real_time_sessions, 60),
    ("precision", precisions, 30),
    ("profile", kernel_profile, 15),
    ("batches", batch_sizes, 40),
    ("savings", accelerations, 50),
    ("decoders", other_decoders, 30),
    ("compiled", compiled_networks, 90),
)
"""Each row with its expected duration in seconds."""

ON_REQUEST: Sequence[Row] = (("compiled-long", compiled_by_search, 300),)
"""Rows that are measured only if `--rows` names them."""
