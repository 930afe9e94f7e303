"""`python -m session`: what can be done with a film from the command line."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from session.errors import FilmDamagedError, FilmError
from session.film import SAMPLE_RATE_HZ
from session.fragmented.check import FilmCheckResult, check_film, repair_film
from session.mp4.check import Mp4CheckResult, check_mp4, is_plain_mp4
from session.mp4.concat_clips import concat_clips
from session.mp4.export import export_film

_MOST_FAULTS = 20
"""That are printed; the rest is counted."""


def main(argv: Sequence[str] | None = None, *, program: str = "python -m session") -> int:
    """0 where all is well, 1 where a film is damaged or the work failed, 2 for a bad command."""
    arguments = parser(program).parse_args(argv)
    try:
        done: int = arguments.run(arguments)
    except (FilmError, OSError) as error:
        print(f"{arguments.command}: {_told(error, arguments)}", file=sys.stderr)
        return 1
    return done


def _told(error: Exception, arguments: argparse.Namespace) -> str:
    """What went wrong, and with which file, where one is worked on."""
    said = getattr(error, "strerror", None) or str(error)
    path = getattr(error, "filename", None)
    if path is None and isinstance(error, FilmDamagedError):  # known where only its bytes are
        path = getattr(arguments, "film", None)
    return said if path is None or str(path) in said else f"{path}: {said}"


def parser(program: str) -> argparse.ArgumentParser:
    """The command line; `program` is the name in its usage messages."""
    known = argparse.ArgumentParser(
        prog=program, description="Check, repair, export and join films."
    )
    commands = known.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write an ordinary MP4; the film may be growing")
    export.add_argument("film", type=_film_path, metavar="FILM")
    export.add_argument("out", type=Path, metavar="OUT")
    export.set_defaults(run=_export)
    concat = commands.add_parser("concat", help="join clips into one ordinary MP4")
    concat.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    concat.add_argument("out", type=Path, metavar="OUT")
    concat.add_argument(
        "--normalise",
        action="store_true",
        help="encode pictures that differ again, in the size and rate of the first clip",
    )
    concat.set_defaults(run=_concat)
    check = commands.add_parser("check", help="verify a film and its journal")
    check.add_argument("film", type=_film_path, metavar="FILE")
    check.set_defaults(run=_check)
    repair = commands.add_parser("repair", help="cut off a torn end, with or without the journal")
    repair.add_argument("film", type=_film_path, metavar="FILE")
    repair.set_defaults(run=_repair)
    return known


def _film_path(name: str) -> Path:
    """Where the file itself lies: its journal is beside it, not beside a link to it."""
    path = Path(name)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _export(arguments: argparse.Namespace) -> int:
    extent = export_film(arguments.film, arguments.out)
    print(
        f"{arguments.out}: {extent.video.packets} pictures, {float(extent.video.end_s):.3f} s;"
        f" sound to {float(extent.audio.end_s):.3f} s; {arguments.out.stat().st_size} bytes"
    )
    return 0


def _concat(arguments: argparse.Namespace) -> int:
    joined = concat_clips(arguments.clips, arguments.out, normalises=arguments.normalise)
    for note in joined.notes:
        print(note)
    print(
        f"{arguments.out}: {len(arguments.clips)} clips, {joined.frames} pictures,"
        f" {float(joined.duration_s):.3f} s; {arguments.out.stat().st_size} bytes"
    )
    return 0


def _check(arguments: argparse.Namespace) -> int:
    checked: FilmCheckResult | Mp4CheckResult
    if is_plain_mp4(arguments.film):
        checked = check_mp4(arguments.film)
        report = _report_ordinary(checked)
    else:
        checked = check_film(arguments.film)
        report = _report(checked)
    print(f"{arguments.film}\n{report}")
    for fault in checked.faults[:_MOST_FAULTS]:
        print(f"  FAULT    {fault}")
    if len(checked.faults) > _MOST_FAULTS:
        print(f"  FAULT    … and {len(checked.faults) - _MOST_FAULTS} more")
    print("damaged" if checked.faults else "sound")
    return int(bool(checked.faults))


def _report_ordinary(checked: Mp4CheckResult) -> str:
    label, tables = checked.label, checked.tables
    kind = "an ordinary MP4, no session's film"
    if label is not None:
        spec = label.spec
        kind = f"{spec.width}x{spec.height} at {spec.fps} fps, kept with `writer: concat`"
    lines = [f"  film     {kind}; {checked.size} bytes"]
    if tables is not None:
        lines.append(
            f"  clocks   {tables.video.samples} pictures, {float(tables.video.end_s):.3f} s;"
            f" sound ends at {float(tables.audio.end_s):.3f} s"
        )
    if label is not None:
        lines.append(f"  clips    {len(label.clips)}, every joint decoded")
    return "\n".join(lines)


def _report(checked: FilmCheckResult) -> str:
    spec = checked.spec
    lag_ms = 1000 * (checked.frames / spec.fps - checked.samples / SAMPLE_RATE_HZ)
    journal = (
        f"{checked.clips} clips,"
        f" {checked.checksums} of {checked.fragments} fragments verified by CRC"
        if checked.has_journal
        else "none that belongs to the film; nothing tells whether bytes have changed"
    )
    lines = [
        f"  film     {spec.width}x{spec.height} at {spec.fps} fps, {checked.end} bytes,"
        f" {checked.fragments} fragments",
        f"  clocks   {checked.frames} pictures, {checked.frames / spec.fps:.3f} s;"
        f" sound ends {lag_ms:.1f} ms before",
        f"  journal  {journal}",
    ]
    if checked.is_growing:
        lines.append("  writer   one holds the film; checked up to what it has committed")
    return "\n".join(lines)


def _repair(arguments: argparse.Namespace) -> int:
    if is_plain_mp4(arguments.film):
        raise FilmDamagedError(
            f"{arguments.film} is an ordinary MP4, which is only ever replaced as a whole: it has"
            " no torn end to cut off. `check` tells whether it is sound."
        )
    repaired = repair_film(arguments.film)
    if repaired.journal_repair.lines:
        print(repaired.journal_repair)
    if repaired.journal_was_lost:
        print("made the journal again from the film; clips that it lacked have lost their text")
    if repaired.kept is not None:
        print(f"cut {repaired.cut_bytes} bytes off the end; they are in {repaired.kept}")
    print(f"{arguments.film} has {repaired.frames} pictures; `check` tells whether they are sound")
    return 0


if __name__ == "__main__":
    sys.exit(main())
