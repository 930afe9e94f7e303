"""Command line of films: `python -m session export | concat | check | repair`."""

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

_MAX_LISTED_FAULTS = 20
"""Maximum number of faults that are printed; further ones are only counted."""


def main(argv: Sequence[str] | None = None, *, program: str = "python -m session") -> int:
    """Return 0 on success, 1 for a damaged film or a failed command, 2 for wrong arguments."""
    arguments = parser(program).parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except (FilmError, OSError) as error:
        print(f"{arguments.command}: {_error_message(error, arguments)}", file=sys.stderr)
        return 1
    return code


def _error_message(error: Exception, arguments: argparse.Namespace) -> str:
    """Format an error with the path of the file, if there is one."""
    message = getattr(error, "strerror", None) or str(error)
    path = getattr(error, "filename", None)
    if path is None and isinstance(error, FilmDamagedError):  # its text may lack the path
        path = getattr(arguments, "film", None)
    return message if path is None or str(path) in message else f"{path}: {message}"


def parser(program: str) -> argparse.ArgumentParser:
    """Build the parser; `program` is the name in its usage messages."""
    root = argparse.ArgumentParser(
        prog=program, description="Check, repair, export and join films."
    )
    commands = root.add_subparsers(dest="command", required=True)
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
        help="re-encode pictures that differ, in the size and rate of the first clip",
    )
    concat.set_defaults(run=_concat)
    check = commands.add_parser("check", help="verify a film and its journal")
    check.add_argument("film", type=_film_path, metavar="FILE")
    check.set_defaults(run=_check)
    repair = commands.add_parser("repair", help="cut off a torn end, with or without the journal")
    repair.add_argument("film", type=_film_path, metavar="FILE")
    repair.set_defaults(run=_repair)
    return root


def _film_path(name: str) -> Path:
    """Resolve a symbolic link: the journal is next to the film, not next to the link."""
    path = Path(name)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _export(arguments: argparse.Namespace) -> int:
    length = export_film(arguments.film, arguments.out)
    print(
        f"{arguments.out}: {length.video.packets} pictures, {float(length.video.end_s):.3f} s;"
        f" sound to {float(length.audio.end_s):.3f} s; {arguments.out.stat().st_size} bytes"
    )
    return 0


def _concat(arguments: argparse.Namespace) -> int:
    result = concat_clips(arguments.clips, arguments.out, normalises=arguments.normalise)
    for note in result.notes:
        print(note)
    print(
        f"{arguments.out}: {len(arguments.clips)} clips, {result.frames} pictures,"
        f" {float(result.duration_s):.3f} s; {arguments.out.stat().st_size} bytes"
    )
    return 0


def _check(arguments: argparse.Namespace) -> int:
    result: FilmCheckResult | Mp4CheckResult
    if is_plain_mp4(arguments.film):
        result = check_mp4(arguments.film)
        report = _mp4_report(result)
    else:
        result = check_film(arguments.film)
        report = _film_report(result)
    print(f"{arguments.film}\n{report}")
    for fault in result.faults[:_MAX_LISTED_FAULTS]:
        print(f"  FAULT    {fault}")
    if len(result.faults) > _MAX_LISTED_FAULTS:
        print(f"  FAULT    … and {len(result.faults) - _MAX_LISTED_FAULTS} more")
    print("damaged" if result.faults else "sound")
    return int(bool(result.faults))


def _mp4_report(result: Mp4CheckResult) -> str:
    metadata, tables = result.metadata, result.tables
    kind = "an ordinary MP4, not a session film"
    if metadata is not None:
        spec = metadata.spec
        kind = f"{spec.width}x{spec.height} at {spec.fps} fps, written with `writer: concat`"
    lines = [f"  film     {kind}; {result.size} bytes"]
    if tables is not None:
        lines.append(
            f"  clocks   {tables.video.samples} pictures, {float(tables.video.end_s):.3f} s;"
            f" sound ends at {float(tables.audio.end_s):.3f} s"
        )
    if metadata is not None:
        lines.append(f"  clips    {len(metadata.clips)}, every boundary decoded")
    return "\n".join(lines)


def _film_report(result: FilmCheckResult) -> str:
    spec = result.spec
    lag_ms = 1000 * (result.frames / spec.fps - result.samples / SAMPLE_RATE_HZ)
    journal = (
        f"{result.clips} clips, {result.checksums} of {result.fragments} fragments verified by CRC"
        if result.has_journal
        else "none that belongs to the film; changed bytes cannot be detected"
    )
    lines = [
        f"  film     {spec.width}x{spec.height} at {spec.fps} fps, {result.end} bytes,"
        f" {result.fragments} fragments",
        f"  clocks   {result.frames} pictures, {result.frames / spec.fps:.3f} s;"
        f" sound ends {lag_ms:.1f} ms earlier",
        f"  journal  {journal}",
    ]
    if result.is_growing:
        lines.append("  writer   a writer holds the film; checked up to its committed end")
    return "\n".join(lines)


def _repair(arguments: argparse.Namespace) -> int:
    if is_plain_mp4(arguments.film):
        raise FilmDamagedError(
            f"{arguments.film} is an ordinary MP4, which is only replaced as a whole: it has no"
            " torn end to cut off. `check` reports whether it is sound."
        )
    result = repair_film(arguments.film)
    if result.journal_repair.lines:
        print(result.journal_repair)
    if result.journal_was_lost:
        print("recreated the journal from the film; the text of clips that it lacked is lost")
    if result.kept is not None:
        print(f"cut {result.cut_bytes} bytes off the end; they are in {result.kept}")
    print(f"{arguments.film} has {result.frames} pictures; `check` reports whether they are sound")
    return 0


if __name__ == "__main__":
    sys.exit(main())
