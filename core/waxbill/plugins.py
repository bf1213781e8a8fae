"""Finding, loading and calling plugins. The core finds everything through the entry-point group ``waxbill``."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import pluggy

from . import hookspecs
from .settings import SettingError

log = logging.getLogger("waxbill.plugins")

GROUP = "waxbill"


class EntryPoint(msgspec.Struct, frozen=True):
    """Where a plugin is: its name, its module (or ``module:object``), and the folder of its distribution's facts."""

    name: str
    target: str
    info: Path

    def load(self) -> Any:
        module, _, attribute = self.target.partition(":")
        found: Any = importlib.import_module(module)
        for part in attribute.split(".") if attribute else ():
            found = getattr(found, part)
        return found

    def distribution(self) -> tuple[str, str]:
        """Name and version of the distribution that brought it."""
        from importlib.metadata import PathDistribution  # 2 MB: only for the command line

        found = PathDistribution(self.info)
        return found.metadata["Name"], found.version


def entry_points(path: Iterable[str] | None = None) -> Iterator[EntryPoint]:
    """The entry points of the group in all installed distributions; the first of a distribution on the path counts.

    Reads the same files as importlib.metadata, whose import would cost an idle server 2 MB.
    """
    seen: set[str] = set()
    for folder in sys.path if path is None else path:
        try:
            names = sorted(os.listdir(folder or "."))
        except OSError:
            continue
        for name in names:
            stem, dot, kind = name.rpartition(".")
            if not dot or kind not in ("dist-info", "egg-info"):
                continue
            distribution = stem.partition("-")[0].lower().replace("_", "-").replace(".", "-")
            info = Path(folder or ".") / name
            if distribution in seen:
                continue
            seen.add(distribution)
            try:
                text = (info / "entry_points.txt").read_text(encoding="utf-8")
            except OSError:
                continue
            for plugin, target in _section(text, GROUP):
                yield EntryPoint(plugin, target, info)


def _section(text: str, section: str) -> Iterator[tuple[str, str]]:
    """Name and value of the lines below ``[section]`` in an entry_points.txt."""
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{section}]"
        elif inside and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


class Plugin(msgspec.Struct):
    """One installed plugin: loaded, left out by the operator, or failed with the reason."""

    name: str
    entry: EntryPoint | None
    state: str
    error: str = ""
    hooks: list[str] = []


class Plugins:
    """The plugins of this process and the calls to them. Any thread may call hooks."""

    def __init__(self, disabled: Iterable[str] = (), extra: Iterable[tuple[str, Any]] = ()) -> None:
        """``extra`` are plugins given as objects: the core's own parts, and those of tests."""
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self.installed: list[Plugin] = []
        disabled = set(disabled)
        for name, plugin in extra:
            self.register(name, plugin)
        for entry in entry_points():
            if entry.name in disabled:
                self.installed.append(Plugin(entry.name, entry, "disabled"))
                continue
            try:
                self.register(entry.name, entry.load(), entry)
            except Exception as error:
                self._failed(entry.name, entry, error)

    def register(self, name: str, plugin: Any, entry: EntryPoint | None = None) -> None:
        self._manager.register(plugin, name)
        self._manager.check_pending()
        callers = self._manager.get_hookcallers(plugin) or []
        for caller in callers:
            deprecated = caller.spec.warn_on_impl if caller.spec else None
            if deprecated:
                log.warning("Plugin %s implements %s, which is deprecated: %s", name, caller.name, deprecated)
        self.installed.append(Plugin(name, entry, "loaded", hooks=sorted(caller.name for caller in callers)))

    def _failed(self, name: str, entry: EntryPoint, error: Exception) -> None:
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
        reason = f"{type(error).__name__}: {error}"
        self.installed.append(Plugin(name, entry, "failed", reason))
        log.error("Plugin %s could not be loaded and is left out: %s", name, reason, exc_info=error)

    def implements(self, hook: str) -> bool:
        """Whether anyone implements a hook: what only that hook needs is not worth making otherwise."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """The answers of all plugins to a hook, without None; a plugin that raises is reported and passed over."""
        return [answer for answer in self._answers(hook, arguments) if answer is not None]

    def first(self, hook: str, **arguments: Any) -> Any:
        """The first answer that is not None; a plugin that raises is reported and passed over."""
        return next((answer for answer in self._answers(hook, arguments) if answer is not None), None)

    def _answers(self, hook: str, arguments: dict[str, Any]) -> Iterator[Any]:
        # Called one by one rather than through the hook, so that one that raises does not hide the others' answers.
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            function: Callable[..., Any] = implementation.function
            try:
                yield function(**{name: arguments[name] for name in implementation.argnames})
            except Exception as error:
                if hook == "waxbill_startup" and isinstance(error, SettingError):
                    raise  # the operator's to mend, before anything is served
                self.report(implementation.plugin_name, hook, error, error.__traceback__)

    def report(self, name: str, hook: str, error: Exception, trace: TracebackType | None = None) -> None:
        """Notes that a plugin raised, for the log, ``waxbill plugins`` and /health."""
        log.error("Plugin %s raised in %s: %s", name, hook, error, exc_info=(type(error), error, trace))
        for plugin in self.installed:
            if plugin.name == name:
                plugin.error = f"raised in {hook}: {type(error).__name__}: {error}"

    def problems(self) -> dict[str, str]:
        """The plugins that failed to load or raised, with what they said last."""
        return {plugin.name: plugin.error for plugin in self.installed if plugin.error}
