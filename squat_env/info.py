"""A dictionary of which some values are worked out only when somebody reads them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol


class Source(Protocol):
    """Where the values come from that are worked out at their first reading."""

    names: tuple[str, ...]

    def read(self, name: str) -> Any:
        """Works out one of `names`."""
        ...


class Info(dict):
    """A dictionary that behaves as if it were complete all the time; a copy or a pickle of it is a plain `dict`."""

    __slots__ = ("_source",)

    def __init__(self, known: Mapping[str, Any], source: Source):
        """`known` has the values that are there already; one of the same name in `source` is never worked out."""
        super().__init__(known)
        self._source: Source | None = source

    @property
    def names(self) -> tuple[str, ...]:
        """The keys, without working out any value."""
        later = self._source.names if self._source is not None else ()
        return (*dict.__iter__(self), *(name for name in later if not dict.__contains__(self, name)))

    def __missing__(self, name: str) -> Any:
        if not self._has_later(name):
            raise KeyError(name)
        value = self[name] = self._source.read(name)  # type: ignore[union-attr]
        return value

    def _has_later(self, name: object) -> bool:
        return self._source is not None and name in self._source.names

    def complete(self) -> dict[str, Any]:
        """Works out whatever is left, and returns the dictionary itself."""
        source, self._source = self._source, None
        for name in source.names if source is not None else ():
            if not dict.__contains__(self, name):
                self[name] = source.read(name)  # type: ignore[union-attr]
        return self

    def __contains__(self, name: object) -> bool:
        return dict.__contains__(self, name) or self._has_later(name)

    def __iter__(self) -> Iterator[str]:
        return dict.__iter__(self.complete())

    def __reduce_ex__(self, protocol: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return dict, (self.copy(),)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, or the default where there is none."""
        try:
            return self[name]
        except KeyError:
            return default

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The value of a name, which is set to the default where there was none."""
        return self[name] if name in self else dict.setdefault(self, name, default)


def _of_the_complete(name: str) -> Callable[..., Any]:
    method = getattr(dict, name)

    def call(self: Info, *arguments: Any) -> Any:
        return method(self.complete(), *arguments)

    return call


for _name in (
    *("__len__", "__reversed__", "__eq__", "__ne__", "__repr__", "__or__", "__ror__", "__delitem__"),
    *("keys", "values", "items", "copy", "pop", "popitem", "clear"),
):
    setattr(Info, _name, _of_the_complete(_name))
