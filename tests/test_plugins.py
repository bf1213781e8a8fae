"""The plugin framework: what is found, what fails, what a third party can do."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from waxbill import hookimpl, hookspecs
from waxbill.plugins import GROUP, Plugins, entry_points
from waxbill.testing import Receiver, ServerProcess

from .making import install

ROOT = Path(__file__).parent.parent
HOOKS = [name for name in vars(hookspecs) if name.startswith("waxbill_")]


Run = Callable[..., "subprocess.CompletedProcess[str]"]


def listed(waxbill: Run, **environment: str) -> dict[str, dict[str, Any]]:
    ran = waxbill("plugins", "--json", **environment)
    assert ran.returncode == 0, ran.stderr
    return {row["name"]: row for row in json.loads(ran.stdout)}


def test_the_four_distributions_are_listed_with_their_hooks(waxbill: Run) -> None:
    rows = listed(waxbill)
    distributions = {row["distribution"] for row in rows.values()}
    assert distributions >= {"waxbill", "waxbill-mock", "waxbill-browser", "waxbill-monitor"}
    assert "waxbill_driver" in rows["mock"]["hooks"]
    assert {row["state"] for row in rows.values()} == {"loaded"}
    table = waxbill("plugins").stdout
    assert re.search(r"^mock +waxbill-mock 0\.\d+\.\d+ +loaded +.*waxbill_driver", table, re.MULTILINE)


def test_our_reader_finds_what_importlib_metadata_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "odd-plugin", "")
    monkeypatch.syspath_prepend(str(tmp_path))
    expected = {(found.name, found.value) for found in importlib.metadata.entry_points(group=GROUP)}
    assert {(found.name, found.target) for found in entry_points()} == expected
    assert ("odd-plugin", "odd_plugin") in expected


def test_a_plugin_that_can_not_be_imported_is_named_and_left_out(
    tmp_path: Path, serve: Callable[..., ServerProcess], waxbill: Run
) -> None:
    install(tmp_path / "site", "broken", "import a_module_that_is_not_there")
    row = listed(waxbill, PYTHONPATH=str(tmp_path / "site"))["broken"]
    assert row["state"] == "failed"
    assert "a_module_that_is_not_there" in row["error"]
    server = serve(PYTHONPATH=str(tmp_path / "site"))
    assert server.get("/ping").status == 200
    assert "a_module_that_is_not_there" in server.get("/health").json()["plugins"]["broken"]
    assert "Plugin broken could not be loaded" in server.log


def test_a_plugin_with_a_hook_that_does_not_fit_is_named(tmp_path: Path, waxbill: Run) -> None:
    code = "from waxbill import hookimpl\n@hookimpl\ndef waxbill_health(unknown): pass\n"
    install(tmp_path, "misfit", code)
    row = listed(waxbill, PYTHONPATH=str(tmp_path))["misfit"]
    assert row["state"] == "failed"
    assert "unknown" in row["error"]


def test_a_plugin_that_raises_is_named_and_hides_nobody_else(
    tmp_path: Path, serve: Callable[..., ServerProcess]
) -> None:
    raising = "from waxbill import hookimpl\n@hookimpl\ndef waxbill_health(): raise RuntimeError('out of order')\n"
    fine = "from waxbill import hookimpl\n@hookimpl\ndef waxbill_health(): return {'fine': {'status': 'up'}}\n"
    install(tmp_path / "site", "raising", raising)
    install(tmp_path / "site", "fine", fine)
    server = serve(PYTHONPATH=str(tmp_path / "site"))
    health = server.get("/health")
    assert health.status == 200
    assert health.json()["details"]["fine"] == {"status": "up"}
    assert "out of order" in health.json()["plugins"]["raising"]
    assert "Plugin raising raised in waxbill_health: out of order" in server.log


def test_plugins_can_be_left_out(waxbill: Run) -> None:
    rows = listed(waxbill, WAXBILL_DISABLE_PLUGINS="monitor, browser")
    assert [rows[name]["state"] for name in ("mock", "monitor", "browser")] == ["loaded", "disabled", "disabled"]


def test_a_third_party_driver_serves(
    tmp_path: Path, serve: Callable[..., ServerProcess], receiver: Receiver, waxbill: Run
) -> None:
    site, echo = str(tmp_path / "site"), str(ROOT / "examples/plugins/echo-driver")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--target",
            site,
            echo,
        ],
        check=True,
    )
    server = serve(
        PYTHONPATH=str(tmp_path / "site"),
        FORCE_MOCK_MODE="false",
        WAXBILL_DRIVER="echo",
        ECHO_SHOUT="true",
        WHATSAPP_HOOK_URL=receiver.url,
        WHATSAPP_HOOK_EVENTS="message",
    )
    assert server.post("/api/sessions", {"name": "s"}).status == 201
    server.wait_for_status("s", "WORKING")
    sent = server.post("/api/sendText", {"session": "s", "chatId": "49301234567", "text": "hello"})
    assert (sent.status, sent.json()["body"]) == (201, "hello")
    assert sent.headers["x-waxbill-driver"] == "echo"
    assert receiver.wait_for(lambda event: event["event"] == "message")["payload"]["body"] == "HELLO"
    missing = server.get("/api/s/chats/49301234567/messages")
    assert missing.status == 501
    assert listed(waxbill, PYTHONPATH=site)["echo"]["distribution"] == "waxbill-echo"


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_says_what_it_is_for_and_has_an_example(name: str) -> None:
    text = inspect.getdoc(getattr(hookspecs, name)) or ""
    example = inspect.cleandoc(text.partition("::\n")[2])
    assert f"def {name}(" in example, "no example"
    compile(example, name, "exec")
    function = re.search(rf"@hookimpl\ndef {name}\((.*?)\):", example)
    assert function is not None
    asked = {argument.strip() for argument in function[1].split(",") if argument.strip()}
    assert asked <= set(inspect.signature(getattr(hookspecs, name)).parameters)


def test_every_hook_is_called_somewhere() -> None:
    source = "".join(path.read_text() for path in ROOT.glob("[cp]*/**/*.py") if path.name != "hookspecs.py")
    uncalled = [name for name in HOOKS if not re.search(rf'(call|first)[(,]\s*"{name}"', source)]
    assert uncalled == []


def test_first_takes_the_first_answer_and_call_takes_all() -> None:
    class One:
        @hookimpl
        def waxbill_metrics(self) -> dict[str, float]:
            return {"one": 1}

        @hookimpl
        def waxbill_memory_level(self) -> None:
            return None

    class Two:
        @hookimpl(trylast=True)
        def waxbill_metrics(self) -> dict[str, float]:
            return {"two": 2}

        @hookimpl(trylast=True)
        def waxbill_memory_level(self) -> str:
            return "high"

    plugins = Plugins(disabled=["mock", "monitor", "browser"], extra=[("one", One()), ("two", Two())])
    assert plugins.call("waxbill_metrics") == [{"one": 1}, {"two": 2}]
    assert plugins.first("waxbill_memory_level", reading=None, history=[], settings=None) == "high"


# -- how hooks change (docs/plugins.md)


@pytest.mark.parametrize("name", HOOKS)
def test_an_implementation_may_leave_out_any_argument(name: str) -> None:
    """What an old plugin is to a hook that has gained arguments since."""
    arguments = inspect.signature(getattr(hookspecs, name)).parameters
    for kept in (None, *arguments):
        called: list[Any] = []
        parameter = kept or ""
        code = f"def {name}({parameter}):\n    called.append({parameter or None})\n    return 'answer'"
        scope: dict[str, Any] = {"called": called}
        exec(compile(code, name, "exec"), scope)
        plugin = types.SimpleNamespace(**{name: hookimpl(tryfirst=True)(scope[name])})
        plugins = Plugins(disabled=["mock", "monitor", "browser", "redis"], extra=[("old", plugin)])
        assert plugins.first(name, **{argument: argument for argument in arguments}) == "answer"
        assert called == [kept]
        assert plugins.problems() == {}


def test_a_deprecated_hook_is_called_and_its_plugin_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def waxbill_shouted(text: str) -> str:  # type: ignore[empty-body]
        """A hook that is to go."""

    deprecated = hookspecs.hookspec(warn_on_impl=DeprecationWarning("implement waxbill_event instead"))
    monkeypatch.setattr(hookspecs, "waxbill_shouted", deprecated(waxbill_shouted), raising=False)

    class Old:
        @hookimpl
        def waxbill_shouted(self, text: str) -> str:
            return text.upper()

    with pytest.warns(DeprecationWarning, match="implement waxbill_event instead"):
        plugins = Plugins(disabled=["mock", "monitor", "browser", "redis"], extra=[("old", Old())])
    assert plugins.call("waxbill_shouted", text="loud") == ["LOUD"]
    said = "Plugin old implements waxbill_shouted, which is deprecated: implement waxbill_event instead"
    assert said in caplog.text
