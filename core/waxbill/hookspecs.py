"""Every hook that a plugin can implement, in one file. With ``driver.py``, all a plugin author reads.

A plugin is a module (or object) named by an entry point in the group ``waxbill``; its functions marked with
``@waxbill.hookimpl`` are called by name. An implementation may leave out arguments that it does not use, so hooks can
gain arguments without breaking old plugins. One that raises is named in the log, in ``waxbill plugins`` and in
/health, and never takes the request of another plugin down with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pluggy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import falcon

    from .app import Server
    from .clock import Clock
    from .delivery.outbox import Delivery, Outcome, WebhookRequest
    from .driver import Driver, DriverSpec
    from .media.storage import MediaStorage
    from .memory import Reading
    from .settings import Settings
    from .store import Store

hookspec = pluggy.HookspecMarker("waxbill")
hookimpl = pluggy.HookimplMarker("waxbill")


#: What is done about tight memory, one rung at a time, the mild ones first. Plugins take part in the first five.
RUNGS = ("collect", "caches", "levers", "reload", "hibernate", "refuse", "drain")


class Choice(msgspec.Struct, frozen=True):
    """Which driver serves, and why, in words. ``driver`` is empty when none can; sessions then fail with ``reason``."""

    driver: str
    reason: str


class Check(msgspec.Struct, frozen=True):
    """One line of ``waxbill doctor``: what was looked at, whether it is well (None: it is only told), what was found
    and, where it is not well, what to do."""

    name: str
    well: bool | None
    found: str
    remedy: str = ""


@hookspec
def waxbill_settings() -> type[msgspec.Struct]:  # type: ignore[empty-body]
    """Settings of the plugin: a frozen Struct with a ``Setting`` for each member.

    Called once, before anything else. The values are read like the core's; get them by
    ``settings.part(YourSettings)``::

        class ShoutSettings(msgspec.Struct, frozen=True):
            volume: Annotated[int, Setting("SHOUT_VOLUME", meaning="How loud.", low=0, high=11)] = 5

        @hookimpl
        def waxbill_settings():
            return ShoutSettings
    """


@hookspec
def waxbill_driver(settings: Settings) -> DriverSpec:  # type: ignore[empty-body]
    """A driver that the plugin brings.

    Called once at start, with all settings; must be quick and start nothing. Return a DriverSpec, also when the driver
    can't run here: then with ``runnable=False`` and the reason::

        @hookimpl
        def waxbill_driver(settings):
            return DriverSpec(name="echo", title="Answers everything", need_mb=1, real=False,
                              operations=operations(EchoAccount), factory=EchoDriver)
    """


@hookspec(firstresult=True)
def waxbill_store(url: str, settings: Settings) -> Callable[[], Store] | None:
    """A store that the plugin brings, for URLs (``WAXBILL_STORE``) of its own scheme.

    Called once at start, before anything is kept. Return what opens it (a ``waxbill.store.Store``; raises StoreError
    with what to do), or None for a URL that is not yours. The core brings SQLite::

        @hookimpl
        def waxbill_store(url, settings):
            return (lambda: PostgresStore(url)) if url.startswith("postgresql:") else None
    """


@hookspec(firstresult=True)
def waxbill_media_storage(kind: str, settings: Settings, clock: Clock) -> Callable[[], MediaStorage] | None:
    """A place for published media that the plugin brings, for a value of WAHA_MEDIA_STORAGE (``kind``, in capitals).

    Called once at start, before the store is opened. Return what opens it (a ``waxbill.media.storage.MediaStorage``;
    raises SettingError with what to do), or None for a kind that is not yours. The core brings ``LOCAL``, a folder;
    ``waxbill.testing.storage`` has the tests that each storage must pass::

        @hookimpl
        def waxbill_media_storage(kind, settings):
            return (lambda: Tape(settings.part(TapeSettings).device)) if kind == "TAPE" else None
    """


@hookspec(firstresult=True)
def waxbill_read_memory(settings: Settings, driver: Driver | None) -> Reading | None:
    """One measurement of memory: limit, used, and parts by name.

    Called at start (then ``driver`` is None), every few seconds, and whenever memory is asked for; so it must be cheap.
    The first plugin that returns a Reading wins; the core's own answer (limit and use of the control group) comes
    last::

        @hookimpl
        def waxbill_read_memory(settings):
            return Reading(limit_mb=512, used_mb=100, source="my platform's API")
    """


@hookspec(firstresult=True)
def waxbill_choose_driver(specs: list[DriverSpec], reading: Reading, settings: Settings) -> Choice | None:
    """Which of the installed drivers serves.

    Called once at start. Return a Choice, or None to leave it to the next plugin; the core's own rule comes last::

        @hookimpl
        def waxbill_choose_driver(specs, reading, settings):
            if reading.limit_mb < 300:
                return Choice(driver="mock", reason="less than 300 MB")
    """


@hookspec(firstresult=True)
def waxbill_memory_level(reading: Reading, history: list[Reading], settings: Settings) -> str | None:
    """How serious the use of memory is: ``normal``, ``elevated``, ``high`` or ``critical``.

    Called after each measurement, with the measurements before it, oldest first; ``Reading.at`` says when each was
    made. The first answer counts::

        @hookimpl
        def waxbill_memory_level(reading, history, settings):
            return "high" if reading.used_mb > 0.8 * reading.limit_mb else "normal"
    """


@hookspec
def waxbill_relieve_memory(rung: str, level: str, reading: Reading, server: Server) -> str | None:
    """A chance to free memory.

    Called for one rung of the ladder after the other while memory stays tight, with a pause between them in which the
    effect is measured. Do what belongs to the rung and nothing else; return what was done in words, or None for
    nothing. A driver reaches its sessions through ``server.driver`` and ``server.sessions``. The rungs:

    - ``collect``: garbage collection, free pages back to the kernel;
    - ``caches``: let go of what can be read or made again;
    - ``levers``: what the backend itself can free without anyone noticing (a page's garbage, pictures, media);
    - ``reload``: start the heaviest page or process anew, if its session can take it; sends wait meanwhile;
    - ``hibernate``: close what no client has used for a while, to be woken when it is needed.

    Then the server itself refuses new sessions and large media (``refuse``), and in the end it stops with exit code 1
    for the supervisor to start it again (``drain``); plugins are not asked for these.

    Called in a thread of its own, never twice at a time; it may wait up to half a minute. Not called with
    ``MEMORY_DRY_RUN``. An implementation that does not look at ``rung`` is called for each::

        @hookimpl
        def waxbill_relieve_memory(rung):
            if rung == "caches":
                cache.clear()
                return "cleared the picture cache"
    """


@hookspec
def waxbill_prepare_delivery(delivery: Delivery, request: WebhookRequest) -> None:
    """Changes what is sent to a webhook: add headers, sign, replace the body.

    Called before each attempt, in a delivery thread; the core's own (WAHA's headers and HMAC) runs last, so that it
    signs what is really sent::

        @hookimpl
        def waxbill_prepare_delivery(delivery, request):
            request.headers["X-Tenant"] = "42"
    """


@hookspec(firstresult=True)
def waxbill_deliver(delivery: Delivery, request: WebhookRequest) -> Outcome | None:
    """Sends one event to one webhook and says how it went.

    Called in a delivery thread, and may wait. Return None for a URL whose scheme is not yours; the core brings http
    and https. Return an Outcome for failures, too; what is raised counts as a failure::

        @hookimpl
        def waxbill_deliver(delivery, request):
            if request.url.startswith("file:"):
                with open(request.url[5:], "ab") as file:
                    file.write(request.body + b"\\n")
                return Outcome(ok=True, status=200)
    """


@hookspec
def waxbill_delivered(delivery: Delivery, outcome: Outcome) -> None:
    """Hears of each attempt after it was made, successful or not.

    Called in a delivery thread::

        @hookimpl
        def waxbill_delivered(delivery, outcome):
            counter[outcome.ok] += 1
    """


@hookspec
def waxbill_startup(server: Server) -> None:
    """The server is assembled: store open, driver chosen, sessions not yet started, port not yet open.

    A SettingError raised here stops the start, with its sentence; it is for settings that don't fit each other or
    the machine::

        @hookimpl
        def waxbill_startup(server):
            server.clock.call_later(60, tidy_up)
    """


@hookspec
def waxbill_shutdown(server: Server) -> None:
    """The server stops: no request runs any more, sessions are stopped, the store is still open.

    ::

        @hookimpl
        def waxbill_shutdown(server):
            connection.close()
    """


@hookspec
def waxbill_routes(app: falcon.App[Any, Any], server: Server) -> Any:
    """Operations that the plugin adds to the HTTP API.

    Called once, while the app is built. Return one ``waxbill.api.operation.Area`` (or a list of them), whose operations
    get key checks, validation, error answers and a place in the OpenAPI document; or add plain Falcon routes to ``app``
    and return None. Operations that few servers are asked for can be given as ``LateAreas``, imported with the first
    request for one::

        area = Area("Shout", prefix="/api/waxbill/shout")

        @area.get("/volume")
        def volume(call):
            return {"volume": call.server.settings.part(ShoutSettings).volume}

        @hookimpl
        def waxbill_routes(app, server):
            return area
    """


@hookspec
def waxbill_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Commands that the plugin adds to the ``waxbill`` command line.

    Called when the command line is parsed. Set ``run`` to a function of the parsed arguments; it returns the exit
    code::

        @hookimpl
        def waxbill_commands(commands):
            parser = commands.add_parser("shout", help="say it loud")
            parser.set_defaults(run=lambda arguments: print("HELLO") or 0)
    """


