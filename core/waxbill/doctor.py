"""``waxbill doctor``: what would serve on this machine and why, without starting it."""

from __future__ import annotations

import argparse
import os

from . import memory
from .driver import DriverSpec
from .drivers import obstacle
from .hookspecs import Check, Choice
from .memory import Reading
from .plugins import Plugins
from .settings import CoreSettings, SettingError, Settings, check_limits


def examine(settings: Settings, plugins: Plugins, options: argparse.Namespace) -> list[Check]:
    """Everything that decides what serves here: memory, each driver, the choice, the store; then the plugins' own."""
    reading = plugins.first("waxbill_read_memory", settings=settings, driver=None) or memory.read(
        settings.core.memory_limit_mb
    )
    specs: list[DriverSpec] = plugins.call("waxbill_driver", settings=settings)
    choice: Choice = plugins.first("waxbill_choose_driver", specs=specs, reading=reading, settings=settings)
    asked, found = ", ".join(settings.core.profile), ", ".join(settings.profiles) or "none"
    profile = Check("profile", None, f"{found} (asked for: {asked})")
    checks = [_memory(reading), profile, _limits(settings.core, reading), *(_driver(spec, reading) for spec in specs)]
    checks.append(Check("choice", bool(choice.driver), f"{choice.driver or 'no driver'}: {choice.reason}"))
    checks.append(_store(settings.core))
    for added in plugins.call("waxbill_doctor", settings=settings, options=options):
        checks += added
    checks += [Check(f"plugin {name}", False, error) for name, error in plugins.problems().items()]
    return checks


def _memory(reading: Reading) -> Check:
    found = f"{reading.used_mb:.0f} of {reading.limit_mb:.0f} MB in use ({reading.source})"
    if reading.pressure is not None:
        found += f", pressure {reading.pressure:.1f} %"
    if reading.kills:
        found += f", the kernel has killed {reading.kills} times for want of memory"
    return Check("memory", None, found)


def _driver(spec: DriverSpec, reading: Reading) -> Check:
    """A driver that can't serve is no fault by itself; the choice says whether it is one."""
    kind = "real" if spec.real else "simulated"
    why = obstacle(spec, reading)
    found = why or f"can serve: it needs {spec.need_mb:.0f} MB, {reading.available_mb:.0f} MB are free"
    return Check(f"driver {spec.name}", None if why else True, f"{spec.title} ({kind}): {found}")


def _store(core: CoreSettings) -> Check:
    folder = core.store_dir.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if os.access(there, os.W_OK | os.X_OK):
        return Check("store", True, f"{folder} can be written")
    instead = "; a temporary folder is used instead (WAXBILL_STORE_FALLBACK)" if core.store_fallback else ""
    remedy = "Set WAHA_LOCAL_STORE_BASE_DIR to a folder that this user can write."
    return Check("store", False, f"{folder} can't be written{instead}", remedy)


def _limits(core: CoreSettings, reading: Reading) -> Check:
    cap = f"heap of the server at most {core.max_heap_mb} MB" if core.max_heap_mb else "heap not limited"
    try:
        check_limits(core, reading)
    except SettingError as error:
        return Check("limits", False, str(error))
    return Check("limits", True, f"{cap}, bodies {core.max_body_mb} MB, media {core.max_media_mb} MB")
