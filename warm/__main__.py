"""`python -m warm`: avatars, films without a server, voices, keys and models.

Options default to the settings of the server, so that the command and the server prepare the same
avatar from the same file.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

from chat.errors import ChatError
from stt.errors import SpeechError
from tts.voice import BadSpeechRequest, VoiceUnavailable
from warm.avatars.recipe import EnhanceMethod, PreparationError, Teeth
from warm.avatars.store import PREVIEW, AvatarError, AvatarStore
from warm.avatars.summary import AvatarSummary
from warm.chat_command import add_chat
from warm.container_command import COMMAND as CONTAINER
from warm.container_command import add_container, run_container
from warm.engine_factory import engine_recipe, make_engine
from warm.engines.weights.errors import WeightsError
from warm.enhance.errors import EnhanceError
from warm.enhance.restorer import FaceRestorer
from warm.enhance_command import add_enhance
from warm.face.models import FaceModelError
from warm.hear_command import add_hear
from warm.installation import PackageMissing, own_command
from warm.keys.errors import KeysError
from warm.keys.scopes import BadScope
from warm.keys_command import add_keys
from warm.media.sniff import MediaError
from warm.models_command import add_models
from warm.offline.command import add_render
from warm.offline.errors import OfflineError
from warm.pinned_files import DownloadError
from warm.prepare.action.errors import BadActionName
from warm.prepare.action.source import ActionSource
from warm.prepare.demo import DEMO_ID, demo_portrait
from warm.prepare.progress import ProgressBar
from warm.prepare.run import prepare
from warm.preprocess_command import add_preprocess
from warm.settings import BadSettings, Settings, read_settings
from warm.training_data.errors import TrainingDataError
from warm.voices_command import add_voices
from wheels.errors import FetchError

REFUSALS = (
    *(MediaError, PreparationError, AvatarError, BadSettings, WeightsError),
    *(OfflineError, BadSpeechRequest, VoiceUnavailable, FaceModelError),
    *(DownloadError, FetchError, PackageMissing, KeysError, BadScope, ChatError),
    *(SpeechError, TrainingDataError, EnhanceError),
)
"""Errors that the user can correct; any other exception is a fault of the program."""
NUMBERS = (
    ("--bbox-shift", "bbox_shift", "N", "move the box and mask of the face down by N pixels"),
    ("--fps", "fps", "N", "frames a second"),
    ("--max-side", "max_side", "PIXELS", "scale larger pictures down to this side"),
    ("--max-seconds", "max_s", "S", "use only the first S seconds of a longer video"),
)
"""Numeric options of `prepare`: flag, field of PreparationSettings, metavar, help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; exits with status 2 for a bad command line."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == [CONTAINER]:  # the other arguments may be flags of the server
        return run_container(words[1:])
    return run(parser().parse_args(words))


