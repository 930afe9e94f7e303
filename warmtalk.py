"""The command `warmtalk`: every program of Warmtalk as a subcommand.

`serve` is `python app.py`, `session` is `python -m session`, the others are `python -m warm`.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from warm import VERSION
from warm.installation import COMMAND


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    # The server starts within a second, so it must not import the other subcommands.
    if words[:1] == ["serve"]:
        return run_server(words[1:])
    if words[:1] == ["session"]:
        interrupt_process_1()
        from session.__main__ import main as run_session  # noqa: PLC0415

        return run_session(words[1:], program=f"{COMMAND} session")
    if words[:1] == ["container"]:
        from warm.container_command import run_container  # noqa: PLC0415

        return run_container(words[1:])
    interrupt_process_1()
    from warm.__main__ import run  # noqa: PLC0415

    return run(parser().parse_args(words))


def run_server(words: list[str]) -> int:
    """Serve until a signal; the process ends without returning from here."""
    from api.server.shutdown import exit_now, exit_on_signals  # noqa: PLC0415

    exit_on_signals()  # also during the next import
    import app  # noqa: PLC0415

    exit_now(app.main(words, program=f"{COMMAND} serve"))


def interrupt_process_1() -> None:
    """Have SIGTERM interrupt a command that is process 1 of a container, as Ctrl-C does.

    For process 1, the kernel ignores signals without a handler.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def parser() -> argparse.ArgumentParser:
    """The command line; `serve` and `session` are only listed: they parse their own arguments."""
    from warm.__main__ import add_commands  # noqa: PLC0415

    root = argparse.ArgumentParser(prog=COMMAND, description="A warm talking-head server.")
    root.add_argument("--version", action="version", version=f"{COMMAND} {VERSION}")
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("serve", help="serve the page and the HTTP interface")
    add_commands(commands)
    commands.add_parser("session", help="check, repair, export or join films")
    return root


if __name__ == "__main__":
    sys.exit(main())
