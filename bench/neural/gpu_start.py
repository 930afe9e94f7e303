"""`python -m bench.gpu_start FOLDER DEVICE tiny|full`: from nothing to warm; says when it is."""

import json
import sys
import time
from pathlib import Path

from bench.neural.gpu_rig import Rig


def main() -> None:
    """Load the engine and an avatar, as the server does, and tell by which time of the day."""
    folder, device, size = sys.argv[1:]
    rig = Rig(Path(folder), device=device, tiny=size == "tiny")
    engine = rig.engine()
    engine.load_avatar(rig.avatar())
    engine.load()
    print("warm", json.dumps({"at_s": time.time(), **engine.load_seconds}), flush=True)


if __name__ == "__main__":
    main()
