"""Builds a stage of a Dockerfile in folders, by chroot: no container engine, the same steps."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.container.dockerfile import (
    ROOT,
    Stage,
    Step,
    context_files,
    expanded,
    matches,
    read_stages,
)
from wheels.pip_configuration import pip_configuration

MIRROR = "http://deb.debian.org/debian"
SUITE = "bookworm"
USUAL_CERTIFICATES = Path("/usr/share/ca-certificates")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
NONE: Mapping[str, str] = {}
STEP_S = 1800
"""Longest duration of one step."""
ENTER = """
set -e
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount --bind /etc/resolv.conf "$1/etc/resolv.conf"
root=$1; folder=$2; shift 2
for place in $BINDS; do mkdir -p "$root$place"; mount --bind "$place" "$root$place"; done
exec chroot $AS_USER "$root" /usr/bin/env -i -C "$folder" "$@"
"""
"""Run in a mount namespace of its own, which takes the mounts with it."""


class BuildFailed(RuntimeError):
    """A step ended with an error; the message has the end of its output."""


@dataclass(slots=True)
class Rootfs:
    """A built stage."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/sbin:/usr/bin:/bin"})
    folder: str = "/"
    user: str = "0:0"
    entry_point: list[str] = field(default_factory=list)
    health_check: list[str] = field(default_factory=list)

    def command(
        self,
        words: Sequence[str],
        *,
        user: str | None = None,
        more: Mapping[str, str] = NONE,
    ) -> tuple[list[str], dict[str, str]]:
        """The command and environment that run `words` in the root, as process 1 of its own."""
        pairs = [f"{name}={value}" for name, value in {**self.environment, **more}.items()]
        command = [
            *("unshare", "--mount", "--pid", "--fork", "--"),
            *("sh", "-c", ENTER, "enter", str(self.root), self.folder, *pairs, *words),
        ]
        return command, {"PATH": os.environ["PATH"], "AS_USER": f"--userspec={user or self.user}"}


def first_process(process: "subprocess.Popen[bytes]") -> int:
    """The process id, outside, of process 1 that a command of `Rootfs` has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(children.read_text("ascii").split()[0])


def send(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Send a signal to process 1; the others end with it. It must be ended explicitly, because a
    process that has changed its user is not ended with its parent."""
    if process.poll() is None:
        with suppress(IndexError, OSError):  # it has ended meanwhile
            os.kill(first_process(process), number)


