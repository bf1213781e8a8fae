"""How memory is judged and what is done about it, with readings as they come from a machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from waxbill import hookimpl
from waxbill.app import Server
from waxbill.builtin import load_plugins
from waxbill.memory import Reading
from waxbill.settings import SettingError, Settings
from waxbill.testing import ServerProcess
from waxbill_monitor import housekeeping, levels
from waxbill_monitor.ladder import Ladder
from waxbill_monitor.plugin import watches
from waxbill_monitor.watch import Watch

from .making import install
from .test_deliveries import wait_for

LIMIT = 512.0


def reading(used_mb: float, at: float = 0.0, **more: Any) -> Reading:
    return Reading(limit_mb=LIMIT, used_mb=used_mb, source="test", own_mb=used_mb, at=at, **more)


# -- levels


@pytest.mark.parametrize(
    ("used_mb", "level"),
    [(0, "normal"), (297, "normal"), (298, "elevated"), (349, "elevated"), (350, "high"), (419, "high"),
     (420, "critical"), (600, "critical")],
)  # fmt: skip
def test_the_levels_of_512_mb(used_mb: float, level: str) -> None:
    assert levels.judge(reading(used_mb), [], 0) == level


def test_a_threshold_that_was_set_moves_them_all() -> None:
    assert [levels.judge(reading(used), [], 100) for used in (84, 86, 100, 120)] == [
        "normal", "elevated", "high", "critical"
    ]  # fmt: skip


def test_a_heap_near_its_cap_counts_like_memory_near_its_limit() -> None:
    assert levels.judge(reading(50, heap_mb=100, heap_limit_mb=256), [], 0) == "normal"
    assert levels.judge(reading(50, heap_mb=180, heap_limit_mb=256), [], 0) == "high"
    assert levels.judge(reading(50, heap_mb=215, heap_limit_mb=256), [], 0) == "critical"


def test_waiting_for_memory_counts_where_much_is_in_use() -> None:
    assert levels.judge(reading(270, pressure=12.0), [], 0) == "elevated"
    assert levels.judge(reading(270, pressure=3.0), [], 0) == "normal"
    assert levels.judge(reading(100, pressure=50.0), [], 0) == "normal", "somebody else's"


def growing(mb_per_second: float, end_mb: float, step_seconds: float = 5.0, count: int = 12) -> list[Reading]:
    """Readings at intervals, the last with ``end_mb`` in use."""
    return [
        reading(end_mb - (count - 1 - i) * step_seconds * mb_per_second, at=100 + i * step_seconds)
        for i in range(count)
    ]


def test_rising_fast_is_high_before_the_threshold_is_reached() -> None:
    *before, now = growing(4, end_mb=290)  # 222 MB left: 55.5 seconds
    assert levels.judge(now, before, 0) == "high"
    assert levels.seconds_left([*before, now]) == pytest.approx(55.5)
    *before, now = growing(3, end_mb=290)  # 74 seconds
    assert levels.judge(now, before, 0) == "normal"


def test_growth_that_has_ended_is_no_alarm() -> None:
    before = growing(10, end_mb=290)
    flat = [reading(290, at=before[-1].at + 5 * i) for i in range(1, 5)]
    assert levels.judge(flat[0], before, 0) == "high"
    assert levels.judge(flat[3], [*before, *flat[:3]], 0) == "normal"


def test_growth_from_little_is_no_alarm() -> None:
    *before, now = growing(8, end_mb=200)
    assert levels.judge(now, before, 0) == "normal"


def test_a_few_readings_make_no_slope() -> None:
    *before, now = growing(20, end_mb=290, count=4)
    assert levels.judge(now, before, 0) == "normal"


def test_a_line_is_fitted_through_noise() -> None:
    noisy = [reading(100 + i + (-1) ** i * 3, at=float(i)) for i in range(30)]
    assert levels.speed_mb_per_second(noisy) == pytest.approx(1, abs=0.1)
    assert levels.speed_mb_per_second([reading(5, at=1.0)] * 8) == 0


# -- the ladder


def test_each_level_goes_as_far_as_it_may() -> None:
    def first_climb(level: str) -> list[str]:
        ladder, taken, now = Ladder(10), [], 0.0
        while len(taken) < 7 and now < 100:
            if rung := ladder.next(level, now):
                taken.append(rung)
                ladder.taken(rung, level, now, effect=True)
            now += 1.0
        return taken

    assert first_climb("normal") == []
    assert first_climb("elevated") == ["collect", "caches"]
    assert first_climb("high") == ["collect", "caches", "levers", "reload", "hibernate", "refuse"]
    assert first_climb("critical") == ["collect", "caches", "levers", "reload", "hibernate", "refuse", "drain"]


def test_there_is_one_rung_in_a_cool_down_a_tenth_of_it_when_critical() -> None:
    ladder = Ladder(10)
    assert ladder.next("high", 0) == "collect"
    ladder.taken("collect", "high", 0, effect=True)
    assert ladder.next("high", 9.9) is None
    assert ladder.next("high", 9.9, hurry=True) == "caches", "with no time left"
    assert ladder.next("high", 10) == "caches"
    ladder.taken("caches", "critical", 10, effect=True)
    assert ladder.next("critical", 10.9) is None
    assert ladder.next("critical", 11) == "levers"


def test_a_rung_with_nothing_to_do_takes_no_pause() -> None:
    ladder = Ladder(10)
    ladder.taken("collect", "high", 0, effect=False)
    assert ladder.next("high", 0) == "caches"


def test_what_people_notice_is_not_repeated_soon() -> None:
    ladder = Ladder(1)
    for _ in range(2):
        ladder.taken("levers", "high", 0, effect=True)
        assert ladder.next("high", 5) == "reload"
        ladder.reset()
    ladder.taken("levers", "high", 0, effect=True)
    ladder.taken("reload", "high", 5, effect=True)
    ladder.reset()
    ladder.taken("levers", "high", 20, effect=True)
    assert ladder.next("high", 30) == "hibernate"
    assert ladder.next("high", 606) == "reload"


def test_at_the_top_the_climb_begins_anew_after_a_long_rest() -> None:
    ladder = Ladder(10)
    ladder.taken("refuse", "high", 0, effect=True)
    assert ladder.next("high", 99) is None
    assert ladder.next("high", 100) == "collect"


# -- the watch, on a server whose readings are given


class Given:
    """A plugin that gives readings instead of measuring, and notes which rungs it is asked for."""

    def __init__(self) -> None:
        self.reading = reading(60)
        self.rungs: list[str] = []
        self.frees: dict[str, float] = {}

    @hookimpl(tryfirst=True)
    def waxbill_read_memory(self) -> Reading:
        return self.reading

    @hookimpl
    def waxbill_relieve_memory(self, rung: str) -> str | None:
        self.rungs.append(rung)
        if rung not in self.frees:
            return None
        self.reading = reading(self.reading.used_mb - self.frees[rung])
        return f"freed {self.frees[rung]}"


class Watched:
    def __init__(self, folder: Path, **environment: str) -> None:
        self.given = Given()
        settings = Settings(
            {"FORCE_MOCK_MODE": "true", "WAHA_LOCAL_STORE_BASE_DIR": str(folder), "MEMORY_COOLDOWN_SECONDS": "0",
             **environment}
        )  # fmt: skip
        self.server = Server(settings, load_plugins(settings, extra=[("given", self.given)]))
        self.watch: Watch = watches[self.server]

    def at(self, used_mb: float, own_mb: float | None = None) -> str:
        """One check with so much in use; waits for what is done about it and answers the level."""
        own = used_mb if own_mb is None else own_mb
        self.given.reading = msgspec.structs.replace(reading(used_mb), own_mb=own)
        self.watch.check()
        with self.watch.acting:
            return self.watch.level

    @property
    def steps(self) -> list[str]:
        return [step.rung for step in self.watch.steps]


@pytest.fixture
def watched(tmp_path: Path) -> Any:
    made: list[Watched] = []

    def make(**environment: str) -> Watched:
        made.append(Watched(tmp_path / str(len(made)), **environment))
        return made[-1]

    yield make
    for each in made:
        each.server.close()


def test_a_level_falls_only_when_it_is_clearly_lower(watched: Callable[..., Watched]) -> None:
    here = watched()
    assert [here.at(used) for used in (349, 351, 349, 340, 330, 320)] == [
        "elevated", "high", "high", "high", "high", "elevated"
    ]  # fmt: skip
    assert here.at(290) == "elevated"
    assert here.at(270) == "normal"


def test_the_climb_ends_when_memory_is_normal_again(watched: Callable[..., Watched]) -> None:
    here = watched()
    here.given.frees = {"levers": 200}
    here.at(360)
    assert here.steps == ["collect", "caches", "levers"], "the first two were of no use"
    assert here.watch.steps[-1].freed_mb == 200
    assert here.at(160) == "normal"
    assert here.at(360) == "high"
    assert here.steps[3] == "collect", "the next climb begins at the bottom"


def test_what_was_of_use_is_given_time(watched: Callable[..., Watched]) -> None:
    here = watched(MEMORY_COOLDOWN_SECONDS="600")
    here.given.frees = {"caches": 5, "levers": 200}
    here.at(360)
    here.at(360)
    assert here.steps == ["collect", "caches"]


def test_a_server_that_refuses_takes_everything_again_afterwards(watched: Callable[..., Watched]) -> None:
    here = watched()
    for _ in range(5):
        here.at(360)
    assert here.steps[:3] == ["collect", "caches", "refuse"]
    assert "memory is high" in here.server.admission.reason
    assert here.server.health()["status"] == "degraded"
    here.at(100)
    assert here.server.admission.reason == ""
    assert here.server.health()["status"] == "healthy"


def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    watched: Callable[..., Watched], caplog: pytest.LogCaptureFixture
) -> None:
    here = watched(MEMORY_DRY_RUN="true")
    for _ in range(8):
        here.at(500)
    assert here.steps[:7] == ["collect", "caches", "levers", "reload", "hibernate", "refuse", "drain"]
    assert here.given.rungs == []
    assert (here.server.admission.reason, here.server.leaving) == ("", "")
    assert re.search("levers: would ask .*given.* for levers; .*dry run", caplog.text)


def test_the_last_rung_ends_the_server_with_exit_code_1(watched: Callable[..., Watched]) -> None:
    here = watched()
    ended: list[int] = []
    here.server.end = lambda: ended.append(here.server.exit_code)
    for _ in range(4):
        here.at(450)
    assert here.steps == ["collect", "caches", "refuse", "drain"]
    assert ended == [1]
    assert here.server.health()["status"] == "shutting_down"


def test_a_server_does_not_end_for_what_others_hold(
    watched: Callable[..., Watched], caplog: pytest.LogCaptureFixture
) -> None:
    here = watched()
    for _ in range(6):
        here.at(450, own_mb=65)
    assert "drain" not in here.steps
    assert here.server.leaving == ""
    assert "a restart would not help: 445 MB would still be in use" in caplog.text


def test_a_plugin_with_a_level_of_its_own_invention_is_named_and_changes_nothing(
    watched: Callable[..., Watched], caplog: pytest.LogCaptureFixture
) -> None:
    here = watched()

    class Poet:
        @hookimpl(tryfirst=True)
        def waxbill_memory_level(self) -> str:
            return "swelling"

    here.server.plugins.register("poet", Poet())
    assert here.at(450) == "normal"
    assert "calls the memory level 'swelling'" in caplog.text


def test_a_threshold_above_the_limit_stops_the_start(watched: Callable[..., Watched]) -> None:
    with pytest.raises(SettingError, match=r"MEMORY_THRESHOLD_MB is 600, but the limit is 512 MB .* it is 350"):
        watched(MEMORY_THRESHOLD_MB="600")


# -- housekeeping


def test_housekeeping_looks_only_after_growth_and_not_often() -> None:
    keeping = housekeeping.Housekeeping()
    begun = keeping.next_at
    assert keeping.look(reading(60, at=begun - 1)) is None
    assert keeping.look(reading(61.9, at=begun + 100)) is None, "less than 2 MB"
    assert keeping.look(reading(63, at=begun + 101)) is not None
    assert keeping.look(reading(90, at=begun + 120)) is None, "within 30 s"
    assert keeping.look(reading(90, at=begun + 140)) is not None


def test_tidying_finds_garbage() -> None:
    def waste() -> None:
        for _ in range(40):
            loop: list[Any] = [bytearray(b"x") * (1024 * 1024)]
            loop.append(loop)

    import gc

    gc.disable()
    try:
        waste()
        assert housekeeping.tidy() > 30
    finally:
        gc.enable()


# -- settings, on a real server


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"MEMORY_THRESHOLD_MB": "lots"}, "MEMORY_THRESHOLD_MB is 'lots', but must be a whole number, 0 or more"),
        ({"MEMORY_CHECK_SECONDS": "0"}, "MEMORY_CHECK_SECONDS is '0', but must be a number from 0.05 to 3600"),
        ({"MEMORY_LIMIT_MB": "-1"}, "MEMORY_LIMIT_MB is '-1'"),
        ({"MEMORY_LIMIT_MB": "99999999"}, "MEMORY_LIMIT_MB is 99999999, but no more than "),
        ({"MEMORY_LIMIT_MB": "256", "MEMORY_THRESHOLD_MB": "300"}, "MEMORY_THRESHOLD_MB is 300, but the limit is 256"),
        ({"MEMORY_LIMIT_MB": "256", "MAX_HEAP_MB": "300"}, "MAX_HEAP_MB is 300, but the limit is 256 MB"),
        ({"MAX_HEAP_MB": "20"}, "MAX_HEAP_MB is 20, but the server itself needs"),
        ({"MAX_RECONNECT_ATTEMPTS": "many"}, "MAX_RECONNECT_ATTEMPTS is 'many'"),
        ({"WAXBILL_PROFILE": "1gb"}, "WAXBILL_PROFILE is '1gb', but must be one of auto, 512mb, 256mb, 128mb, off"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_sentence(
    waxbill: Callable[..., Any], environment: dict[str, str], words: str
) -> None:
    ran = waxbill("serve", FORCE_MOCK_MODE="true", PORT="0", **environment)
    assert ran.returncode == 1
    assert words in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


# -- the endpoints, on a real server


def test_memory_is_told_by_part_with_its_history(serve: Callable[..., ServerProcess]) -> None:
    server = serve(MEMORY_CHECK_SECONDS="0.05", MEMORY_LIMIT_MB="512", WAXBILL_PROFILE="512mb")
    wait_for(lambda: server.get("/api/memory").json()["history"])
    report = server.get("/api/memory").json()
    assert (report["limit_mb"], report["source"], report["level"]) == (512, "MEMORY_LIMIT_MB", "normal")
    assert (report["threshold_mb"], report["critical_mb"], report["heap_limit_mb"]) == (350, 420, 256)
    part = report["parts"]["server"]
    assert 15 < part["uss_mb"] <= part["pss_mb"] <= part["rss_mb"] < 80
    assert part["processes"] == 1
    assert 5 < report["heap_used_mb"] < part["rss_mb"]
    assert abs(report["used_mb"] - part["rss_mb"]) < 5
    assert {"seconds_ago", "used_mb", "own_mb", "level"} == report["history"][0].keys()
    assert (report["refusing"], report["steps"], report["sessions"]) == ("", [], {})


def test_health_tells_memory(serve: Callable[..., ServerProcess]) -> None:
    health = serve(MEMORY_LIMIT_MB="512").get("/health").json()
    assert health["status"] == "healthy"
    memory = health["memory"]
    assert {"rss_mb", "heap_used_mb", "limit_mb", "level", "memory_efficient"} <= memory.keys()
    assert (memory["limit_mb"], memory["level"], memory["memory_efficient"]) == (512, "normal", True)
    assert health["details"]["memory"]["status"] == "up"


def test_health_without_a_watch_says_so(serve: Callable[..., ServerProcess]) -> None:
    health = serve(WAXBILL_DISABLE_PLUGINS="monitor").get("/health").json()
    assert "pip install 'waxbill[monitor]'" in health["memory"]["level"]
    assert health["status"] == "healthy"


def test_health_names_a_part_that_is_down_and_one_that_worries(
    serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    sick = "from waxbill import hookimpl\n@hookimpl\ndef waxbill_health(): return {'sick': {'status': 'down'}}\n"
    install(tmp_path / "one", "sick", sick)
    answer = serve(tmp_path / "a", PYTHONPATH=str(tmp_path / "one")).get("/health")
    assert (answer.status, answer.json()["status"]) == (503, "unhealthy")
    assert "sick" in answer.json()["error"]
    tired = "from waxbill import hookimpl\n@hookimpl\ndef waxbill_health(): raise RuntimeError('tired')\n"
    install(tmp_path / "two", "tired", tired)
    server = serve(tmp_path / "b", PYTHONPATH=str(tmp_path / "two"))
    answer = server.get("/health")
    assert (answer.status, answer.json()["status"]) == (200, "degraded")


# -- metrics


def metrics(server: ServerProcess, **options: Any) -> dict[str, float]:
    """Name with labels to value, as a scraper reads them."""
    answer = server.get("/metrics", **options)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[str, float] = {}
    described: set[str] = set()
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            described.add(line.split()[2])
        elif not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name not in found, "each sample is there once"
            family = re.sub(r"_(bucket|sum|count)$", "", name.partition("{")[0])
            assert family in described or name.partition("{")[0] in described, name
            found[name] = float(value)
    return found


def test_metrics_have_wahas_names_and_ours(serve: Callable[..., ServerProcess]) -> None:
    server = serve(WHATSAPP_START_SESSION="s", MEMORY_LIMIT_MB="512")
    server.wait_for_status("s", "WORKING")
    found = metrics(server)
    assert found["waha_up"] == 1
    assert any(name.startswith('waha_info{version="2026') for name in found)
    assert found['waha_sessions{status="WORKING",engine="WEBJS"}'] == 1
    assert found['waha_session_status{session="s",status="WORKING",engine="WEBJS"}'] == 1
    assert found["waxbill_memory_limit_bytes"] == 512 * 1024 * 1024
    assert 15e6 < found['waxbill_memory_part_bytes{part="server"}'] < 80e6
    assert found["waxbill_memory_level"] == 0
    assert found["waha_process_resident_memory_bytes"] > 15e6
    assert found['waxbill_deliveries{state="pending"}'] == 0
    assert not any(name.startswith("waha_http") for name in found), "counted only where it is asked for"


def test_requests_and_messages_are_counted_where_it_is_asked_for(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="secret", WHATSAPP_START_SESSION="s", WAHA_PROMETHEUS_ENABLED="true")
    server.wait_for_status("s", "WORKING")
    for words in ("one", "two"):
        server.post("/api/sendText", {"session": "s", "chatId": "49301234567@c.us", "text": words})
    server.post("/api/waxbill/mock/s/messages", {"from": "49301234567@c.us", "text": "three"})
    assert server.get("/nowhere").status == 404
    found = metrics(server, headers={"X-Api-Key": ""})  # open, as WAHA's
    assert found['waha_messages_total{direction="sent"}'] == 2
    assert found['waha_http_requests_total{method="GET",status="404"}'] == 1
    posts = found['waha_http_requests_total{method="POST",status="201"}']
    assert posts == 3
    assert found['waha_http_request_duration_seconds_bucket{le="+Inf",method="POST",status="201"}'] == posts
    assert found['waha_http_request_duration_seconds_count{method="POST",status="201"}'] == posts
    assert 0 < found['waha_http_request_duration_seconds_sum{method="POST",status="201"}'] < 30


def test_open_metrics_can_have_a_password(serve: Callable[..., ServerProcess]) -> None:
    server = serve(
        key="secret", WAHA_PROMETHEUS_ENABLED="true", WAHA_PROMETHEUS_USERNAME="u", WAHA_PROMETHEUS_PASSWORD="p"
    )
    refused = server.get("/metrics")
    assert (refused.status, refused.headers["www-authenticate"][:5]) == (401, "Basic")
    assert metrics(server, headers={"Authorization": "Basic dTpw"})["waha_up"] == 1


def test_metrics_need_the_key_otherwise(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="secret")
    assert server.get("/metrics", headers={"X-Api-Key": "wrong"}).status == 401
    assert server.get("/api/memory", headers={"X-Api-Key": "wrong"}).status == 401
    assert metrics(server)["waha_up"] == 1


# -- processes of a driver


def test_processes_are_counted_by_part_and_session(tmp_path: Path) -> None:
    import subprocess
    import sys

    from waxbill import Driver, DriverProcess
    from waxbill_monitor import processes

    hold = "import sys; held = bytearray(b'x') * (int(sys.argv[1]) << 20); print(flush=True); input()"
    parent = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {hold!r}, '30', '--type=renderer']); {hold}"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent, "20"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    class Backend(Driver):
        def processes(self) -> list[DriverProcess]:
            return [DriverProcess(process.pid, "browser", "s")]

    try:
        assert process.stdout is not None
        for _ in range(2):  # both hold theirs
            process.stdout.readline()
        parts, sessions = processes.roughly(Backend())
        assert parts.keys() == {"server", "browser", "renderer"}
        assert 20 < parts["browser"] < 30 < parts["renderer"] < 40
        assert sessions == {"s": parts["browser"] + parts["renderer"]}
        exact, by_session = processes.exactly(Backend())
        assert exact["renderer"]["processes"] == 1
        assert by_session["s"]["processes"] == 2
        assert 50 < by_session["s"]["uss_mb"] <= by_session["s"]["pss_mb"] <= by_session["s"]["rss_mb"]
    finally:
        process.communicate("\n")
