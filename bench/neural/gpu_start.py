"""`python -m bench.neural.gpu_start FOLDER DEVICE tiny|full`: time from process start to warm."""

import json
import sys
import time
from pathlib import Path

from bench.neural.gpu_rig import Rig


def main() -> None:
    """Load the engine and an avatar as the server does, and print the time at the end."""
    folder, device, size = sys.argv[1:]
    rig = Rig(Path(folder), device=device, tiny=size == "tiny")
    engine = rig.engine()
    engine.load_avatar(rig.avatar())
    engine.load()
    print("warm", json.dumps({"at_s": time.time(), **engine.load_seconds}), flush=True)


if __name__ == "__main__":
    main()
