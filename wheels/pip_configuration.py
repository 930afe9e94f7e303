"""Package indexes and network options from pip's configuration on this machine.

The server never runs pip, but fetches from the same sources: it uses a mirror or a folder of wheels
that pip is configured with.
"""

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PYPI = "https://pypi.org/simple"
SYSTEM_FILE = Path("/etc/pip.conf")
_SECTIONS = ("global", "download")
"""Later sections override earlier ones."""
_FALSE = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipConfiguration:
    """The options of pip that concern a download."""

    indexes: tuple[str, ...] = (PYPI,)
    """Package indexes (PEP 503, PEP 691); empty if the configuration forbids them (`no-index`)."""
    find_links: tuple[str, ...] = ()
    """Folders with wheels, or pages with links to them."""
    certificates: str | None = None
    """A file or folder of certificates to trust."""
    proxy: str | None = None
    trusted_hosts: frozenset[str] = frozenset()
    """Hosts, or `host:port`, whose certificate is not checked."""


def pip_configuration() -> PipConfiguration:
    """Read the files and the environment; unreadable files are ignored, as pip does."""
    options: dict[str, str] = {}
    for path in configuration_files(os.environ):
        options |= options_of(path)
    options |= environment_options(os.environ)
    is_offline = options.get("no-index", "").lower() not in _FALSE
    indexes = [options.get("index-url") or PYPI, *words(options, "extra-index-url")]
    return PipConfiguration(
        indexes=() if is_offline else tuple(dict.fromkeys(indexes)),
        find_links=tuple(words(options, "find-links")),
        certificates=options.get("cert") or None,
        proxy=options.get("proxy") or None,
        trusted_hosts=frozenset(words(options, "trusted-host")),
    )


def configuration_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the paths of pip's configuration files, the most important one last."""
    own = environment.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return
    for folder in environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
        yield Path(folder, "pip", "pip.conf")
    yield SYSTEM_FILE
    home = Path(environment.get("HOME") or "~").expanduser()
    yield home / ".pip" / "pip.conf"
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf")
    yield Path(sys.prefix, "pip.conf")
    if own:
        yield Path(own)


def options_of(path: Path) -> dict[str, str]:
    """Return the options in a configuration file."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    found: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            found |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    return found


def environment_options(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the options in variables such as `PIP_INDEX_URL`."""
    return {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in environment.items()
        if name.startswith("PIP_") and value
    }


def words(options: Mapping[str, str], name: str) -> list[str]:
    """Return the values of an option that may have several."""
    return options.get(name, "").split()
