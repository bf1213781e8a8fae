"""What is remembered of messages, and a session's proxy out of a list: in a real store, without a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from waxbill.model.sessions import SessionConfig
from waxbill.sqlite import SqliteStore
from waxbill_browser import later, seen
from waxbill_browser.later import Later
from waxbill_browser.look import Look, forget_proxy, look_of
from waxbill_browser.settings import BrowserSettings


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "store.sqlite3")
    made.migrate("browser", seen.SCHEMA)
    yield made
    made.close()


def count(store: SqliteStore, session: str = "s") -> int:
    return int(store.read().execute("SELECT count(*) FROM browser_later WHERE session = ?", (session,)).fetchone()[0])


def test_each_value_is_news_once_and_acknowledgements_only_rise(store: SqliteStore) -> None:
    notes = Later("s")
    with store.write() as db:
        assert [notes.tell(db, "1A", "ack", level) for level in ("1", "3", "2", "3")] == [True, True, False, False]
        assert [notes.tell(db, "1A", "reaction", text, "ana") for text in ("👍", "👍", "", "👍")] == [
            True,
            False,
            True,
            True,
        ]
        assert notes.tell(db, "1A", "reaction", "👍", "bo")
        assert sorted(notes.reacted(db, "1A")) == ["ana", "bo"]
        assert Later("other").known(db, "1A", "ack") is None


def test_notes_are_bounded_by_age_and_by_number(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "MOST_NOTES", 10)
    now = 1_900_000_000
    monkeypatch.setattr(later, "time", SimpleNamespace(time=lambda: now))
    notes, other = Later("s"), Later("other")
    with store.write() as db:
        other.tell(db, "1A", "ack", "1")
    for number in range(30):
        monkeypatch.setattr(later, "time", SimpleNamespace(time=lambda number=number: now + number))
        with store.write() as db:
            notes.tell(db, f"1{number}", "ack", "1")
    with store.write() as db:
        notes.prune(db)
        assert notes.known(db, "129", "ack") == "1"
        assert notes.known(db, "10", "ack") is None
    assert count(store) == 10
    monkeypatch.setattr(later, "time", SimpleNamespace(time=lambda: now + later.KEPT_SECONDS + 60))
    with store.write() as db:
        notes.prune(db)
    assert (count(store), count(store, "other")) == (0, 1)


def test_forgetting_leaves_other_sessions_theirs(store: SqliteStore) -> None:
    with store.write() as db:
        Later("s").tell(db, "1A", "ack", "1")
        Later("other").tell(db, "1A", "ack", "1")
        Later("s").forget(db)
    assert (count(store), count(store, "other")) == (0, 1)


# -- looks


Looks = Callable[..., Look]


@pytest.fixture
def looks(store: SqliteStore) -> Looks:
    def look(name: str, config: dict[str, Any] | None = None, **settings: Any) -> Look:
        host: Any = SimpleNamespace(name=name, config=msgspec.convert(config or {}, SessionConfig), store=store)
        return look_of(host, BrowserSettings(**settings), user_agent="Mozilla/5.0 Chrome/1.0.0.0")

    return look


def test_proxies_of_a_list_are_taken_in_turn_and_kept(looks: Looks, store: SqliteStore) -> None:
    def proxy(name: str, servers: tuple[str, ...] = ("a:1", "b:2")) -> str:
        return looks(name, proxy_list=servers).proxy

    assert [proxy(name) for name in "wxyz"] == ["a:1", "b:2", "a:1", "b:2"]
    assert proxy("x") == "b:2"
    with store.write() as db:
        forget_proxy(db, "w")
        forget_proxy(db, "y")
    assert proxy("new") == "a:1"
    assert proxy("x", ("a:1", "c:3")) == "c:3"  # its own is not in the list any more


def test_a_number_in_the_name_picks_the_proxy(looks: Looks) -> None:
    servers = ("first:80", "second:80", "third:80")

    def proxy(name: str) -> str:
        return looks(name, proxy_list=servers, proxy_index_prefix="proxy-").proxy

    assert [proxy(f"proxy-{number}") for number in (1, 3, 4)] == ["first:80", "third:80", "first:80"]
    assert proxy("my-proxy-2-de") == "second:80"
    assert proxy("proxy-x") in servers


def test_a_session_s_own_proxy_comes_first_with_its_own_login(looks: Looks) -> None:
    more = {"proxy_username": "u", "proxy_password": "p", "proxy_list": ("l:1",)}
    own = looks("s", {"proxy": {"server": "own:1"}}, proxy_server="all:1", **more)
    assert (own.proxy, own.login) == ("own:1", None)
    everybodys = looks("s", proxy_server="all:1", **more)
    assert (everybodys.proxy, everybodys.login) == ("all:1", ("u", "p"))
    assert looks("s", **more).proxy == "l:1"
    assert looks("s", proxy_username="u").login is None


def test_client_hints_follow_the_user_agent() -> None:
    windows = Look(user_agent="Mozilla/5.0 (Windows NT 10.0) Chrome/150.0.0.0 Safari/537.36").user_agent_override()
    hints = windows["userAgentMetadata"]
    assert (hints["platform"], hints["brands"][0], hints["mobile"]) == (
        "Windows",
        {"brand": "Chromium", "version": "150"},
        False,
    )
    firefox = Look(user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    assert "userAgentMetadata" not in firefox.user_agent_override()
