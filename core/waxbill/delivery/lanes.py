"""The workers that empty the outbox: lane by lane, in order, as many lanes at a time as there are workers."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from urllib.parse import urlsplit

from ..clock import Clock
from ..plugins import Plugins
from . import retry
from .outbox import Attempt, Delivery, Outbox, Outcome, WebhookRequest

log = logging.getLogger("waxbill.delivery")

# Deliveries that one worker takes at once: they are marked done together, and a crash repeats at most these.
_BATCH = 64
BY_HAND, FAILING = "hand", "failing"
# A worker whose lane has no more stays with it this long before it marks what it delivered as done: a commit for each
# event would cost as much as its delivery, and makes all other threads read again what they know of the store.
_STAYS_SECONDS = 0.005
# A worker is given this long to end with the delivery that it has in hand.
_LAST_SECONDS = 2.0
# Before a lane that another process delivers is looked at again.
_TAKEN_SECONDS = 0.25
# A worker without work ends: an idle server has none.
_IDLE_SECONDS = 10.0


class Lanes:
    """Delivers what is in the outbox. ``wake`` may be called by any thread; the workers are its own.

    A lane is in one place only: with a worker, in the line of the ready, or waiting for its next attempt.
    """

    def __init__(
        self,
        outbox: Outbox,
        plugins: Plugins,
        clock: Clock,
        *,
        workers: int,
        per_host: int,
        timeout_seconds: float,
        strikes: int,
        probe_seconds: float,
    ) -> None:
        """``per_host`` deliveries at most go to one host at a time; after ``strikes`` dead letters in a row a lane
        is paused (0: never) and first probed after ``probe_seconds``."""
        self._outbox = outbox
        self._plugins = plugins
        self._clock = clock
        self._most = workers
        self._per_host = per_host
        self._strikes = strikes
        self._probe_seconds = probe_seconds
        #: How long the last pause of a lane was, in seconds.
        self._probes: dict[int, float] = {}
        #: Deliveries in flight by host, and the host of every lane that was in line.
        self._flying: Counter[str] = Counter()
        self._hosts: dict[int, str] = {}
        self._timeout_seconds = timeout_seconds
        self._lock = threading.RLock()
        #: For the workers: there may be something to take. For who closes: fewer of them are busy.
        self._changed, self._settled = threading.Condition(self._lock), threading.Condition(self._lock)
        #: For a worker that stays with a lane, by lane.
        self._staying: dict[int, threading.Condition] = {}
        self._ready: deque[int] = deque()
        #: Lanes in hand, in line or waiting; the value says that more arrived meanwhile.
        self._known: dict[int, bool] = {}
        self._workers = 0
        self._idle = 0
        self._stopping = False
        #: Nobody stays any more.
        self._closing = False
        outbox.wake = self.wake

    def start(self) -> None:
        """Takes up what the last run left behind, and what other processes on the same store leave."""
        self.wake(self._outbox.waiting_lanes())
        if self._outbox.shared:
            self._outbox.listen(self._look)

    def _look(self) -> None:
        """Another process put something in, or has gone and left something: helps where there is a free hand."""
        if not self._ready and not self._stopping:
            self.wake(self._outbox.waiting_lanes())

    def wake(self, lanes: Iterable[int]) -> None:
        """Says that these lanes have something to deliver."""
        with self._changed:
            for lane in lanes:
                if lane in self._known:
                    self._known[lane] = True
                    if lane in self._staying:
                        self._staying[lane].notify()
                else:
                    self._known[lane] = False
                    self._line_up(lane)

    def _line_up(self, lane: int) -> None:
        """Puts a lane at the end of the line. The lock is held."""
        self._ready.append(lane)
        for staying in self._staying.values():
            staying.notify()
        if self._idle:
            self._changed.notify()
        elif self._workers < self._most and not self._stopping:
            if not self._workers:
                from ..heap import share_one

                share_one()
            worker = threading.Thread(target=self._work, name=f"delivery-{self._workers + 1}", daemon=True)
            try:
                worker.start()
                self._workers += 1
            except RuntimeError as error:  # no memory for its stack; the lane is in line, somebody will come for it
                log.error("A delivery thread can't be started: %s", error)
                if not self._workers:
                    self._ready.remove(lane)
                    self._clock.call_later(retry.DEFAULT_DELAY_SECONDS, lambda: self._again(lane))

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                self._settled.notify()
                lane = self._changed.wait_for(lambda: self._stopping or self._take(), _IDLE_SECONDS)
                self._idle -= 1
                if self._stopping or not lane:
                    self._workers -= 1
                    self._settled.notify()
                    return
            try:
                delay = self._deliver_alone(lane)
            except Exception:
                log.exception("Delivery of lane %d stopped; it is tried again", lane)
                delay = retry.DEFAULT_DELAY_SECONDS
            self._put_back(lane, delay)

    def _take(self) -> int:
        """The next lane in line whose host has room; 0 when there is none. The lock is held."""
        for lane in self._ready:
            host = self._hosts.get(lane)
            if host is None:
                host = self._hosts[lane] = self._host_of(lane)
            if self._flying[host] < self._per_host:
                self._ready.remove(lane)
                self._flying[host] += 1
                return lane
        return 0

    def _host_of(self, lane: int) -> str:
        try:
            return urlsplit(self._outbox.url_of(lane)).netloc
        except Exception:  # the store is away: the delivery will say so
            log.debug("The host of lane %d is not known", lane, exc_info=True)
            return ""

    def _put_back(self, lane: int, delay_seconds: float | None) -> None:
        """After a round: wait for the next attempt, line up for more, or forget the lane until it is woken."""
        with self._changed:
            self._flying[self._hosts[lane]] -= 1
            if delay_seconds is not None and delay_seconds > 0:
                self._clock.call_later(delay_seconds, lambda: self._again(lane))
            elif delay_seconds == 0 or self._known[lane]:
                self._known[lane] = False
                self._line_up(lane)
            else:
                del self._known[lane], self._hosts[lane]
            self._changed.notify_all()

    def _again(self, lane: int) -> None:
        with self._changed:
            self._known[lane] = False
            self._line_up(lane)

    def _deliver_alone(self, lane: int) -> float | None:
        """Delivers a batch of a lane, unless another process is at it: then it is looked at again in a moment."""
        if not self._outbox.claim(lane):
            return _TAKEN_SECONDS
        try:
            return self._deliver(lane)
        finally:
            self._outbox.release(lane)

    def _deliver(self, lane: int) -> float | None:
        """Delivers a batch of a lane. Answers seconds until it is due, 0 for more at once, None for empty."""
        paused, probe_at = self._outbox.pause_of(lane)
        if paused == BY_HAND:
            return None
        if paused and (wait := probe_at - time.time()) > 0:
            return wait
        batch = self._outbox.head(lane, 1 if paused else _BATCH)
        again = len(batch) == _BATCH
        done: list[Attempt] = []
        try:
            while batch:
                for delivery in batch:
                    if self._stopping:
                        return None
                    wait = delivery.due - time.time()
                    if wait > 0:
                        return wait
                    outcome = self._attempt(delivery)
                    attempt = Attempt(delivery, delivery.failed + 1, time.time_ns() // 1_000_000, outcome)
                    if outcome.ok:
                        done.append(attempt)
                        if paused:
                            log.warning("The webhook %s answers again and is resumed", delivery.webhook.url)
                            self._outbox.done([done.pop()])
                            self._outbox.resume(lane)
                            return 0
                        continue
                    if paused:
                        return self._probe_later(lane, delivery, outcome.error)
                    delay = retry.delay_seconds(delivery.webhook.retries, delivery.failed + 1)
                    strikes = self._outbox.failed(attempt, delay)
                    log.log(
                        logging.ERROR if delay is None else logging.WARNING,
                        "Delivery of %s %s of session '%s' to %s failed (attempt %d): %s; %s",
                        delivery.event,
                        delivery.event_id,
                        delivery.session,
                        delivery.webhook.url,
                        delivery.failed + 1,
                        outcome.error,
                        "no attempt left, it is a dead letter now" if delay is None else f"again in {delay:.1f} s",
                    )
                    if delay is not None:
                        return max(delay, 0.001)
                    if self._strikes and strikes >= self._strikes:
                        return self._probe_later(lane, delivery, outcome.error)
                if len(done) >= _BATCH or not self._stay(lane):
                    break
                again = True  # with what came before the last of these, if it was put in again
                batch = self._outbox.head(lane, _BATCH - len(done), after=batch[-1].seq)
        finally:
            self._outbox.done(done)
            if done:
                self._probes.pop(lane, None)
        return 0 if again else None

    def _stay(self, lane: int) -> bool:
        """Waits a moment for more to come to a lane in hand; False when none comes or another lane is in line."""
        with self._changed:
            self._staying[lane] = threading.Condition(self._lock)
            self._staying[lane].wait_for(lambda: self._known[lane] or self._ready or self._closing, _STAYS_SECONDS)
            del self._staying[lane]
            if self._ready or self._closing or not self._known[lane]:
                return False
            self._known[lane] = False
            return True

    def _probe_later(self, lane: int, delivery: Delivery, error: str) -> float:
        """Pauses a lane whose receiver keeps failing; answers seconds until it is probed."""
        before = self._probes.get(lane, 0.0)
        delay = self._probes[lane] = min(max(before * 2, self._probe_seconds), retry.LONGEST_SECONDS)
        self._outbox.pause(lane, FAILING, time.time() + delay)
        log.error(
            "The webhook %s of session '%s' keeps failing (%s) and is paused: what comes waits, it is probed in %.0f s",
            delivery.webhook.url,
            delivery.session,
            error,
            delay,
        )
        return delay

    def _attempt(self, delivery: Delivery) -> Outcome:
        request = WebhookRequest(delivery.webhook.url, {}, delivery.body, self._timeout_seconds)
        self._plugins.call("waxbill_prepare_delivery", delivery=delivery, request=request)
        outcome: Outcome | None = self._plugins.first("waxbill_deliver", delivery=delivery, request=request)
        if outcome is None:
            scheme = delivery.webhook.url.partition(":")[0]
            outcome = Outcome(False, error=f"no installed plugin delivers to '{scheme}:' URLs")
        self._plugins.call("waxbill_delivered", delivery=delivery, outcome=outcome)
        return outcome

    def close(self, timeout_seconds: float) -> bool:
        """Delivers what needs no waiting, for at most the time given; the next start delivers the rest.

        False when a worker still runs: then the store must stay open, whose connection it uses.
        """
        end = time.monotonic() + timeout_seconds
        with self._changed:
            self._closing = True
            for staying in self._staying.values():
                staying.notify()
            self._settled.wait_for(lambda: not self._ready and self._workers == self._idle, timeout_seconds)
            self._stopping = True
            self._changed.notify_all()
            timeout_seconds = max(_LAST_SECONDS, end - time.monotonic())
            if not self._settled.wait_for(lambda: self._workers == 0, timeout_seconds):
                log.warning("%d deliveries still run; they are repeated at the next start", self._workers)
                return False
        return True
