"""`python -m warm enhance`: sharper faces in a photo or film."""

import argparse
from functools import partial
from pathlib import Path

from warm.enhance.options import FACES, METHODS, UPSCALES, EnhanceOptions
from warm.prepare.progress import ProgressBar
from warm.settings import read_settings


def add_enhance(command: argparse.ArgumentParser) -> None:
    """Add `enhance`."""
    command.set_defaults(run=run_enhance)
    command.add_argument("source", type=Path, metavar="IN", help="film, video or photo")
    command.add_argument("out", type=Path, metavar="OUT", help="MP4; for a photo PNG, JPEG, WebP")
    command.add_argument("--config", type=Path, metavar="FILE", help="YAML file of settings")
    command.add_argument(
        "--method",
        choices=METHODS,
        default="gfpgan",
        help="gfpgan restores faces and needs its weights; sharpen only sharpens and needs no "
        "weights (default: gfpgan)",
    )
    command.add_argument(
        "--strength",
        type=float,
        default=1.0,
        metavar="0..1",
        help="share of the enhancement that is applied (default: 1)",
    )
    command.add_argument(
        "--upscale",
        type=int,
        choices=UPSCALES,
        default=1,
        help="factor of the width and height (default: 1)",
    )
    command.add_argument(
        "--background",
        default="lanczos",
        metavar="NAME",
        help="method that enlarges the rest: lanczos, or none for linear (default: lanczos)",
    )
    command.add_argument(
        "--faces", choices=FACES, default="all", help="faces that are enhanced (default: all)"
    )
    command.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="continue an earlier run with the same IN and options (default)",
    )
    command.add_argument("--force", action="store_true", help="replace OUT if it exists")


def run_enhance(arguments: argparse.Namespace) -> int:
    """Enhance one file and print remarks and the path of the result."""
    from warm.enhance.enhancement import Enhancement  # noqa: PLC0415  slow
    from warm.enhance.factory import make_restorer  # noqa: PLC0415

    given = [] if arguments.config is None else ["--config", str(arguments.config)]
    options = EnhanceOptions(
        method=arguments.method,
        strength=arguments.strength,
        upscale=arguments.upscale,
        background=arguments.background,
        faces=arguments.faces,
    )
    settings = read_settings(given)
    with ProgressBar() as bar:
        notes = Enhancement(
            source=arguments.source,
            out=arguments.out,
            options=options,
            models=settings.face_models_folder,
            restorer=partial(make_restorer, options.method, settings),
            track=settings.track,
            force=arguments.force,
            resume=arguments.resume,
            progress=bar.show,
        ).run()
    for note in notes:
        print(f"Note: {note}")
    print(f"Ready: {arguments.out}")
    return 0
