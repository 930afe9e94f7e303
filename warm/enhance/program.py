"""Program that enhances one film for the server, with limits and at the lowest priority."""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from isolation.limited_program import limited_command
from isolation.process import ROOT
from session.mp4.delivery import ProgramFailed, run_to_end
from warm.avatars.recipe import EnhanceMethod
from warm.enhance.errors import EnhanceError
from warm.settings import Settings

MEMORY_BYTES: dict[EnhanceMethod, int] = {"sharpen": 4 << 30, "gfpgan": 16 << 30}
"""Limit of the address space; libraries reserve much more than they use."""
CPU_S = 86_400
"""Limit of the CPU time; the time limit of the job usually applies first."""
REFUSED = 3
"""Exit status for an error that the message on stderr explains."""
BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from warm.enhance.program import main; main()"
REPORT_EVERY_S = 0.5

Report = Callable[[str, float], None]
"""Called with the stage and its finished share, 0 to 1."""


def main() -> None:
    """Enhance the film that the arguments name."""
    from session.errors import FilmError  # noqa: PLC0415  imports that take long
    from warm.engines.weights.errors import WeightsError  # noqa: PLC0415
    from warm.installation import PackageMissing  # noqa: PLC0415
    from warm.media.sniff import MediaError  # noqa: PLC0415

    request = json.loads(sys.argv[2])
    try:
        enhance(request)
    except (EnhanceError, MediaError, WeightsError, PackageMissing, FilmError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(REFUSED)


def enhance(request: dict[str, Any]) -> None:
    """Enhance the film of a request."""
    from warm.enhance.enhancement import Enhancement  # noqa: PLC0415  takes long
    from warm.enhance.factory import make_restorer  # noqa: PLC0415
    from warm.enhance.options import EnhanceOptions  # noqa: PLC0415

    settings, out = Settings.model_validate(request["settings"]), Path(request["out"])
    options = EnhanceOptions(method=request["method"])
    Enhancement(
        source=Path(request["source"]),
        out=out,
        options=options,
        models=settings.face_models_folder,
        restorer=partial(make_restorer, options.method, settings),
        track=settings.track,
        progress=ProgressFile(progress_path(out)).report,
    ).run()


class ProgressFile:
    """Writes the progress to a file that the server reads."""

    def __init__(self, path: Path) -> None:
        self._path, self._due_s = path, 0.0

    def report(self, stage: str, done: int, total: int) -> None:
        """Write the progress of a stage, at most every REPORT_EVERY_S, and its end."""
        now_s = time.monotonic()
        if now_s < self._due_s and done < total:
            return
        self._due_s = now_s + REPORT_EVERY_S
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps([stage, done / max(1, total)]), encoding="utf-8")
        temporary.replace(self._path)


def progress_path(out: Path) -> Path:
    """Return the path of the progress file."""
    return out.with_name(f"{out.name}.progress")


def write_enhanced(
    film: Path,
    out: Path,
    method: EnhanceMethod,
    settings: dict[str, object],
    *,
    check: Callable[[], None],
    report: Report,
) -> None:
    """Enhance the film in a file to another file.

    `settings`: the server's settings, as JSON. `check` is called while the program runs; an
    exception that it raises stops it. Raises EnhanceError, and FilmFullError if the disk is full.
    """
    request = {"source": str(film), "out": str(out), "method": method, "settings": settings}

    def watch() -> None:
        check()
        if (found := read_progress(out)) is not None:
            report(*found)

    command = [sys.executable, "-P", "-c", BOOT, str(ROOT), json.dumps(request)]
    limited = limited_command(command, memory_bytes=MEMORY_BYTES[method], cpu_s=CPU_S)
    try:
        run_to_end(limited, name="the enhancement", check=watch)
    except ProgramFailed as error:
        if error.status != REFUSED:
            raise
        raise EnhanceError(error.message.splitlines()[-1]) from None
    finally:
        progress_path(out).unlink(missing_ok=True)


def read_progress(out: Path) -> tuple[str, float] | None:
    """Return the stage and its finished share; None before the first report."""
    try:
        stage, share = json.loads(progress_path(out).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return str(stage), float(share)
