"""Base class of objects that hold a resource until they are closed."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closeable(ABC):
    """Context manager that calls `close` on exit, also after an exception."""

    @abstractmethod
    def close(self) -> None:
        """Release the resource. Calling it again has no effect."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
