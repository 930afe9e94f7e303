"""Location of GFPGAN's weights, without PyTorch."""

from pathlib import Path

from warm.engines.weights.errors import WeightsDamaged, WeightsMissing
from warm.engines.weights.layout import check_model, describe_missing, find_model
from warm.engines.weights.manifest import GFPGAN
from warm.installation import is_installed, require_packages

PACKAGES = ("torch", "safetensors")
"""Both are in requirements-enhance.txt, which the extra `warmtalk[enhance]` installs."""
WITHOUT = "Without it: --method sharpen"


def require_gfpgan_packages() -> None:
    """Raise PackageMissing unless the packages that the network needs are installed."""
    install = "'warmtalk[enhance]'" if is_installed() else "-r requirements-enhance.txt"
    require_packages(PACKAGES, needed_by="--method gfpgan", requirements=install)


def find_gfpgan(models_dir: Path) -> Path:
    """Return the checkpoint under `models_dir`; raises WeightsMissing or WeightsDamaged."""
    folder = find_model(models_dir, GFPGAN)
    if folder is None:
        raise WeightsMissing(f"{describe_missing(models_dir, GFPGAN)}. {WITHOUT}.")
    try:
        return check_model(models_dir, GFPGAN, folder)
    except WeightsDamaged as error:
        raise WeightsDamaged(f"{error}. {WITHOUT}.") from error
