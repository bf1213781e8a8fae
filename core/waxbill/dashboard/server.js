// The server: what it is, its settings and its plugins, to read.

import { get } from "./api.js";
import { attempt, duration, h } from "./dom.js";

const table = (label, head, rows) =>
  h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h(
      "table",
      null,
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          head.map((word) => h("th", { scope: "col" }, word)),
        ),
      ),
      h("tbody", null, rows),
    ),
  );

export class ServerFacts {
  title = "Server";
  #settings = [];

  constructor() {
    this.facts = h("dl", { class: "card facts" });
    this.problems = h("div");
    this.workers = h("div");
    this.plugins = h("div");
    this.find = h("input", {
      type: "search",
      placeholder: "Search settings",
      "aria-label": "Search settings",
      oninput: () => this.#drawSettings(),
    });
    this.changed = h("input", { type: "checkbox", onchange: () => this.#drawSettings() });
    this.settings = h("div");
    this.node = h(
      "div",
      { class: "page" },
      h(
        "header",
        null,
        h("h1", null, "Server"),
        h("a", { class: "button", href: "/", rel: "external" }, "API reference"),
      ),
      this.problems,
      this.facts,
      this.workers,
      h("h2", null, "Plugins"),
      this.plugins,
      h("h2", null, "Settings"),
      h("p", { class: "hint" }, "Set in the environment or in a .env file; read when the server starts."),
      h("div", { class: "filters" }, this.find, h("label", { class: "check" }, this.changed, "Only what was set")),
      this.settings,
    );
  }

  mount() {
    attempt(() => this.#load());
  }

  unmount() {}
  show() {}

  key(event) {
    if (event.key !== "/") return false;
    this.find.focus();
    return true;
  }

  async #load() {
    const [health, version, status] = await Promise.all([
      this.#health(),
      get("/api/server/version"),
      get("/api/server/status"),
    ]);
    const facts = [
      ["Mode", health.mode],
      ["Why", health.reason],
      ["Engine", version.engine],
      ["Contract", `WAHA ${version.version}`],
      ["Platform", version.platform],
      ["Running for", duration(status.uptime / 1000)],
      ["Status", health.status],
    ];
    this.facts.replaceChildren(
      ...facts.map(([word, value]) => h("div", null, h("dt", null, word), h("dd", null, value || ""))),
    );
    const problems = [
      ...Object.entries(health.plugins || {}),
      ...Object.entries(health.error || {}).map(([name, part]) => [
        name,
        part.error || part.message || JSON.stringify(part),
      ]),
    ];
    this.problems.replaceChildren(
      ...problems.map(([name, text]) => h("p", { class: "wrong", role: "alert" }, h("b", null, name), ` ${text}`)),
    );
    const [workers, plugins, settings] = await Promise.all([
      get("/api/waxbill/workers"),
      get("/api/waxbill/plugins"),
      get("/api/waxbill/settings"),
    ]);
    this.#drawWorkers(workers);
    this.plugins.replaceChildren(
      table(
        "Plugins",
        ["Plugin", "From", "State", "What it does"],
        plugins.map((plugin) =>
          h(
            "tr",
            null,
            h("td", null, h("b", null, plugin.name)),
            h("td", null, plugin.distribution),
            h(
              "td",
              null,
              h(
                "span",
                { class: `pill is-${{ loaded: "WORKING", failed: "FAILED" }[plugin.state] || "STOPPED"}` },
                plugin.state,
              ),
              plugin.error && h("small", { class: "wrong" }, plugin.error),
            ),
            h(
              "td",
              null,
              h(
                "small",
                null,
                plugin.hooks.map((hook) => hook.replace("waxbill_", "").replaceAll("_", " ")).join(", "),
              ),
            ),
          ),
        ),
      ),
    );
    this.#settings = settings;
    this.#drawSettings();
  }

  // Only where several servers share the sessions.
  #drawWorkers(workers) {
    if (!workers.length) return;
    this.workers.replaceChildren(
      h("h2", null, "Workers"),
      table(
        "Workers",
        ["Worker", "State", "Sessions", "Free memory", "Address"],
        workers.map((each) =>
          h(
            "tr",
            { class: each.self && "set" },
            h("td", null, h("b", null, each.id), each.self && h("small", null, " this one")),
            h(
              "td",
              null,
              h("span", { class: `pill is-${each.alive ? "WORKING" : "FAILED"}` }, each.alive ? "alive" : "gone"),
            ),
            h("td", null, String(each.sessions)),
            h("td", null, `${Math.round(each.freeMb).toLocaleString()} MB`),
            h("td", null, h("code", null, each.address)),
          ),
        ),
      ),
    );
  }

  async #health() {
    // It answers 503 with the same body when something is not well.
    const answer = await fetch("/health", { headers: { "X-Waxbill-Dashboard": "1" } });
    return answer.json();
  }

  #drawSettings() {
    const text = this.find.value.trim().toLowerCase();
    const shown = this.#settings.filter(
      (each) =>
        (!this.changed.checked || each.source !== "default") &&
        (!text || `${each.name} ${each.meaning}`.toLowerCase().includes(text)),
    );
    this.settings.replaceChildren(
      table(
        "Settings",
        ["Setting", "Value", "From", "Meaning"],
        shown.map((each) =>
          h(
            "tr",
            { class: each.source !== "default" && "set" },
            h("td", null, h("code", null, each.name)),
            h("td", null, h("code", null, each.value || "—")),
            h(
              "td",
              null,
              each.source === "default" ? "default" : each.source === each.name ? "environment" : each.source,
            ),
            h("td", null, h("small", null, each.meaning)),
          ),
        ),
      ),
    );
  }
}
