"""The documents agree with the code: lengths, links, names, routes, errors, commands."""

import importlib
import json
import re
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from flask import Flask

import bench.__main__
import session.__main__
import warm.__main__
import warmtalk
from api.problem import BODY_KINDS, CAUSES
from app import BLUEPRINTS
from tests.setup.documents import (
    ROOT,
    Block,
    all_blocks,
    anchors,
    blocks,
    commands,
    links,
    pages,
    prose,
    read,
)
from warm.settings import ENV_PREFIX, Settings, read_settings

LONGEST_LINE = 120
LANGUAGES = {"sh", "python", "json", "yaml", "text"}
HTTP = ROOT / "docs" / "http.md"
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
OUTSIDE = ("git", "cd", "pip", "apt", "python3", "ray")
"""Commands of other programs, which no test runs."""
VENDORED = {"hls.light.min.js", "swagger-ui-bundle.js"}
"""Files that set-up fetches for the page."""
PARSERS = {
    "warm": warm.__main__.parser,
    "session": partial(session.__main__.parser, "python -m session"),
    "bench": bench.__main__.parser,
}

each_page = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_no_line_is_longer_than_120_characters(page: Path) -> None:
    lines = enumerate(read(page).splitlines(), start=1)
    assert [number for number, line in lines if len(line) > LONGEST_LINE] == []


@each_page
def test_no_inline_code_is_split_between_lines(page: Path) -> None:
    assert [line for line in prose(page).splitlines() if line.count("`") % 2] == []


@each_page
def test_its_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    broken = [link for link in links(page) if not leads_somewhere(page, link)]
    assert broken == []


def leads_somewhere(page: Path, link: str) -> bool:
    if re.match(r"https?:", link):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


def test_a_broken_anchor_and_a_missing_file_are_found() -> None:
    assert leads_somewhere(ROOT / "README.md", "docs/http.md#errors")
    assert not leads_somewhere(ROOT / "README.md", "docs/http.md#mistakes")
    assert not leads_somewhere(ROOT / "README.md", "docs/html.md")


@each_page
def test_its_code_blocks_name_their_language(page: Path) -> None:
    unknown = [f"{block}: {block.language!r}" for block in blocks(page)]
    assert [each for each in unknown if each.split("'")[1] not in LANGUAGES] == []


@each_page
def test_the_source_files_it_names_exist(page: Path) -> None:
    named = set(re.findall(r"`([\w./-]+\.(?:py|js))`", prose(page)))
    assert sorted(name for name in named if not is_source(name)) == []


def is_source(name: str) -> bool:
    """True for a path from the root of the project, and for the name of a file in any folder."""
    if "/" in name:
        return (ROOT / name).exists()
    folders = (
        *("api", "bench", "isolation", "scripts", "session", "stabilizers"),
        *("stt", "tests", "tts", "warm", "web"),
    )
    known = (*ROOT.glob(name), *(found for each in folders for found in (ROOT / each).rglob(name)))
    return any(known) or name in VENDORED


@each_page
def test_the_python_modules_it_names_exist(page: Path) -> None:
    for module, rest in re.findall(r"python -m ([\w.]+)((?: [\w-]+)?)", prose(page)):
        assert find_spec(module) is not None, f"python -m {module}"
        if module == "bench" and rest:
            known = {*bench.__main__.TOPICS, *bench.__main__.COMMANDS}
            assert rest.strip() in known, f"python -m bench{rest}"


@each_page
def test_the_settings_it_assigns_exist(page: Path) -> None:
    variable = rf"{ENV_PREFIX}([A-Z_]+)\b"
    of_compose = set(re.findall(rf"\$\{{{variable}", read(ROOT / "compose.yaml")))
    known = {name.upper() for name in Settings.model_fields} | of_compose | {"CONFIG", ""}
    assert set(re.findall(variable, read(page))) - known == set()


@each_page
def test_its_make_targets_and_variables_exist(page: Path) -> None:
    for target, rest in re.findall(r"`make ([a-z]+)([^`]*)`", prose(page)):
        check_make([target, *rest.split()])


# --- commands


@pytest.mark.parametrize("block", all_blocks("sh"), ids=str)
def test_its_commands_are_accepted_by_their_parsers(block: Block) -> None:
    for words in commands(block):
        check_command(words, block)


