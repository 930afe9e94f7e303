"""Main program of the process of the embedded model. It runs llama.cpp's server.

It is started as a file, imports the standard library and `xllamacpp` only, and reads its options
from stdin, as one line of JSON from `ModelServer`. It answers on stdout with one line of JSON, its
URL or an error, and ends when stdin is closed.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
NICENESS = 19
BATCH_TOKENS = 128
"""Tokens of a prompt that are processed at once. A lost client is noticed between batches."""
SERVER_THREADS = 2
"""Threads for HTTP: one answers a request, and another one cancels or refuses requests."""
SILENT = -1
_SET_PARENT_DEATH_SIGNAL = 1
"""`PR_SET_PDEATHSIG` of Linux's <sys/prctl.h>."""


def main() -> None:
    """Run the server until stdin is closed."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of libraries goes to the log of the server
    give_way()
    options = json.loads(sys.stdin.buffer.readline())
    sys.path[:0] = options["library_folders"]
    try:
        server = start_server(options)
    except Exception as error:  # noqa: BLE001 - the parent process reports it
        answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
    else:
        answers.write(json.dumps({"url": server.listening_address}) + "\n")
    answers.flush()
    sys.stdin.buffer.read()
    os._exit(0)  # no tear-down: its threads may be computing


def give_way() -> None:
    """Yield CPU time and memory to other processes, and end with the parent process.

    The process stays in the session of the server: with autogroups Linux shares CPU time between
    sessions first, and compares nice values only within one.
    """
    os.environ["GGML_NO_BACKTRACE"] = "1"  # a failed assertion would start a debugger
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def start_server(options: dict[str, Any]) -> Any:
    """Load the model and listen on a free port of this machine only."""
    import xllamacpp  # noqa: PLC0415 - its folder has just become importable

    params = xllamacpp.CommonParams()
    params.model.path = options["model"]
    params.model_alias = {options["name"]}
    params.hostnames = [HOST]
    params.port = 0
    params.api_keys = [options["key"]]
    params.n_ctx = options["context_tokens"]
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options["threads"]
    params.n_threads_http = SERVER_THREADS
    params.cache_ram_mib = 0
    params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
    params.ui = False
    params.offline = True
    params.verbosity = SILENT
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
