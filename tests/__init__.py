"""Tests. They and the programs that they start compute on one thread each.

Two test processes share the processors: further threads of the mathematical libraries would only
wait for one another, and keep a processor busy meanwhile.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
