"""Counts requests and messages under WAHA's metric names, where WAHA_PROMETHEUS_ENABLED asks for it."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any

from waxbill import hookimpl

if TYPE_CHECKING:
    import falcon

#: Upper bounds in seconds, WAHA's own.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STARTED = "waxbill.monitor.started"


class Traffic:
    """A Falcon middleware and a plugin. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Requests by method and status: how many in each bucket (the last is beyond all), and their seconds in all.
        self.requests: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
        #: Messages by direction.
        self.messages: Counter[str] = Counter(sent=0, received=0)

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.env[_STARTED] = time.perf_counter()

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, req_succeeded: bool) -> None:
        seconds = time.perf_counter() - req.env[_STARTED]
        label = (req.method, str(resp.status).partition(" ")[0])
        with self._lock:
            if label not in self.requests:
                self.requests[label] = ([0] * (len(BUCKETS) + 1), [0.0])
            buckets, total = self.requests[label]
            buckets[bisect_left(BUCKETS, seconds)] += 1
            total[0] += seconds

    @hookimpl
    def waxbill_event(self, event: dict[str, Any]) -> None:
        if event["event"] != "message.any":
            return
        payload = event["payload"]
        mine = payload.get("fromMe") if isinstance(payload, dict) else getattr(payload, "fromMe", False)
        with self._lock:
            self.messages["sent" if mine else "received"] += 1