@hookspec
def waxbill_doctor(settings: Settings, options: argparse.Namespace) -> list[Check] | None:
    """What ``waxbill doctor`` should look at for the plugin.

    Called by that command only, without a server. Be quick, unless an option of your own asks for more; add it in
    ``waxbill_commands`` with ``commands.choices["doctor"].add_argument("--shout", action="store_true")``::

        @hookimpl
        def waxbill_doctor(settings, options):
            found = shutil.which("shout")
            return [Check("shout", bool(found), found or "not installed", "apt-get install shout")]
    """


@hookspec
def waxbill_event(event: dict[str, Any]) -> None:
    """Hears of each event after it is in the outbox.

    Called with the envelope (``id``, ``event``, ``session``, ``payload``, ...) in the thread that caused it; it must
    not wait. Implementing this makes every event be built, also those that nobody else wants::

        @hookimpl
        def waxbill_event(event):
            print(event["event"], event["session"])
    """


@hookspec
def waxbill_health() -> dict[str, Any]:  # type: ignore[empty-body]
    """A part of /health.

    Called for each GET /health. Return ``{"name": {"status": "up" or "down", ...}}``; one ``down`` makes the whole
    answer 503::

        @hookimpl
        def waxbill_health():
            return {"redis": {"status": "up", "latency_ms": 0.4}}
    """


@hookspec
def waxbill_metrics() -> dict[str, float]:  # type: ignore[empty-body]
    """Figures for /metrics: name to value, with labels inside the name where there are any.

    Called for each GET /metrics::

        @hookimpl
        def waxbill_metrics():
            return {'shout_total{mood="happy"}': 3}
    """
