// The event monitor: what happens, as webhooks get it.

import { stream } from "./api.js";
import { copy, exactTime, h, iconButton, json, button } from "./dom.js";
import { inWords, parseId, readMessage } from "./message.js";
import { changes, MOST_EVENTS, state } from "./state.js";

/** An event in a few words. */
function summary({ event, payload }) {
  const p = payload || {};
  try {
    if (["message", "message.any", "message.waiting", "message.edited"].includes(event)) return inWords(readMessage(p));
    if (event.startsWith("message.ack")) return `${p.ackName} · ${parseId(p.id).chat}`;
    if (event === "message.reaction") return `${p.reaction.text || "taken back"} · ${p.participant || p.from}`;
    if (event === "message.revoked") return p.revokedMessageId;
    if (event === "session.status") return p.status;
    if (event.startsWith("poll.vote"))
      return `${(p.vote.selectedOptions || []).join(", ") || "taken back"} · ${p.vote.from}`;
    if (event === "presence.update")
      return p.presences.map((each) => `${each.participant} ${each.lastKnownPresence}`).join(", ");
    if (event === "engine.event") return p.event;
    return p.id || p.group?.subject || p.group?.id || p.from || "";
  } catch {
    return "";
  }
}

export class Events {
  title = "Events";
  #paused = false;
  #shown = [];
  #waiting = false;

  constructor() {
    this.find = h("input", {
      type: "search",
      placeholder: "Filter by any text",
      "aria-label": "Filter by any text",
      oninput: () => this.#draw(),
    });
    this.names = h(
      "select",
      { "aria-label": "Event", onchange: () => this.#draw() },
      h("option", { value: "" }, "All events"),
    );
    this.sessions = h(
      "select",
      { "aria-label": "Session", onchange: () => this.#draw() },
      h("option", { value: "" }, "All sessions"),
    );
    this.hold = button("Pause", "pause", () => this.#pause(!this.#paused), { "aria-pressed": "false" });
    this.count = h("p", { class: "hint", role: "status" });
    this.list = h("ol", { class: "event-list", "aria-label": "Events" });
    this.node = h(
      "div",
      { class: "page" },
      h(
        "header",
        null,
        h("h1", null, "Events"),
        this.hold,
        button("Copy all", "copy", () => copy(JSON.stringify(this.#fitting(), null, 2))),
        button("Clear", "trash", () => ((state.events = []), this.#draw())),
      ),
      h(
        "div",
        { class: "filters" },
        this.find,
        this.names,
        this.sessions,
        h(
          "label",
          { class: "check" },
          h("input", {
            type: "checkbox",
            checked: stream.engine,
            onchange: (event) => stream.withEngine(event.target.checked),
          }),
          "Engine's own events",
        ),
      ),
      this.count,
      this.list,
    );
  }

  #onEvent = () => {
    if (this.#waiting || this.#paused) return;
    this.#waiting = true;
    requestAnimationFrame(() => ((this.#waiting = false), this.#draw()));
  };

  mount() {
    changes.addEventListener("event", this.#onEvent);
    this.#draw();
  }

  unmount() {
    changes.removeEventListener("event", this.#onEvent);
  }

  show() {}

  key(event) {
    if (event.key === "/") this.find.focus();
    else if (event.key === "p") this.#pause(!this.#paused);
    else return false;
    return true;
  }

  #pause(paused) {
    this.#paused = paused;
    this.#shown = paused ? [...state.events] : [];
    this.hold.setAttribute("aria-pressed", String(paused));
    this.hold.lastChild.textContent = paused ? "Resume" : "Pause";
    this.#draw();
  }

  #fitting() {
    const text = this.find.value.trim().toLowerCase();
    return (this.#paused ? this.#shown : state.events).filter(
      (event) =>
        (!this.names.value || event.event === this.names.value) &&
        (!this.sessions.value || event.session === this.sessions.value) &&
        (!text || JSON.stringify(event).toLowerCase().includes(text)),
    );
  }

  #offer(select, values) {
    const known = new Set([...select.options].map((option) => option.value));
    for (const value of values) if (!known.has(value)) (known.add(value), select.append(h("option", { value }, value)));
  }

  #rows = new Map();

  #draw() {
    this.#offer(
      this.names,
      state.events.map((event) => event.event),
    );
    this.#offer(
      this.sessions,
      state.events.map((event) => event.session),
    );
    const fitting = this.#fitting();
    const rows = new Map(fitting.map((event) => [event.id, this.#rows.get(event.id) || this.#row(event)]));
    this.#rows = rows;
    // Rows that stay are left alone, so that focus and what is opened stay, too.
    let before = null;
    for (const row of rows.values()) {
      const place = before ? before.nextSibling : this.list.firstChild;
      if (place !== row) this.list.insertBefore(row, place);
      before = row;
    }
    while (before ? before.nextSibling : this.list.firstChild)
      (before ? before.nextSibling : this.list.firstChild).remove();
    const told = state.events.length >= MOST_EVENTS ? `the last ${MOST_EVENTS}` : state.events.length;
    this.count.textContent = this.#paused
      ? `Paused. ${fitting.length} shown; what comes meanwhile is kept.`
      : fitting.length
        ? `${fitting.length} of ${told}`
        : "Nothing yet. Events are shown here as they happen.";
  }

  #row(event) {
    const body = h("div");
    const details = h(
      "details",
      { ontoggle: () => details.open && !body.firstChild && body.append(json(event)) },
      h(
        "summary",
        null,
        h("time", { datetime: new Date(event.timestamp).toISOString() }, exactTime(event.timestamp)),
        h("b", null, event.event),
        h("i", null, event.session),
        h("span", { dir: "auto" }, summary(event)),
      ),
      body,
    );
    return h(
      "li",
      null,
      details,
      iconButton("Copy this event", "copy", () => copy(JSON.stringify(event, null, 2))),
    );
  }
}