def size_bytes(root: Path) -> int:
    """The size of a root on disk."""
    done = subprocess.run(["du", "-sxB1", root], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


class Builder:
    """Builds stages below a folder; each stage once."""

    def __init__(
        self, folder: Path, base: Path, arguments: Mapping[str, str], shared: Sequence[str]
    ) -> None:
        """`base`: a root that debootstrap made; `shared`: folders that steps may read."""
        self._folder, self._base = folder, base
        self._arguments, self._shared = arguments, shared
        self._stages = read_stages()
        self._built: dict[str, Rootfs] = {}

    def build(self, name: str) -> Rootfs:
        """The root of a stage; raises BuildFailed."""
        if name not in self._built:
            stage = self._stages[name]
            built = self._copy_of_base(stage)
            given: dict[str, str] = {}
            for step in stage.steps:
                self._take(built, step, given)
            self._built[name] = built
        return self._built[name]

    def _copy_of_base(self, stage: Stage) -> Rootfs:
        root = self._folder / stage.name
        if stage.base not in self._stages:
            copy_tree(self._base, root)
            return Rootfs(root)
        base = self.build(stage.base)
        copy_tree(base.root, root)
        return Rootfs(
            root, {**base.environment}, base.folder, base.user, base.entry_point, base.health_check
        )

    def _take(self, built: Rootfs, step: Step, given: dict[str, str]) -> None:
        """Execute a step; `given` are the arguments that the stage has declared so far."""
        match step.name:
            case "ARG":
                name, has_default, default = step.value.partition("=")
                if name in self._arguments or has_default:
                    given[name] = self._arguments.get(name, default.strip('"'))
            case "ENV":
                known = {**given, **built.environment}
                for word in step.words():
                    name, _, value = word.partition("=")
                    built.environment[name] = expanded(value, known)
            case "RUN":
                self._run(built, step.value, given)
            case "COPY":
                self._copy(built, step)
            case "WORKDIR":
                built.folder = step.value
                (built.root / step.value.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                built.user = step.value
            case "ENTRYPOINT":
                built.entry_point = step.words()
            case "HEALTHCHECK":
                built.health_check = Step("CMD", step.value.partition("CMD ")[2]).words()
            case "EXPOSE" | "STOPSIGNAL" | "VOLUME":
                pass
            case unknown:
                raise BuildFailed(f"the step {unknown} is not supported here")

    def _run(self, built: Rootfs, command: str, given: Mapping[str, str]) -> None:
        words, environment = built.command(["/bin/sh", "-c", command], user="0:0", more=given)
        environment["BINDS"] = " ".join(self._shared)
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=STEP_S
        )
        if done.returncode:
            raise BuildFailed(f"RUN {command}\n{(done.stdout + done.stderr)[-3000:]}")

    def _copy(self, built: Rootfs, step: Step) -> None:
        *sources, target = step.words()
        stage = sources.pop(0).removeprefix("--from=") if "--from=" in sources[0] else None
        to = built.root / target.lstrip("/")
        if stage is not None:
            (source,) = sources
            copy_tree(self.build(stage).root / source.lstrip("/"), to)
            return
        for path in context_files():
            if sources == ["."] or any(matches(path.as_posix(), each) for each in sources):
                (to / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, to / path)


def reason_against() -> str:
    """The reason why no chroot can be made here, with the next step; empty if one can be made."""
    if os.getuid() != 0:
        return "chroot and mount need root"
    if shutil.which("debootstrap") is None:
        return "debootstrap is not installed: apt-get install debootstrap"
    return ""


@contextmanager
def built_image(target: str) -> Iterator[Rootfs]:
    """A stage, built in a folder of its own; CHROOT_BASE names a root that debootstrap has made.

    Raises BuildFailed.
    """
    folder = Path(tempfile.mkdtemp(prefix="warmtalk-chroot-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        base = Path(os.environ.get("CHROOT_BASE", folder / "base"))
        if not base.is_dir():
            bootstrap(base)
        arguments, shared = pip_arguments()
        yield Builder(folder, base, arguments, shared).build(target)
    finally:
        shutil.rmtree(folder)


def pip_arguments() -> tuple[dict[str, str], list[str]]:
    """Arguments of the build for the package sources of this machine, and folders among them."""
    found = pip_configuration()
    indexes = [Path(place.removeprefix("file://")) for place in found.indexes if ":///" in place]
    places = [*(each.parent for each in indexes), *map(Path, found.find_links)]
    given = {
        "PIP_INDEX_URL": found.indexes[0] if found.indexes else "",
        "PIP_EXTRA_INDEX_URL": " ".join(found.indexes[1:]),
        "PIP_FIND_LINKS": " ".join(found.find_links),
        "PIP_DEFAULT_TIMEOUT": "180",
    }
    if found.certificates and Path(found.certificates).is_file():
        given["EXTRA_CA_CERTIFICATES"] = added_certificates(Path(found.certificates))
    kept = {name: value for name, value in given.items() if value}
    return kept, [str(place) for place in places if place.is_dir()]


def added_certificates(bundle: Path) -> str:
    """The certificates of a bundle that Debian's package does not have; all would be too many."""
    known = {
        certificate
        for path in USUAL_CERTIFICATES.rglob("*.crt")
        for certificate in CERTIFICATE.findall(path.read_text("ascii"))
    }
    found = CERTIFICATE.findall(bundle.read_text("utf-8", errors="replace"))
    return "\n".join(each for each in dict.fromkeys(found) if each not in known)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder with owners and permissions into another, which need not exist."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", f"{source}/.", target], check=True)


def bootstrap(folder: Path) -> None:
    """Make a root of Debian; raises BuildFailed."""
    command = ["debootstrap", "--variant=minbase", SUITE, str(folder), MIRROR]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=STEP_S)
    if done.returncode:
        raise BuildFailed(f"debootstrap\n{(done.stdout + done.stderr)[-3000:]}")
