"""Sources of avatars whose faces are enhanced before the preparation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from session.errors import FilmError
from warm.avatars.recipe import PreparationSettings
from warm.engines.weights.errors import WeightsError
from warm.enhance.enhancement import Enhancement
from warm.enhance.errors import EnhanceDiskFull, EnhanceError
from warm.enhance.film import ENHANCING, FINDING
from warm.enhance.film_reader import open_film
from warm.enhance.options import EnhanceOptions
from warm.enhance.restorer import FaceRestorer
from warm.media.isolated_pictures import read_photo_isolated
from warm.media.sniff import sniff
from warm.prepare.errors import DiskFullError, EnhancementFailed
from warm.prepare.progress import Progress

MakeRestorer = Callable[[], FaceRestorer]
STAGE = "enhancing"
NAME = "enhanced"
"""Name of the file, without its suffix."""
UPSCALES = (1, 2)
"""Small sources are enlarged, because they have too few pixels for the restored detail."""
SHARPENED_NOTE = "The faces of the source were sharpened first, which restores no detail."
RESTORED_NOTE = "The faces of the source were restored by {method} first, which invents detail."


@contextmanager
def enhanced_source(
    source: Path,
    folder: Path,
    settings: PreparationSettings,
    models: Path,
    restorer: MakeRestorer,
    progress: Progress,
) -> Iterator[Path]:
    """Yield a copy of a source in `folder` with enhanced faces, which is removed at the end.

    Without `settings.enhance` it yields the source itself. Raises MediaError, WeightsError,
    PackageMissing, EnhancementFailed and DiskFullError.
    """
    if settings.enhance is None:
        yield source
        return
    kind = sniff(source).kind
    out = folder / f"{NAME}{'.png' if kind == 'photo' else '.mp4'}"
    try:
        upscale = fitting_upscale(source, kind, settings.max_side)
        Enhancement(
            source=source,
            out=out,
            options=EnhanceOptions(method=settings.enhance, upscale=upscale),
            models=models,
            restorer=restorer,
            track=settings.track,
            longest_s=settings.max_s,
            resume=False,
            progress=staged(progress),
        ).run()
    except WeightsError:
        raise
    except EnhanceDiskFull as error:
        raise DiskFullError(str(error)) from error
    except (EnhanceError, FilmError) as error:
        raise EnhancementFailed(f"{error} Or prepare the avatar without enhance.") from error
    progress(STAGE, 1, 1)
    try:
        yield out
    finally:
        out.unlink(missing_ok=True)


def enhancement_notes(settings: PreparationSettings) -> list[str]:
    """Return notes for the user about the enhancement of a source."""
    if settings.enhance is None:
        return []
    if settings.enhance == "sharpen":
        return [SHARPENED_NOTE]
    return [RESTORED_NOTE.format(method=settings.enhance)]


def staged(progress: Progress) -> Progress:
    """Return a progress callback that reports the two passes as one stage."""
    shares = {FINDING: 0, ENHANCING: 1}

    def report(stage: str, done: int, total: int) -> None:
        if stage in shares:
            progress(STAGE, shares[stage] * total + done, 2 * total)

    return report


def fitting_upscale(source: Path, kind: str, max_side: int) -> int:
    """Return the largest factor by which a source still fits into `max_side`; at least 1."""
    if kind == "photo":
        size = read_photo_isolated(source, max_side=max_side).stored_size
    else:
        with open_film(source) as film:
            size = film.facts.width, film.facts.height
    return max((each for each in UPSCALES if max(size) * each <= max_side), default=1)
