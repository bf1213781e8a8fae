"""The dashboard's bytes and its log-in, without a browser: what is served to whom, and what a cookie is worth."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.making import png
from tests.simulating import Simulator
from waxbill.testing import Answer, ServerProcess

PAGE = {"X-Waxbill-Dashboard": "1"}
PARTS = Path(__file__).parents[2] / "core/waxbill/dashboard"


def log_in(server: ServerProcess, **given: str) -> dict[str, str]:
    """Logs in, and answers the headers that the page sends from then on."""
    answer = server.request("POST", "/dashboard/login", given, headers={**PAGE, "X-Api-Key": ""})
    assert answer.status == 200, answer.text
    return {**PAGE, "X-Api-Key": "", "Cookie": answer.headers["set-cookie"].partition(";")[0]}


def refused(answer: Answer) -> bool:
    return answer.status == 401


# -- the page


def test_the_page_is_served_at_its_views_too(serve: Callable[..., ServerProcess]) -> None:
    server = serve()
    page = server.get("/dashboard")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path in ("/dashboard/", "/dashboard/chats", "/dashboard/event-monitor", "/dashboard/chats?session=s&chat=x"):
        assert server.get(path).body == page.body


def test_every_part_is_served_as_it_is_written_and_all_are_small(serve: Callable[..., ServerProcess]) -> None:
    server, size = serve(), 0
    for path in PARTS.iterdir():
        url = "/dashboard" if path.name == "index.html" else f"/dashboard/-/{path.name}"
        plain = server.get(url)
        packed = server.get(url, headers={"Accept-Encoding": "gzip"})
        assert plain.body == path.read_bytes()
        assert gzip.decompress(packed.body) == path.read_bytes()
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "Accept-Encoding"
        size += len(packed.body)
    assert size < 100_000


def test_a_part_that_the_browser_has_is_not_sent_again(serve: Callable[..., ServerProcess]) -> None:
    server = serve()
    tag = server.get("/dashboard/-/app.js").headers["etag"]
    again = server.get("/dashboard/-/app.js", headers={"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"")
    assert server.get("/dashboard/-/app.js", headers={"If-None-Match": 'W/"0"'}).status == 200


def test_the_page_may_load_nothing_from_elsewhere_and_run_nothing_inline(serve: Callable[..., ServerProcess]) -> None:
    server = serve()
    policy = server.get("/dashboard").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    html = (PARTS / "index.html").read_text()
    assert not re.search(r"\son\w+=|style=|<style|javascript:", html)
    assert re.findall(r'(?:src|href)="([^"]+)"', html)
    assert all(path.startswith("/") for path in re.findall(r'(?:src|href)="([^"]+)"', html))
    for path in PARTS.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", path.read_text()), path


@pytest.mark.parametrize("name", ["..%2f..%2fapp.py", "%2e%2e/app.py", "app.py", ".js", "nope.js", "index.html.gz"])
def test_nothing_but_parts_of_the_page_is_served(serve: Callable[..., ServerProcess], name: str) -> None:
    assert serve().get(f"/dashboard/-/{name}").status == 404


def test_it_can_be_switched_off(serve: Callable[..., ServerProcess]) -> None:
    server = serve(WAHA_DASHBOARD_ENABLED="false", WHATSAPP_SWAGGER_ENABLED="false")
    for path in ("/dashboard", "/dashboard/chats", "/dashboard/-/app.js", "/dashboard/login", "/"):
        assert server.get(path).status == 404
    assert server.post("/dashboard/login", {"password": ""}, headers=PAGE).status == 404


def test_the_root_leads_to_it_where_there_is_no_reference(serve: Callable[..., ServerProcess]) -> None:
    answer = serve(WHATSAPP_SWAGGER_ENABLED="false").get("/")
    assert (answer.status, answer.headers["location"]) == (302, "/dashboard")


# -- the log-in


def test_nothing_is_asked_for_where_the_api_asks_for_nothing(serve: Callable[..., ServerProcess]) -> None:
    assert serve().get("/dashboard/login").json() == {"asks": "nothing", "loggedIn": True, "session": None}


def test_without_a_password_of_its_own_the_key_opens_it(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="secret")
    assert server.get("/dashboard/login", headers={"X-Api-Key": ""}).json()["asks"] == "key"
    wrong = server.post("/dashboard/login", {"password": "Secret"}, headers=PAGE)
    assert refused(wrong)
    assert "set-cookie" not in wrong.headers
    page = log_in(server, password="secret")
    assert server.get("/api/sessions", headers=page).json() == []
    assert server.get("/dashboard/login", headers=page).json()["loggedIn"] is True


def test_a_hashed_key_opens_it_too(serve: Callable[..., ServerProcess]) -> None:
    import hashlib

    server = serve(WAHA_API_KEY=f"sha512:{hashlib.sha512(b'secret').hexdigest()}")
    assert server.get("/api/sessions", headers=log_in(server, password="secret")).status == 200


def test_with_a_password_neither_the_key_nor_another_user_opens_it(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="secret", WAHA_DASHBOARD_USERNAME="ada", WAHA_DASHBOARD_PASSWORD="engine")
    assert server.get("/dashboard/login", headers={"X-Api-Key": ""}).json()["asks"] == "password"
    for user, password in (("ada", "secret"), ("admin", "engine"), ("", "engine"), ("adae", "ngine")):
        answer = server.post("/dashboard/login", {"username": user, "password": password}, headers=PAGE)
        assert refused(answer), (user, password)
    assert server.get("/api/sessions", headers=log_in(server, username="ada", password="engine")).status == 200


def test_who_guesses_has_to_wait_and_the_right_password_does_not_help_then(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="secret", WAHA_DASHBOARD_PASSWORD="engine")

    def guess(password: str) -> Answer:
        return server.post("/dashboard/login", {"username": "admin", "password": password}, headers=PAGE)

    assert [guess(f"engine{n}").status for n in range(5)] == [401] * 5
    late = guess("engine")
    assert late.status == 429
    assert int(late.headers["retry-after"]) >= 1


def test_no_password_asks_for_the_key_and_hands_it_to_nobody(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="secret", WAHA_DASHBOARD_PASSWORD="x", WAHA_DASHBOARD_NO_PASSWORD="true")
    assert server.get("/dashboard/login", headers={"X-Api-Key": ""}).json()["asks"] == "key"
    assert refused(server.get("/api/sessions", headers={**PAGE, "X-Api-Key": ""}))


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(serve: Callable[..., ServerProcess]) -> None:
    def cookie(server: ServerProcess) -> str:
        answer = server.post("/dashboard/login", {"password": "secret"}, headers=PAGE)
        assert "no-store" in answer.headers["cache-control"]
        return answer.headers["set-cookie"]

    plain = cookie(serve(key="secret"))
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(plain.split("; "))
    assert "Secure" not in plain


def test_the_cookie_is_for_https_alone_where_the_server_is_reached_by_it(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="secret", WAHA_BASE_URL="https://bot.example")
    answer = server.post("/dashboard/login", {"password": "secret"}, headers=PAGE)
    assert "Secure" in answer.headers["set-cookie"].split("; ")


def test_a_cookie_without_the_page_s_header_opens_nothing(serve: Callable[..., ServerProcess]) -> None:
    """Whatever another site's page makes a browser send has the cookie at most."""
    server = serve(key="secret")
    page = log_in(server, password="secret")
    forged = {"Cookie": page["Cookie"], "X-Api-Key": ""}
    assert refused(server.get("/api/sessions", headers=forged))
    assert refused(server.post("/api/sessions", {"name": "s"}, headers=forged))
    assert refused(server.get("/api/sendText?phone=1&text=x&session=s", headers=forged))
    assert refused(server.get("/api/events/stream", headers=forged))
    assert refused(server.delete("/dashboard/login", headers=forged))
    assert refused(server.post("/dashboard/login", {"password": "secret"}, headers=forged))
    preflight = server.request("OPTIONS", "/api/sessions", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-credentials" not in preflight.headers
    assert preflight.headers["access-control-allow-origin"] == "*"


def test_a_cookie_alone_shows_media_to_the_page_and_to_no_other(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="secret")
    server.post("/api/sessions", {"name": "s"})
    server.wait_for_status("s", "WORKING")
    import base64

    file = {"mimetype": "image/png", "data": base64.b64encode(png()).decode()}
    sent = server.post("/api/waxbill/mock/s/messages", {"from": "49301234567", "file": file}).json()
    path = sent["media"]["url"].partition("/api/files/")[2]
    cookie = {"Cookie": log_in(server, password="secret")["Cookie"], "X-Api-Key": ""}
    assert server.get(f"/api/files/{path}", headers=cookie).body == png()
    assert server.get(f"/api/files/{path}", headers={**cookie, "Sec-Fetch-Site": "same-origin"}).status == 200
    assert refused(server.get(f"/api/files/{path}", headers={**cookie, "Sec-Fetch-Site": "cross-site"}))
    assert refused(server.get(f"/api/files/{path}", headers={"X-Api-Key": ""}))


def test_who_logs_out_is_out(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="secret")
    page = log_in(server, password="secret")
    other = log_in(server, password="secret")
    assert "Max-Age=0" in server.delete("/dashboard/login", headers=page).headers["set-cookie"]
    assert refused(server.get("/api/sessions", headers=page))
    assert server.get("/api/sessions", headers=other).status == 200


def test_the_key_of_one_session_opens_a_page_of_that_session(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="secret")
    for name in ("one", "two"):
        server.post("/api/sessions", {"name": name})
    key = server.post("/api/keys", {"session": "one"}).json()
    page = log_in(server, password=key["key"])
    assert server.get("/dashboard/login", headers=page).json()["session"] == "one"
    assert [each["name"] for each in server.get("/api/sessions", headers=page).json()] == ["one"]
    assert server.get("/api/sessions/two", headers=page).status == 403
    assert server.get("/api/waxbill/settings", headers=page).status == 403
    server.delete(f"/api/keys/{key['id']}")
    assert refused(server.get("/api/sessions", headers=page))


# -- what the page shows of the server


def test_settings_are_told_with_their_source_and_without_secrets(serve: Callable[..., ServerProcess]) -> None:
    server = serve(key="hush-hush", WAHA_DASHBOARD_PASSWORD="psst-psst", WAXBILL_MAX_BODY_MB="7")
    answer = server.get("/api/waxbill/settings")
    assert "hush-hush" not in answer.text
    assert "psst-psst" not in answer.text
    rows = {row["name"]: row for row in answer.json()}
    assert (rows["WAXBILL_MAX_BODY_MB"]["value"], rows["WAXBILL_MAX_BODY_MB"]["source"]) == ("7", "WAXBILL_MAX_BODY_MB")
    assert (rows["WHATSAPP_API_KEY"]["value"], rows["WHATSAPP_API_KEY"]["source"]) == ("***", "WAHA_API_KEY")
    assert rows["WHATSAPP_DEFAULT_ENGINE"]["source"] == "default"
    assert rows["WAXBILL_MOCK_SCAN_SECONDS"]["value"] == "0.0"


def test_plugins_are_told_with_what_they_implement(simulators: Callable[..., Simulator]) -> None:
    rows: list[dict[str, Any]] = simulators().call("GET", "/api/waxbill/plugins", status=200)
    found = {row["name"]: row for row in rows}
    assert found["mock"]["state"] == "loaded"
    assert found["mock"]["distribution"].startswith("waxbill_mock-")
    assert "waxbill_driver" in found["mock"]["hooks"]


def test_answers_to_messages_of_a_chat_are_told(each: Simulator) -> None:
    ana, bo = "49301234567@c.us", "49301234568@c.us"
    plain = each.call("POST", "/api/waxbill/mock/{s}/messages", {"from": ana, "text": "hi"}, status=201)["id"]
    poll = {"name": "When?", "options": ["Tue", "Wed"], "multipleAnswers": True}
    asked = each.call("POST", "/api/waxbill/mock/{s}/messages", {"from": ana, "poll": poll}, status=201)["id"]
    each.call("POST", "/api/waxbill/mock/{s}/messages", {"from": ana, "text": "nothing to it"}, status=201)
    each.call("POST", f"/api/waxbill/mock/{{s}}/messages/{plain}/reactions", {"from": ana, "reaction": "👍"})
    each.call("POST", f"/api/waxbill/mock/{{s}}/messages/{asked}/votes", {"from": bo, "votes": ["Tue", "Wed"]})
    url = f"/api/waxbill/mock/{{s}}/chats/{ana}/answers"
    assert each.call("GET", url, status=200) == [
        {"messageId": asked, "answers": [{"from": bo, "reaction": "", "votes": ["Tue", "Wed"]}]},
        {"messageId": plain, "answers": [{"from": ana, "reaction": "👍", "votes": []}]},
    ]
    assert each.call("GET", url, status=200, limit=1, offset=1) == [
        {"messageId": asked, "answers": [{"from": bo, "reaction": "", "votes": ["Tue", "Wed"]}]}
    ]
