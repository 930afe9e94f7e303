"""Check of the setting `ray_address`."""

import re

LOCAL = "local"
ADDRESS = re.compile(r"(ray://)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


def check_ray_address(value: str) -> None:
    """Raise ValueError unless `value` is `local`, `HOST:PORT` or `ray://HOST:PORT`."""
    match = ADDRESS.fullmatch(value)
    if value != LOCAL and (match is None or not 1 <= int(match[3]) <= 65535):
        raise ValueError(
            f"is {value!r}; allowed are `local`, the address of a cluster's head as HOST:PORT "
            "(usually port 6379), and that of its client server as ray://HOST:PORT (usually 10001)"
        )