def run(arguments: argparse.Namespace) -> int:
    """Run a parsed command; 0 when done, 1 when it is refused, 130 when interrupted."""
    try:
        status = int(arguments.run(arguments))
        sys.stdout.flush()
    except REFUSALS as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to continue.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has closed the pipe: `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(
        prog="python -m warm", description="Avatars, films, voices, keys, models, chat, hearing."
    )
    add_commands(root.add_subparsers(required=True, metavar="COMMAND"))
    return root


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands; each sets `run`, which takes the arguments and returns the exit status."""
    add_prepare(commands.add_parser("prepare", help="make an avatar from a photo or video"))
    add_avatars(commands.add_parser("avatars", help="list the avatars"))
    add_render(commands.add_parser("render", help="make films from sound files or texts"))
    add_enhance(commands.add_parser("enhance", help="make faces in films and photos sharper"))
    add_voices(commands.add_parser("voices", help="list, try and download voices"))
    add_keys(commands.add_parser("keys", help="add, list and remove keys of the HTTP interface"))
    add_models(commands.add_parser("models", help="download and check models"))
    add_hear(commands.add_parser("hear", help="fetch and try the recogniser of speech"))
    add_chat(commands.add_parser("chat", help="fetch and try the language model"))
    add_preprocess(commands.add_parser("preprocess", help="make training data from talking videos"))
    add_container(commands.add_parser(CONTAINER, help="start in a container"))


def add_prepare(command: argparse.ArgumentParser) -> None:
    """Add `prepare`."""
    command.set_defaults(run=run_prepare, refuse=command.error)
    add_folders(command)
    source = command.add_mutually_exclusive_group()
    source.add_argument("source", nargs="?", type=Path, metavar="PHOTO_OR_VIDEO")
    source.add_argument(
        "--demo", action="store_true", help="use the portrait in matplotlib's wheel"
    )
    command.add_argument(
        "--avatar-id", metavar="ID", help="name of the avatar; default: name of the file"
    )
    command.add_argument(
        "--action",
        dest="actions",
        action="append",
        default=[],
        type=action_argument,
        metavar="NAME=VIDEO",
        help="add a clip that POST /action shows; without PHOTO_OR_VIDEO, to an avatar that exists",
    )
    command.add_argument(
        "--force", action="store_true", help="prepare it again even if it is up to date"
    )
    command.add_argument(
        "--teeth", choices=get_args(Teeth), help="parted lips in a photo: close them or keep them"
    )
    command.add_argument(
        "--enhance",
        choices=get_args(EnhanceMethod),
        help="enhance the face first: gfpgan restores it, sharpen only sharpens",
    )
    command.add_argument(
        "--background",
        metavar="COLOUR|PICTURE",
        help="show this behind the person: #rrggbb, or a file",
    )
    for flag, name, metavar, text in NUMBERS:
        command.add_argument(flag, dest=name, type=int, metavar=metavar, help=text)


def action_argument(text: str) -> ActionSource:
    """The value of `--action`; raises ArgumentTypeError."""
    name, separator, path = text.partition("=")
    if not (separator and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VIDEO, such as wave=wave.mp4")
    try:
        return ActionSource(name=name, path=Path(path))
    except BadActionName as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_avatars(command: argparse.ArgumentParser) -> None:
    """Add `avatars`."""
    command.set_defaults(run=run_avatars)
    add_folders(command)
    command.add_argument("--verify", action="store_true", help="read and compare every byte")


def add_folders(command: argparse.ArgumentParser) -> None:
    """Add the options that both commands share."""
    command.add_argument("--config", type=Path, metavar="FILE", help="YAML file of settings")
    command.add_argument("--results", type=Path, metavar="DIR", help="folder of results")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The server's settings; raises BadSettings."""
    return read_settings([] if arguments.config is None else ["--config", str(arguments.config)])


def run_prepare(arguments: argparse.Namespace) -> int:
    """Prepare one avatar and print the path of its preview."""
    source: Path | None = demo_portrait() if arguments.demo else arguments.source
    avatar_id = chosen_id(arguments, source)
    names = ("teeth", "background", *(row[1] for row in NUMBERS))
    options = {name: getattr(arguments, name) for name in names}
    given = {name: value for name, value in options.items() if value is not None}
    settings = settings_of(arguments).model_copy(update=given)
    store = AvatarStore(arguments.results or settings.results_dir)
    with ProgressBar() as bar:
        avatar = prepare(
            source,
            avatar_id=avatar_id,
            store=store,
            settings=replace(
                settings.preparation_settings,
                enhance=arguments.enhance,
                recipe=engine_recipe(settings),
            ),
            force=arguments.force,
            actions=arguments.actions,
            models=settings.face_models_folder,
            engine=partial(make_engine, settings),
            restorer=restorer_of(arguments.enhance, settings),
            progress=bar.show,
        )
    for line in store.summary(avatar_id).findings():
        print(line)
    state = "Ready" if bar.was_shown else "Up to date"
    print(f"{state}: {avatar.folder} (look at {avatar.folder / PREVIEW})")
    return 0


def restorer_of(
    method: EnhanceMethod | None, settings: Settings
) -> Callable[[], FaceRestorer] | None:
    """The constructor of the restorer for `--enhance`; the method is checked before any work."""
    if method is None:
        return None
    from warm.enhance.factory import check_method, make_restorer  # noqa: PLC0415  slow

    check_method(method, settings)
    return partial(make_restorer, method, settings)


def chosen_id(arguments: argparse.Namespace, source: Path | None) -> str:
    """The id of the avatar to prepare; exits with 2 if there is nothing to prepare."""
    if source is None and not (arguments.avatar_id and arguments.actions):
        arguments.refuse("name a PHOTO_OR_VIDEO or --demo, or both --avatar-id and --action")
    default = DEMO_ID if source is None or arguments.demo else source.stem
    return str(arguments.avatar_id or default)


def run_avatars(arguments: argparse.Namespace) -> int:
    """Print the avatars, one per line; 1 if one of them cannot be used."""
    store = AvatarStore(arguments.results or settings_of(arguments).results_dir)
    summaries = store.list()
    if not summaries:
        make_one = own_command("prepare", "PHOTO_OR_VIDEO")
        print(f"No avatars in {store.root}. Make one: {make_one}")
    for summary in summaries:
        print(summary_line(summary))
    if arguments.verify:
        for summary in summaries:
            store.open(summary.id, verify=True)
    return int(any(summary.state != "ready" for summary in summaries))


def summary_line(summary: AvatarSummary) -> str:
    """An avatar in one line."""
    if summary.state != "ready":
        return f"{summary.id:20} {summary.state}: {summary.problem}"
    width, height = summary.size
    return (
        f"{summary.id:20} {width}x{height} {summary.frames / summary.fps:.1f} s at {summary.fps} "
        f"fps, {summary.loop}, {summary.bytes / 1e6:.0f} MB, of {summary.source}"
    )


if __name__ == "__main__":
    sys.exit(main())