def check_command(words: Sequence[str], block: Block) -> None:
    program, *rest = [word for word in words if not re.match(r"[A-Z_]+=", word)] or [""]
    if words[0] == "make":
        check_make(words[1:])
    elif program == ".venv/bin/python":
        check_python(rest)
    elif program == "warmtalk":
        check_warmtalk(rest)
    elif program in OUTSIDE:
        assert block.not_run, f"{block}: {program} needs a `<!-- not run: reason -->`"
    else:
        assert program == "curl", f"{block}: no test knows {program!r}"


def check_python(words: Sequence[str]) -> None:
    match words:
        case ["app.py", *flags]:
            read_settings([word for word in flags if not is_config(word)])
        case ["-m", "bench", name, *rest] if name in bench.__main__.COMMANDS:
            importlib.import_module(bench.__main__.COMMANDS[name]).parser().parse_args(rest)
        case ["-m", module, *rest] if module in PARSERS:
            PARSERS[module]().parse_args(rest)
        case ["-m", module, *_]:
            assert find_spec(module) is not None, module
        case _:
            assert (ROOT / words[0]).is_file(), words[0]


def check_warmtalk(words: Sequence[str]) -> None:
    match words:
        case ["serve", *flags]:
            check_python(["app.py", *flags])
        case ["session", *rest]:
            PARSERS["session"]().parse_args(rest)
        case _:
            warmtalk.parser().parse_args(words)


def is_config(word: str) -> bool:
    return word == "--config" or word.endswith(".yaml")


def check_make(words: Sequence[str]) -> None:
    targets = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert targets is not None
    for word in words:
        name, assigned, value = word.partition("=")
        if assigned:
            assert name in make_variables(), f"make {name}=…"
        elif re.fullmatch(r"[a-z]+", word):
            assert word in targets[1].split(), f"make {word}"
        if name == "NAMES":
            assert set(value.strip('"').split()) <= set(bench.__main__.TOPICS)


def make_variables() -> set[str]:
    """The variables that a caller of make may set."""
    taken = re.findall(r"\$\(call flag,[\w-]+,\$\((\w+)\)\)", MAKEFILE)
    given = re.findall(r"^(\w+) \?=", MAKEFILE, re.MULTILINE)
    return {*taken, *given, "NAMES", "NAME"}


def test_each_make_variable_is_described() -> None:
    page = read(ROOT / "docs" / "settings.md")
    assert {name for name in make_variables() if f"| `{name}=" not in page} == set()


# --- data


@pytest.mark.parametrize("block", all_blocks("json"), ids=str)
def test_its_json_can_be_read(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=str)
def test_its_yaml_is_a_file_of_settings(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(block.text, "utf-8")
    assert isinstance(yaml.safe_load(block.text), dict)
    read_settings(["--config", str(path)])


def test_every_setting_is_in_the_table_with_its_default() -> None:
    page = read(ROOT / "docs" / "settings.md")
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|", page, re.MULTILINE)
    assert [name for name, _ in rows] == list(Settings.model_fields)
    for name, shown in rows:
        default = Settings.model_fields[name].default
        text = "none" if default is None else f"`{default}`"
        assert shown.lower() == text.lower(), name


# --- HTTP


def test_every_route_is_documented_and_every_documented_route_exists() -> None:
    app = Flask("routes", static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    routes = {
        (method, documented(rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    listed = re.findall(r"`(GET|POST|DELETE|PUT|PATCH) (/[^`?]*)`", read(HTTP))
    assert {(method, path.replace("NAME.mp4", "NAME")) for method, path in listed} == routes


def documented(rule: str) -> str:
    """A rule of Flask in the form of the page."""
    named = rule.replace("<path:name>", "NAME").replace("<name>", "NAME").replace("<stem>", "NAME")
    named = named.replace("<secret>", "SECRET")
    return re.sub(r"<\w+_id>", "ID", named)


def test_every_error_is_documented_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", read(HTTP), re.MULTILINE)
    listed = {(int(status), kind) for status, kind in rows}
    answers = {(int(status), kind) for status, kind in CAUSES.values()}
    answers |= {(int(status), kind) for status, kind in BODY_KINDS.items()}
    assert answers - listed == set()


# --- licences


def test_every_pinned_package_is_listed_with_its_licence() -> None:
    page = read(ROOT / "THIRD_PARTY.md").lower()
    pins = [path.read_text("utf-8") for path in ROOT.glob("requirements*.txt")]
    names = {name for pinned in pins for name in re.findall(r"^([\w.-]+)==", pinned, re.MULTILINE)}
    assert names
    assert sorted(name for name in names if name.lower() not in page) == []
