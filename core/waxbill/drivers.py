"""Which driver serves: the core's own rule, a plugin like any other (``waxbill_choose_driver``)."""

from __future__ import annotations

from .driver import DriverSpec
from .hookspecs import Choice, hookimpl
from .memory import Reading
from .settings import Settings

#: What is left free beside a driver's need, in MB: the server's own growth under load.
RESERVE_MB = 32.0


def obstacle(spec: DriverSpec, reading: Reading) -> str:
    """Why a driver can't serve here, or nothing."""
    if not spec.runnable:
        return spec.obstacle
    need = spec.need_mb + RESERVE_MB
    if need > reading.available_mb:
        return (
            f"it needs {spec.need_mb:.0f} MB and a reserve of {RESERVE_MB:.0f} MB, and {reading.available_mb:.0f} MB "
            f"of {reading.limit_mb:.0f} MB are free ({reading.source})"
        )
    return ""


@hookimpl(trylast=True)
def waxbill_choose_driver(specs: list[DriverSpec], reading: Reading, settings: Settings) -> Choice:
    """The one that was named; else the one that was asked for; else the most capable that can run and fits."""
    core = settings.core
    if core.driver:
        named = next((spec for spec in specs if spec.name == core.driver), None)
        if named is None:
            known = ", ".join(spec.name for spec in specs) or "none"
            return Choice("", f"WAXBILL_DRIVER is '{core.driver}', but the installed drivers are: {known}")
        return Choice(named.name, "WAXBILL_DRIVER names it")
    simulators = [spec for spec in specs if not spec.real and spec.runnable]
    if core.force_mock:
        if simulators:
            return Choice(simulators[0].name, "FORCE_MOCK_MODE is set")
        return Choice("", "FORCE_MOCK_MODE is set, but no simulator is installed: pip install 'waxbill[mock]'")
    obstacles = {spec.name: obstacle(spec, reading) for spec in specs if spec.real}
    fitting = [spec for spec in specs if spec.real and not obstacles[spec.name]]
    if fitting:
        best = max(fitting, key=lambda spec: len(spec.operations))
        return Choice(best.name, f"it can run here and fits into {reading.limit_mb:.0f} MB")
    refused = "; ".join(f"{name}: {why}" for name, why in obstacles.items()) or "no real driver is installed"
    if core.enable_real and not core.mock_fallback:
        hint = "pip install 'waxbill[browser]'" if not obstacles else "set MOCK_FALLBACK=true to simulate instead"
        return Choice("", f"ENABLE_REAL_WHATSAPP is set, but no real driver can serve ({refused}); {hint}")
    if simulators:
        return Choice(simulators[0].name, f"simulated, because {refused}")
    return Choice("", f"no driver can serve ({refused}): pip install 'waxbill[mock]' or 'waxbill[browser]'")
