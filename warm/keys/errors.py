"""Errors of API keys."""

from pathlib import Path

from warm.installation import own_command


class KeysError(ValueError):
    """The keys cannot be used, or a change of them is refused. Messages never show a key."""


class BadKeyFile(KeysError):
    """The file of the keys cannot be read."""

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(
            f"{path}: {fault}; correct the file, or remove it and make new keys:"
            f" {own_command('keys', 'add', 'NAME')}"
        )


class BadKeyList(KeysError):
    """The keys in the setting itself are malformed."""

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"api_keys: {fault}; allowed: the path of a file, or NAME:SCOPES:KEY such as"
            " n8n:speak+watch:KEY, several separated by blanks, or a JSON array"
        )
