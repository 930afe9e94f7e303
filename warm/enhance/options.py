"""Options of an enhancement, and their digest."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from warm.avatars.recipe import ENHANCEMENT, EnhanceMethod
from warm.enhance.errors import BadEnhanceOption

Method = EnhanceMethod
Faces = Literal["all", "largest", "none"]
METHODS: tuple[Method, ...] = get_args(Method)
FACES: tuple[Faces, ...] = get_args(Faces)
UPSCALES = (1, 2, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhanceOptions:
    """Everything that changes the result. Raises BadEnhanceOption."""

    method: Method = "gfpgan"
    strength: float = 1.0
    """Share of the restored detail, 0 to 1; 0 leaves the faces as they are."""
    upscale: int = 1
    """Factor by which width and height are enlarged."""
    background: str = "lanczos"
    """Enlargement of everything around the faces; see `warm.enhance.upscalers`."""
    faces: Faces = "all"
    """`largest`: one face of each shot; `none`: the film is only enlarged."""

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        check_choice("faces", self.faces, FACES)
        check_choice("upscale", self.upscale, UPSCALES)
        if not 0 <= self.strength <= 1:  # also refuses NaN
            raise BadEnhanceOption(f"strength is {self.strength}; allowed are 0 to 1.")

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the options and of the version of the enhancement."""
        key = {"recipe": ENHANCEMENT, **asdict(self)}
        return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def check_choice(name: str, value: object, allowed: tuple[object, ...]) -> None:
    """Raise BadEnhanceOption unless a value is one of the allowed ones."""
    if value not in allowed:
        choices = ", ".join(map(str, allowed))
        raise BadEnhanceOption(f"{name} is {value!r}; allowed are {choices}.")
