// Webhook deliveries: what waits, what died, every attempt; replay, pause and resume.

import { get, path, post, remove } from "./api.js";
import { ask, attempt, button, exactTime, copy, day, h, json, settled } from "./dom.js";
import { changes, state } from "./state.js";

const PAGE = 100;
const EVERY_MS = 2000;

export class Deliveries {
  title = "Deliveries";
  #timer = 0;
  #open = "";
  #shown = "";
  #limit = PAGE;

  constructor() {
    this.state = h(
      "select",
      { "aria-label": "State", onchange: () => this.#load() },
      [
        ["", "All states"],
        ["pending", "Waiting"],
        ["dead", "Given up"],
        ["done", "Delivered"],
      ].map(([value, label]) => h("option", { value }, label)),
    );
    this.sessions = h("select", { "aria-label": "Session", onchange: () => this.#load() });
    this.hooks = h("div", { class: "cards wide" });
    this.rows = h("tbody");
    this.more = button("Show more", "down", () => ((this.#limit += PAGE), this.#load()), { hidden: true });
    this.again = button("Replay what was given up", "restart", () => this.#replayDead(), { hidden: true });
    this.drop = button("Drop it", "trash", () => this.#dropDead(), { hidden: true });
    this.told = h("p", { class: "hint", role: "status" });
    this.node = h(
      "div",
      { class: "page" },
      h("header", null, h("h1", null, "Deliveries"), this.again, this.drop),
      h("h2", null, "Webhooks"),
      this.hooks,
      h("h2", null, "Events on their way"),
      h("div", { class: "filters" }, this.state, this.sessions),
      this.told,
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Deliveries" },
        h(
          "table",
          null,
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              ["Time", "Event", "Session", "To", "State", "Attempts", "Again"].map((word) =>
                h("th", { scope: "col" }, word),
              ),
            ),
          ),
          this.rows,
        ),
      ),
      this.more,
    );
  }

  #onEvent = settled(() => this.#load(), 300, 1000);

  mount() {
    changes.addEventListener("event", this.#onEvent);
    this.sessions.replaceChildren(
      h("option", { value: "" }, "All sessions"),
      ...state.sessions.map(({ name }) => h("option", { value: name }, name)),
    );
    this.#timer = setInterval(() => document.visibilityState === "visible" && this.#load(), EVERY_MS);
    attempt(() => this.#read());
  }

  unmount() {
    changes.removeEventListener("event", this.#onEvent);
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  show() {}

  #load() {
    if (this.#timer) this.#read().catch((error) => (this.told.textContent = error.message));
  }

  async #read() {
    const filter = {};
    if (this.state.value) filter.state = this.state.value;
    if (this.sessions.value) filter.session = this.sessions.value;
    const [hooks, found] = await Promise.all([
      get("/api/waxbill/webhooks"),
      get("/api/waxbill/deliveries", { ...filter, limit: this.#limit }),
    ]);
    const shown = JSON.stringify([hooks, found]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#drawHooks(hooks.filter((hook) => !hook.retired || hook.pending || hook.dead));
    this.#drawRows(found);
    this.again.hidden = this.drop.hidden = !hooks.some((hook) => hook.dead);
    this.more.hidden = found.length < this.#limit;
    this.told.textContent = found.length
      ? `${found.length} shown, the newest first`
      : "Nothing was on its way to a webhook lately.";
  }

  #drawHooks(hooks) {
    if (!hooks.length) return this.hooks.replaceChildren(h("p", { class: "empty" }, "No session has a webhook."));
    return this.hooks.replaceChildren(
      ...hooks.map((hook) =>
        h(
          "section",
          { class: "card", "aria-label": `Webhook ${hook.id}, ${hook.url}, of ${hook.session}` },
          h(
            "header",
            null,
            h("h3", null, hook.url),
            h(
              "span",
              { class: `pill ${hook.paused ? "is-SCAN_QR_CODE" : "is-WORKING"}` },
              hook.paused ? (hook.paused === "hand" ? "Paused" : "Paused: it fails") : "Delivering",
            ),
          ),
          h(
            "dl",
            null,
            [
              ["Session", hook.session],
              ["Waiting", hook.pending],
              ["Given up", hook.dead],
            ].map(([word, value]) => h("div", null, h("dt", null, word), h("dd", null, String(value)))),
          ),
          hook.last_error && (hook.dead > 0 || hook.pending > 0) && h("p", { class: "wrong" }, hook.last_error),
          h(
            "div",
            { class: "buttons" },
            hook.paused
              ? button("Resume", "play", () => this.#switch(hook, "resume"), { class: "primary" })
              : button("Pause", "pause", () => this.#switch(hook, "pause")),
          ),
        ),
      ),
    );
  }

  #switch(hook, what) {
    return attempt(async () => (await post(`/api/waxbill/webhooks/${hook.id}/${what}`), await this.#read()));
  }

  #drawRows(found) {
    const focused = this.rows.contains(document.activeElement) && document.activeElement.dataset.row;
    this.rows.replaceChildren(
      ...found.map((each) => {
        const key = `${each.event_id} ${each.lane}`;
        const word =
          { pending: each.attempts ? "Retrying" : "Waiting", dead: "Given up", done: "Delivered" }[each.state] ||
          each.state;
        const look = { pending: "SCAN_QR_CODE", dead: "FAILED", done: "WORKING" }[each.state];
        return h(
          "tr",
          null,
          h(
            "td",
            null,
            h("time", { datetime: new Date(each.at).toISOString(), title: day(each.at) }, exactTime(each.at)),
          ),
          h(
            "td",
            null,
            h(
              "button",
              { type: "button", class: "link", "data-row": key, onclick: () => attempt(() => this.#details(each)) },
              each.event,
            ),
          ),
          h("td", null, each.session),
          h("td", { class: "url" }, each.url),
          h(
            "td",
            null,
            h("span", { class: `pill is-${look}` }, word),
            each.error && each.state !== "done" && h("small", { class: "wrong" }, each.error),
          ),
          h("td", { class: "number" }, String(each.attempts)),
          h(
            "td",
            null,
            button("Replay", "restart", () => this.#replay(each), { "data-row": `${key} replay` }),
          ),
        );
      }),
    );
    if (focused) this.rows.querySelector(`[data-row="${CSS.escape(focused)}"]`)?.focus();
  }

  #replay(each) {
    return attempt(async () => {
      const { replayed } = await post("/api/waxbill/deliveries/replay", { eventIds: [each.event_id] });
      if (!replayed) throw new Error("No webhook takes this event now.");
      await this.#read();
    }, "It is on its way again");
  }

  async #details(each) {
    const [event, attempts] = await Promise.all([
      get(path`/api/waxbill/deliveries/events/${each.event_id}`).catch(() => null),
      get("/api/waxbill/deliveries/attempts", { eventId: each.event_id }),
    ]);
    const tried = attempts.filter((one) => one.webhook === each.lane);
    ask(
      each.event,
      [
        h("p", { class: "hint" }, `To ${each.url}`),
        h("h3", null, "Attempts"),
        tried.length
          ? h(
              "ol",
              { class: "attempts" },
              tried.map((one) =>
                h(
                  "li",
                  null,
                  h(
                    "p",
                    null,
                    h("b", null, `${one.attempt}. `),
                    `${exactTime(one.at)} · `,
                    h(
                      "span",
                      { class: `pill is-${one.ok ? "WORKING" : "FAILED"}` },
                      one.status ? String(one.status) : "no answer",
                    ),
                    ` · ${Math.round(one.ms * 10) / 10} ms`,
                  ),
                  one.answer && h("pre", null, one.answer),
                ),
              ),
            )
          : h("p", { class: "hint" }, "None yet, or they are not kept any more."),
        h("h3", null, "Body"),
        event ? json(event) : h("p", { class: "hint" }, "The event is not kept any more."),
        h(
          "div",
          { class: "buttons" },
          event && button("Copy the body", "copy", () => copy(JSON.stringify(event, null, 2))),
          button("Replay", "restart", () => this.#replay(each)),
        ),
      ],
      { wide: true },
    );
  }

  #replayDead() {
    return attempt(async () => {
      const { replayed } = await post("/api/waxbill/deliveries/replay", { dead: true });
      await this.#read();
      if (!replayed) throw new Error("Nothing was given up.");
    }, "They are on their way again");
  }

  #dropDead() {
    ask("Drop what was given up?", h("p", null, "These events are never delivered then."), {
      label: "Drop",
      danger: true,
      submit: async () => (await remove("/api/waxbill/deliveries/dead"), this.#read()),
    });
  }
}
