"""The import of a library without the company that we do not need: half the time, and nothing else is different."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType


def imported(module: str, library: str, *, without: Collection[str], later: Collection[str]) -> ModuleType:
    """A module of ours that imports a library, leanly; where the library does not bear that, as usual.

    without: what the library can do without. later: what it needs only for something else, loaded at first use.
    """
    try:
        with _lean(without, later):
            return import_module(module)
    except Exception:  # noqa: BLE001 - what a library does with a module that is hidden ends in an error of any kind
        for name in [one for one in sys.modules if one == module or one.split(".")[0] == library]:
            del sys.modules[name]
        return import_module(module)


@contextmanager
def _lean(without: Collection[str], later: Collection[str]) -> Iterator[None]:
    hidden = [name for name in without if name not in sys.modules]
    finder = _Later(later)
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is how Python marks what must not be found
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in hidden:
            sys.modules.pop(name, None)


class _Later:
    """Finds modules as Python does, but lets them load at first use."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
