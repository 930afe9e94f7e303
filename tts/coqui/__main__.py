"""Downloads a model of coqui's list: `python -m tts.coqui download NAME [--accept-terms]`."""

import argparse
import sys
from collections.abc import Sequence

from tts.coqui.hub import ModelMissing, listed_entry, model_manager
from tts.coqui.models import HUB_NAME
from tts.coqui.package import licence_of, missing_package
from tts.coqui.torchaudio_import import import_torchaudio


def main(arguments: Sequence[str]) -> int:
    """Download the model and its vocoder; return the exit status."""
    options = parser().parse_args(arguments)
    problem = missing_package()
    if not HUB_NAME.fullmatch(options.name):
        problem = f"{options.name!r} is not the name of a model: tts_models/LANGUAGE/DATASET/MODEL"
    if problem is not None:
        print(problem, file=sys.stderr)
        return 1
    try:
        _download(options.name, accepts_terms=options.accept_terms)
    except (ModelMissing, OSError) as error:
        print(f"{options.name}: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tts.coqui", description="Coqui models.")
    download = parser.add_subparsers(required=True).add_parser("download", help="download a model")
    download.add_argument("name", help="such as tts_models/en/vctk/vits")
    download.add_argument("--accept-terms", action="store_true", help="accept the model's terms")
    return parser


def _download(name: str, *, accepts_terms: bool) -> None:
    import_torchaudio()
    manager = model_manager(accepts_terms=accepts_terms)
    vocoder = listed_entry(manager, name).get("default_vocoder")
    print(f"{name}: licence {licence_of(name, None) or 'not stated'}")
    for each in (name, vocoder):
        if each:
            folder, *_ = manager.download_model(each)
            print(f"{each}: {folder}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
