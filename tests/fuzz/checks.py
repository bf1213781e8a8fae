"""What schemathesis checks beyond its own: loaded by it through SCHEMATHESIS_HOOKS."""

from __future__ import annotations

from typing import Any

import schemathesis

#: What WhatsApp itself refuses is answered with 500 by WAHA, under these names.
REFUSALS = {"forbidden", "not-authorized", "not-acceptable", "item-not-found", "not-allowed"}
#: Not failures: not with this engine, not now, no room.
MAY = {501, 503, 507}


@schemathesis.check  # type: ignore[untyped-decorator]
def nothing_failed(context: Any, response: Any, case: Any) -> None:
    """In place of not_a_server_error: 500 is only ever WhatsApp's own refusal."""
    status = response.status_code
    if status < 500 or status in MAY:
        return
    assert status == 500, f"answered {status}"
    name = response.json().get("exception", {}).get("name")
    assert name in REFUSALS, f"failed: {response.text[:2000]}"


@schemathesis.check  # type: ignore[untyped-decorator]
def every_answer_is_harmless_to_a_browser(context: Any, response: Any, case: Any) -> None:
    if case.path in ("/ws", "/api/events/stream"):
        return  # no pages
    headers = {name.lower(): values for name, values in response.headers.items()}
    assert headers.get("x-content-type-options") == ["nosniff"], headers
    if any(value.startswith("text/html") for value in headers.get("content-type", ())) and case.path.startswith("/api"):
        assert headers["content-security-policy"] == ["default-src 'none'; sandbox"]
