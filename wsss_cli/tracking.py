"""What a stage may say while it works; the command line decides how it looks."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


def single(item: object) -> int:
    """The size of an item that is one image."""
    del item
    return 1


class Track(Protocol):
    """Receives progress and remarks from a stage, which itself never prints."""

    def steps(
        self,
        items: Iterable[T],
        *,
        total: int,
        label: str,
        done: int = 0,
        unit: str = "images",
        size: Callable[[T], int] = single,
    ) -> Iterator[T]:
        """Yield ``items`` and count them, of ``total`` of which ``done`` were there before.

        Args:
            items: What is done when the next one is asked for.
            total: How many units there are in all.
            label: What is being done.
            done: Units that were there before.
            unit: What is counted.
            size: How many units an item is, such as the images of a batch.
        """
        ...

    def detail(self, text: str) -> None:
        """Show a short changing text beside the progress, such as the current loss."""
        ...

    def note(self, message: str) -> None:
        """Tell the user something once."""
        ...


class Silent:
    """A track that says nothing, for library use and tests."""

    def steps(
        self,
        items: Iterable[T],
        *,
        total: int,
        label: str,
        done: int = 0,
        unit: str = "images",
        size: Callable[[T], int] = single,
    ) -> Iterator[T]:
        """Yield ``items`` unchanged."""
        yield from items

    def detail(self, text: str) -> None:
        """Ignore the detail."""

    def note(self, message: str) -> None:
        """Ignore the remark."""
