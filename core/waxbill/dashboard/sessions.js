// The sessions: what they are doing, how they are paired, and the buttons for it.

import { blob, control, get, path, post, put, remove } from "./api.js";
import { ask, attempt, button, dayOrTime, field, h, icon, iconButton, menu } from "./dom.js";
import { number } from "./people.js";
import { changes, loadSessions, look, simulated, state } from "./state.js";

const WORDS = {
  STOPPED: "Stopped",
  STARTING: "Starting…",
  SCAN_QR_CODE: "Waiting for a scan",
  PASSKEY_REQUIRED: "Passkey asked for",
  PASSKEY_CONFIRMATION_REQUIRED: "Compare the codes",
  WORKING: "Working",
  FAILED: "Failed",
};
const EVENTS = [
  "message",
  "message.any",
  "message.ack",
  "message.reaction",
  "message.edited",
  "message.revoked",
  "poll.vote",
  "session.status",
  "presence.update",
  "call.received",
];

export const pill = (status) => h("span", { class: `pill is-${status}` }, WORDS[status] || status);

export class Sessions {
  title = "Sessions";
  #cards = new Map();
  #qr = new Map();

  constructor() {
    this.list = h("div", { class: "cards" });
    this.node = h(
      "div",
      { class: "page" },
      h(
        "header",
        null,
        h("h1", null, "Sessions"),
        button("New session", "plus", () => this.#create(), { class: "primary", hidden: Boolean(state.only) }),
      ),
      this.list,
    );
  }

  /** Sessions whose code is another one now. */
  #stale = new Set();

  #onSessions = () => this.#draw();
  #onEvent = ({ detail }) => detail.event === "session.status" && this.#stale.add(detail.session);

  mount() {
    changes.addEventListener("sessions", this.#onSessions);
    changes.addEventListener("event", this.#onEvent);
    this.#draw();
  }

  unmount() {
    changes.removeEventListener("sessions", this.#onSessions);
    changes.removeEventListener("event", this.#onEvent);
    for (const url of this.#qr.values()) URL.revokeObjectURL(url);
    this.#qr.clear();
  }

  show() {}

  #draw() {
    const names = new Set(state.sessions.map((session) => session.name));
    for (const [name, card] of this.#cards) if (!names.has(name)) (card.remove(), this.#cards.delete(name));
    for (const session of state.sessions) {
      const shown = JSON.stringify(session);
      const old = this.#cards.get(session.name);
      if (session.status === "SCAN_QR_CODE" && (!this.#qr.has(session.name) || this.#stale.delete(session.name)))
        this.#loadQr(session.name);
      if (old?.dataset.shown === shown) continue;
      const card = this.#card(session);
      card.dataset.shown = shown;
      const focused = old?.contains(document.activeElement) && document.activeElement.textContent;
      if (old) old.replaceWith(card);
      else this.list.append(card);
      this.#cards.set(session.name, card);
      if (focused)
        (
          [...card.querySelectorAll("button, a")].find((each) => each.textContent === focused) ||
          card.querySelector("button, a")
        )?.focus();
    }
    this.list.querySelector(":scope > .empty")?.remove();
    if (!state.sessions.length) {
      this.list.append(
        h(
          "div",
          { class: "empty" },
          h("img", { src: "/dashboard/-/logo.svg", alt: "", width: "72", height: "72" }),
          h("p", null, "A session is one WhatsApp account. Create one and scan its code."),
          !state.only && button("Create a session", "plus", () => this.#create(), { class: "primary" }),
        ),
      );
    }
  }

  #card(session) {
    const { name, status, me } = session;
    const act = (what, word) =>
      attempt(async () => (await post(path`/api/sessions/${name}/` + what), await loadSessions()), word);
    const running = status !== "STOPPED";
    const hooks = session.config?.webhooks || [];
    const facts = [
      ["Account", me ? [me.pushName, number(me.id)].filter(Boolean).join(" · ") : "not paired"],
      ["Webhooks", hooks.length ? hooks.map((hook) => hook.url).join("\n") : "none"],
      session.timestamps?.activity && ["Last active", dayOrTime(session.timestamps.activity)],
    ].filter(Boolean);
    return h(
      "section",
      { class: "card", "aria-label": `Session ${name}` },
      h(
        "header",
        null,
        h("h2", null, name),
        pill(status),
        iconButton("More for this session", "more", (event) => this.#menu(event.currentTarget, session), {
          "aria-haspopup": "menu",
        }),
      ),
      h(
        "dl",
        null,
        facts.map(([word, value]) => h("div", null, h("dt", null, word), h("dd", null, value))),
      ),
      status === "SCAN_QR_CODE" && this.#pairing(name),
      status === "PASSKEY_CONFIRMATION_REQUIRED" &&
        button("The codes are the same", "check", () => attempt(() => post(path`/api/${name}/auth/passkey/confirm`)), {
          class: "primary",
        }),
      status === "FAILED" &&
        h("p", { class: "wrong" }, "It can't go on by itself. Restart it; if that does not help, log it out."),
      h(
        "div",
        { class: "buttons" },
        status === "WORKING" &&
          h(
            "a",
            {
              class: "button primary",
              href: `/dashboard/chats?${new URLSearchParams({ session: name })}`,
              onclick: () => look(name),
            },
            icon("chats"),
            h("span", null, "Open chats"),
          ),
        !running && button("Start", "play", () => act("start"), { class: "primary" }),
        running && button("Stop", "stop", () => act("stop", `${name} was stopped`)),
        running && button("Restart", "restart", () => act("restart")),
        (me || status === "FAILED") &&
          button("Log out", "out", () =>
            this.#confirm(
              `Log ${name} out?`,
              "It has to be paired again afterwards; its configuration stays.",
              "Log out",
              () => act("logout", `${name} is logged out`),
            ),
          ),
      ),
    );
  }

  #pairing(name) {
    const picture = h("img", {
      class: "qr",
      alt: "QR code to scan with WhatsApp",
      width: "220",
      height: "220",
      src: this.#qr.get(name),
    });
    return h(
      "div",
      { class: "pairing" },
      h("div", { class: "paper" }, picture),
      h(
        "div",
        null,
        h(
          "p",
          null,
          simulated()
            ? "The simulated phone can scan this, or type a code."
            : "On the phone: WhatsApp, Linked devices, Link a device.",
        ),
        simulated() &&
          button(
            "Scan with the simulated phone",
            "scan",
            () => attempt(async () => (await post(control(name, "/scan")), await loadSessions())),
            { class: "primary" },
          ),
        button("Use a code instead", "phone", () => this.#askCode(name)),
      ),
    );
  }

  async #loadQr(name) {
    try {
      const url = URL.createObjectURL(await blob(path`/api/${name}/auth/qr`));
      if (this.#qr.has(name)) URL.revokeObjectURL(this.#qr.get(name));
      this.#qr.set(name, url);
      this.#cards.get(name)?.querySelector("img.qr")?.setAttribute("src", url);
    } catch {
      // It was scanned, or stopped, in the meantime: the next status shows it.
    }
  }

  #askCode(name) {
    const shown = h("output", { class: "code", "aria-live": "polite" });
    ask(
      "Pair with a code",
      [
        field(
          "Number of the phone",
          h("input", { name: "phone", required: true, inputmode: "tel", placeholder: "49301234567" }),
          "With the country's code, digits only",
        ),
        shown,
      ],
      {
        label: "Get a code",
        submit: async (form) => {
          const { code } = await post(path`/api/${name}/auth/request-code`, {
            phoneNumber: form.get("phone").replace(/\D/g, ""),
          });
          shown.textContent = code;
          throw new Error("Type this code on the phone, then close this.");
        },
      },
    );
  }

  #menu(anchor, session) {
    const { name, status } = session;
    menu(
      anchor,
      [
        ["Edit the configuration", "edit", () => attempt(() => this.#configure(name))],
        ["Screenshot", "camera", () => attempt(() => this.#screenshot(name))],
        simulated() && [
          "Break things",
          "bolt",
          () => attempt(async () => (await import("./faults.js")).breakThings(name, status)),
        ],
        simulated() &&
          status === "WORKING" && [
            "Log out on the phone",
            "phone",
            () => attempt(() => post(control(name, "/phone/logout"))),
          ],
        !state.only && [
          "Delete",
          "trash",
          () =>
            this.#confirm(`Delete ${name}?`, "Its pairing, chats and configuration are gone for good.", "Delete", () =>
              attempt(
                async () => (await remove(path`/api/sessions/${name}`), await loadSessions()),
                `${name} was deleted`,
              ),
            ),
        ],
      ],
      name,
    );
  }

  #confirm(title, text, label, submit) {
    ask(title, h("p", null, text), { label, submit, danger: true });
  }

  async #screenshot(name) {
    const url = URL.createObjectURL(await blob(`/api/screenshot?${new URLSearchParams({ session: name })}`));
    const dialog = ask(`What ${name} shows`, h("img", { src: url, alt: `Screenshot of ${name}`, class: "shot" }), {
      wide: true,
    });
    dialog.addEventListener("close", () => URL.revokeObjectURL(url));
  }

  async #configure(name) {
    const { config } = await get(path`/api/sessions/${name}`);
    const text = h("textarea", {
      rows: "16",
      spellcheck: "false",
      class: "mono",
      value: JSON.stringify(config ?? {}, null, 2),
    });
    ask(`Configuration of ${name}`, field("Configuration, as JSON", text, "A session that runs is started again"), {
      label: "Save",
      wide: true,
      submit: async () => {
        let value;
        try {
          value = JSON.parse(text.value);
        } catch (error) {
          throw new Error(`This is no valid JSON: ${error.message}`);
        }
        await put(path`/api/sessions/${name}`, { config: value });
        await loadSessions();
      },
    });
  }

  #create() {
    const events = EVENTS.map((event) =>
      h(
        "label",
        { class: "check" },
        h("input", {
          type: "checkbox",
          name: "event",
          value: event,
          checked: ["message", "session.status"].includes(event),
        }),
        event,
      ),
    );
    const taken = state.sessions.some(({ name }) => name === "default");
    ask(
      "New session",
      [
        field(
          "Name",
          h("input", {
            name: "name",
            required: true,
            value: taken ? "" : "default",
            pattern: "[A-Za-z0-9_\\-]{1,54}",
            autocomplete: "off",
          }),
          "Letters, digits, - and _",
        ),
        field(
          "Webhook",
          h("input", { name: "url", type: "url", placeholder: "http://localhost:5000/webhook" }),
          "Where its events go; may be empty",
        ),
        h("fieldset", { class: "events" }, h("legend", null, "Events for the webhook"), events),
      ],
      {
        label: "Create and start",
        submit: async (form) => {
          const url = form.get("url");
          const config = url ? { webhooks: [{ url, events: form.getAll("event") }] } : {};
          await post("/api/sessions", { name: form.get("name"), start: true, config });
          look(form.get("name"));
          await loadSessions();
        },
      },
    );
  }
}
