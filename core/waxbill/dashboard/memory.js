// Memory: how much is used of what there is, by which part, and what the watchdog did.

import { get } from "./api.js";
import { duration, exactTime, h, svg } from "./dom.js";

const EVERY_MS = 2000;
const MOST = 300;
const WIDTH = 800;
const HEIGHT = 240;
const mb = (value) => `${value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} MB`;
/** A reading in the form that the page works with. */
const readReading = (raw) => ({
  at: Date.now() - (raw.seconds_ago || 0) * 1000,
  used: raw.used_mb,
  own: raw.own_mb || 0,
});

export class Memory {
  title = "Memory";
  #timer = 0;
  #readings = [];

  constructor() {
    this.told = h("p", { class: "hint", role: "status" });
    this.figures = h("div", { class: "figures" });
    this.chart = h("div", { class: "chart", tabindex: "0", role: "group", "aria-label": "Memory over time" });
    this.parts = h("div", { class: "parts" });
    this.actions = h("ol", { class: "attempts" });
    this.node = h(
      "div",
      { class: "page" },
      h("header", null, h("h1", null, "Memory")),
      this.figures,
      this.chart,
      this.told,
      h("h2", null, "By part"),
      this.parts,
      h("h2", null, "What the watchdog did"),
      this.actions,
    );
  }

  mount() {
    this.#timer = setInterval(() => document.visibilityState === "visible" && this.#read(), EVERY_MS);
    this.#read();
  }

  unmount() {
    clearInterval(this.#timer);
  }

  show() {}

  async #read() {
    let found;
    try {
      found = await get("/api/memory");
    } catch (error) {
      if (error.status !== 404) return (this.told.textContent = error.message);
      const { memory } = await get("/health").catch(() => ({}));
      found = memory && { used_mb: memory.used_mb, limit_mb: memory.limit_mb };
      this.told.textContent = "The monitor is not installed (waxbill[monitor]): only the sum is known.";
    }
    if (!found) return null;
    const now = readReading(found);
    const kept = found.history?.length ? found.history.map(readReading) : this.#readings;
    this.#readings = [...kept, now].slice(-MOST);
    this.#draw(now, found);
    return null;
  }

  #draw(now, found) {
    const { limit_mb: limit, level, threshold_mb: threshold, critical_mb: critical } = found;
    const growth = found.growth_mb_per_minute;
    const figures = [
      ["In use", mb(now.used), limit ? `${Math.round((now.used / limit) * 100)} % of the limit` : ""],
      now.own && [
        "Server and its processes",
        mb(now.own),
        found.heap_used_mb ? `Python's objects ${mb(found.heap_used_mb)}` : "",
      ],
      ["Limit", mb(limit), found.source || ""],
      level && [
        "Level",
        h("span", { class: `pill level-${level}` }, level),
        threshold ? `high from ${mb(threshold)}, critical from ${mb(critical)}` : "",
      ],
      Math.abs(growth) >= 0.1 && [
        "Growth",
        `${growth > 0 ? "+" : ""}${mb(growth)}`,
        found.seconds_to_limit ? `a minute; the limit in ${duration(found.seconds_to_limit)}` : "a minute",
      ],
    ];
    this.figures.replaceChildren(
      ...figures
        .filter(Boolean)
        .map(([word, value, more]) =>
          h("div", { class: "figure" }, h("span", null, word), h("b", null, value), h("small", null, more)),
        ),
    );
    if (found.refusing) this.told.textContent = `New sessions and large media are refused: ${found.refusing}`;
    else if (level)
      this.told.textContent = found.dry_run ? "The watchdog only says what it would do (MEMORY_DRY_RUN)." : "";
    this.#drawChart(now, limit, threshold);
    this.#drawParts({
      ...found.parts,
      ...Object.fromEntries(Object.entries(found.sessions || {}).map(([name, part]) => [`session ${name}`, part])),
    });
    this.#drawSteps(found.steps || []);
  }

  #drawParts(parts) {
    const sizes = Object.entries(parts).map(([name, part]) => [
      name,
      typeof part === "number" ? part : (part.pss_mb ?? part.rss_mb ?? 0),
    ]);
    const most = Math.max(1, ...sizes.map(([, size]) => size));
    const rows = sizes
      .sort((one, other) => other[1] - one[1])
      .map(([name, size]) => {
        const bar = h("span", { class: "bar", "aria-hidden": "true" });
        bar.style.setProperty("--share", size / most);
        return h("div", { class: "part" }, h("span", null, name), bar, h("b", null, mb(size)));
      });
    this.parts.replaceChildren(...(rows.length ? rows : [h("p", { class: "hint" }, "Not known.")]));
  }

  #drawSteps(steps) {
    const rows = [...steps]
      .reverse()
      .map((step) =>
        h(
          "li",
          null,
          h(
            "p",
            null,
            `${exactTime(step.at_ms)} `,
            h("span", { class: `pill level-${step.level}` }, step.level),
            " ",
            h("b", null, step.rung),
            step.dry_run ? " (only said)" : "",
            `, freed ${mb(Math.max(0, step.freed_mb ?? step.before_mb - step.after_mb))}`,
          ),
          h("small", null, step.did.join("; ")),
        ),
      );
    this.actions.replaceChildren(
      ...(rows.length ? rows : [h("li", { class: "hint" }, "Nothing: memory never got tight.")]),
    );
  }

  #drawChart(now, limit, threshold) {
    const readings = this.#readings;
    const top =
      Math.max(...readings.map((reading) => reading.used), threshold && threshold < now.used * 4 ? threshold : 0) *
        1.15 || 1;
    const first = readings[0].at;
    const span = Math.max(1, readings.at(-1).at - first);
    const x = (reading) => (readings.length > 1 ? ((reading.at - first) / span) * WIDTH : WIDTH);
    const y = (value) => HEIGHT - (value / top) * HEIGHT;
    const line = readings.map((reading) => `${x(reading).toFixed(1)},${y(reading.used).toFixed(1)}`).join(" ");
    const told = `Memory in use: ${mb(readings[0].used)} to ${mb(now.used)} over ${Math.round(span / 1000)} seconds, limit ${mb(limit)}`;
    const marks = [0.25, 0.5, 0.75, 1].map((part) => top * part * 0.87);
    this.chart.replaceChildren(
      svg(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": told },
        ...marks.map((value) => svg("line", { x1: 0, x2: WIDTH, y1: y(value), y2: y(value), class: "grid" })),
        svg("polygon", { points: `${x(readings[0]).toFixed(1)},${HEIGHT} ${line} ${WIDTH},${HEIGHT}`, class: "area" }),
        svg("polyline", { points: line, class: "line" }),
        ...(threshold && threshold < top
          ? [svg("line", { x1: 0, x2: WIDTH, y1: y(threshold), y2: y(threshold), class: "threshold" })]
          : []),
      ),
      h(
        "div",
        { class: "scale", "aria-hidden": "true" },
        marks.map((value) => {
          const mark = h("span", null, mb(value));
          mark.style.top = `${(y(value) / HEIGHT) * 100}%`;
          return mark;
        }),
      ),
      h(
        "div",
        { class: "ends", "aria-hidden": "true" },
        h("span", null, exactTime(first).slice(0, 8)),
        h("span", null, "now"),
      ),
    );
  }
}
