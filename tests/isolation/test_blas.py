"""The worker's matrix products use one thread."""

import os
import subprocess
import sys

COUNT = """
from isolation.blas import limit_blas_threads, openblas_libraries
import numpy as np
limit_blas_threads()
for library in openblas_libraries():
    count = getattr(library, "scipy_openblas_get_num_threads64_", None)
    print("unknown" if count is None else count())
print((np.ones((300, 300)) @ np.ones((300, 300))).sum())
"""


def test_products_of_matrices_use_one_thread_after_the_limit() -> None:
    unlimited = {name: os.environ[name] for name in os.environ if "NUM_THREADS" not in name}
    command = [sys.executable, "-c", COUNT]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=unlimited)
    *counts, product = done.stdout.split()
    assert counts == ["1"]
    assert float(product) == 300**3
