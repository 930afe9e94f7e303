"""Enhancement of the faces of finished films, in a separate process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from session.mp4.delivery import read_made_file
from warm.avatars.recipe import EnhanceMethod
from warm.enhance.program import Report, write_enhanced
from warm.preparer.preparer import shared_settings
from warm.production.errors import UnsupportedOption
from warm.settings import Settings

ENHANCED = "enhanced.mp4"
"""Name of the enhanced film, next to the job's result."""


@dataclass(frozen=True, slots=True)
class FilmEnhancer:
    """Enhances films within the limits of the settings. May be used by any thread."""

    settings: Settings

    def check(self, method: EnhanceMethod | None) -> None:
        """Raise PackageMissing or WeightsError unless a method can be used."""
        if method is not None:
            from warm.enhance.factory import check_method  # noqa: PLC0415  takes long

            check_method(method, self.settings)

    def enhance(
        self,
        film: Path,
        method: EnhanceMethod,
        *,
        check: Callable[[], None],
        report: Report,
    ) -> Path:
        """Write the enhanced film next to the original; return its path.

        `check` is called meanwhile; an exception that it raises stops the work. Raises
        UnsupportedOption for a film that is too long, EnhanceError, and FilmFullError.
        """
        seconds, most = read_made_file(film).duration_s, self.settings.enhance_max_s
        if seconds > most:
            raise UnsupportedOption(
                "options.enhance",
                method,
                f"the film is {seconds:.1f} s long; enhance_max_s allows at most {most:g} s. "
                "Send a shorter text, or omit this option",
            )
        out = film.with_name(ENHANCED)
        write_enhanced(
            film, out, method, shared_settings(self.settings), check=check, report=report
        )
        return out
