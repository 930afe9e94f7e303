"""Options of the remote engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from warm.engines.base import Engine
from warm.engines.remote.parcel import AvatarParcel

LOCAL = "local"
CLIENT_SCHEME = "ray://"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """The settings that concern Ray; `warm/settings/fields.py` documents them."""

    address: str = LOCAL
    """`local`, `HOST:PORT` of a cluster's head, or `ray://HOST:PORT` of its client server."""
    actors: int | None = None
    """Number of actors that get work; None: one per GPU, or one without a GPU."""
    spares: int = 0
    """Number of further actors that are loaded, but get work only in place of others."""
    uses_gpu: bool = True
    """Each actor takes a GPU if the cluster has any."""
    deadline_s: float = 0.25
    """Time after which a batch without an answer is sent to another actor as well."""
    connect_s: float = 5.0
    """Longest wait for a connection to the cluster."""

    @property
    def is_local(self) -> bool:
        """True if this server starts its own Ray on this machine."""
        return self.address == LOCAL

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Host and port of the address of a cluster."""
        host, _, port = self.address.removeprefix(CLIENT_SCHEME).rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOptions:
    """Options of the engine."""

    make_inner: Callable[[], Engine]
    """Pickled function that makes the engine that the actors run."""
    cluster: ClusterOptions = ClusterOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverSettings:
    """The first message to the driver."""

    cluster: ClusterOptions
    pickled: bytes
    """The function that makes the engine of an actor."""
    versions: dict[str, str]
    folder: Path
    """Folder of a local Ray; this process makes and removes it."""
    parcels: list[AvatarParcel]
    """Avatars to load."""
