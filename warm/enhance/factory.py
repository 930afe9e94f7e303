"""Creation of the restorer of a method."""

from pathlib import Path

from warm.enhance.options import METHODS, Method, check_choice
from warm.enhance.restorer import FaceRestorer
from warm.enhance.sharpen import Sharpener
from warm.enhance.weights import WITHOUT, find_gfpgan, require_gfpgan_packages
from warm.installation import PackageMissing
from warm.settings import Settings


def make_restorer(method: Method, settings: Settings) -> FaceRestorer:
    """Return the restorer of a method, with its weights loaded.

    Raises BadEnhanceOption, and PackageMissing or WeightsError if something is missing; there is no
    fallback to another method.
    """
    check_choice("method", method, METHODS)
    return Sharpener() if method == "sharpen" else make_gfpgan(settings)


def make_gfpgan(settings: Settings) -> FaceRestorer:
    """Return the GFPGAN restorer; raises PackageMissing and WeightsError."""
    path = found_weights(settings)
    from warm.enhance.gfpgan import open_gfpgan  # noqa: PLC0415  imports torch

    return open_gfpgan(path, device=settings.device)


def check_method(method: Method, settings: Settings) -> None:
    """Raise PackageMissing or WeightsError unless a method can be used; loads nothing."""
    check_choice("method", method, METHODS)
    if method == "gfpgan":
        found_weights(settings)


def found_weights(settings: Settings) -> Path:
    """Return the path of GFPGAN's weights; raises PackageMissing and WeightsError."""
    try:
        require_gfpgan_packages()
    except PackageMissing as error:
        raise PackageMissing(f"{error} {WITHOUT}.") from error
    return find_gfpgan(settings.models_dir)
