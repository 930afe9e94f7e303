"""The folders import one another in one direction only."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEURAL = ("torch", "diffusers", "transformers")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_imports_point_one_way() -> None:
    done = run("-c", "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_embedded_engine_starts_without_the_neural_packages() -> None:
    done = run("-c", "import app, sys; print([n for n in sys.modules if '.' not in n])")
    assert done.returncode == 0, done.stderr
    loaded = [name for name in NEURAL if f"'{name}'" in done.stdout]
    assert loaded == []


def test_the_server_imports_no_package_for_one_function_of_it() -> None:
    imports = "import app, warm.engines.viseme.engine, sys"
    done = run("-c", f"{imports}; print('scipy.signal' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_the_command_imports_nothing_slow_before_it_knows_its_subcommand() -> None:
    done = run("-c", "import warmtalk, sys; print([n for n in sys.modules if '.' not in n])")
    assert done.returncode == 0, done.stderr
    loaded = [
        name for name in (*NEURAL, "numpy", "flask", "pydantic") if f"'{name}'" in done.stdout
    ]
    assert loaded == []
