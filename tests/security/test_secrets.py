"""Secrets stay where they are: not in logs, errors, listings, or files that others can read."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from waxbill.masking import Mask, MaskedLines, mask_text
from waxbill.sqlite import SqliteStore
from waxbill.testing import ServerProcess

from ..simulating import Simulator

Serve = Callable[..., ServerProcess]
SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pa:ss@example.com/x", "https://user:***@example.com/x"),
        ("https://user:p@ss@example.com/x", "https://user:***@example.com/x"),
        ("redis://:pass@host:6379/0", "redis://:***@host:6379/0"),
        ("https://example.com/a:b@c", "https://example.com/a:b@c"),
        ("https://example.com:8080/x", "https://example.com:8080/x"),
        ("GET /api?x-api-key=abc&all=true", "GET /api?x-api-key=***&all=true"),
        ("X-Api-Key: abc", "X-Api-Key: ***"),
        ("{'Authorization': 'Basic dXNlcjpwYXNz'}", "{'Authorization': 'Basic ***'}"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_passwords_and_keys_in_a_text_are_hidden(text: str, shown: str) -> None:
    assert mask_text(text) == shown


def test_secrets_of_the_settings_are_hidden_wherever_they_stand() -> None:
    mask = Mask([SECRET, "abc", SECRET + "-longer"])
    assert mask(f"it said {SECRET}-longer and {SECRET}.") == "it said *** and ***."
    assert mask("abc is too short to be told from a word") == "abc is too short to be told from a word"


def test_a_log_line_hides_them_in_its_exception_too() -> None:
    formatter = MaskedLines(logging.Formatter("%(message)s"), Mask([SECRET]))
    try:
        raise ValueError(f"no such key: {SECRET} at https://u:{SECRET}x@example.com")
    except ValueError as error:
        record = logging.LogRecord("x", 40, "x", 1, "failed with %s", (SECRET,), (type(error), error, None))
    text = formatter.format(record)
    assert "failed with ***" in text
    assert "ValueError: no such key: ***" in text
    assert SECRET not in text


def test_the_log_and_the_listings_of_a_server_hide_them(serve: Serve, waxbill: Any) -> None:
    environment = {
        "WHATSAPP_HOOK_URL": f"http://bot:{SECRET}@127.0.0.1:9/hook",
        "WHATSAPP_HOOK_EVENTS": "*",
        "WHATSAPP_HOOK_RETRIES_ATTEMPTS": "0",
        "WAXBILL_HOOK_PAUSE_AFTER": "1",
        "WHATSAPP_HOOK_HMAC_KEY": SECRET + "-hmac",
        "WHATSAPP_HOOK_CUSTOM_HEADERS": f"Authorization:{SECRET}",
        "DATABASE_DSN": f"postgres://u:{SECRET}@db/x",
        "SOME_TARGET": f"amqp://u:{SECRET}@mq/x",
        "WHATSAPP_START_SESSION": "s",
    }
    server = serve(key=SECRET + "-key", **environment)
    server.wait_for_status("s", "WORKING")
    assert server.wait_for_log(lambda line: "127.0.0.1:9" in line or "dead" in line.lower())
    shown = server.get("/api/server/environment", query={"all": "true"}).text
    listed = waxbill("settings", WAHA_API_KEY=SECRET, **environment).stdout
    assert "WHATSAPP_HOOK_URL" in shown
    assert "WHATSAPP_HOOK_URL" in listed
    for text in (server.log, shown, listed):
        assert SECRET not in text


def test_an_error_that_nobody_expected_hides_them(simulators: Callable[..., Simulator]) -> None:
    simulator = simulators(WHATSAPP_HOOK_HMAC_KEY=SECRET)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"could not reach https://bot:pass@example.com with {SECRET}")

    simulator.server.health = fail  # type: ignore[method-assign]
    answer = simulator.simulate_get("/health", params={"x-api-key": "the-callers-key"})
    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert "the-callers-key" not in answer.text
    assert "https://bot:***@example.com with ***" in answer.text


# -- on disk


def test_a_store_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "store" / "waxbill.sqlite3"
    before = os.umask(0)
    try:
        path.parent.mkdir()
        path.write_bytes(b"")
        path.chmod(0o644)  # from a backup, perhaps
        store = SqliteStore(path)
        with store.write() as db:
            db.execute("CREATE TABLE x (y)")
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    store.close()
    assert modes.keys() >= {"waxbill.sqlite3", "waxbill.sqlite3-wal", "waxbill.sqlite3-shm", "waxbill.sqlite3.lock"}
    assert set(modes.values()) == {0o600}
