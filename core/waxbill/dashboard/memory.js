// Memory: how much is used of what there is, by which part, and what the watchdog did.

import { get } from "./api.js";
import { exactTime, h, svg } from "./dom.js";

const EVERY_MS = 2000;
const MOST = 300;
const WIDTH = 800;
const HEIGHT = 240;
const mb = (value) => `${value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} MB`;
/** Unix seconds or ms, or a text, as ms. */
const toMs = (at) => (typeof at === "number" ? (at < 1e11 ? at * 1000 : at) : Date.parse(at));

/** A reading in the form that the page works with. */
function readReading(raw) {
  return { at: toMs(raw.at ?? raw.timestamp ?? raw.time) || Date.now(), used: raw.used_mb, limit: raw.limit_mb, level: raw.level || "" };
}

export class Memory {
  title = "Memory";
  #timer = 0;
  #readings = [];

  constructor() {
    this.told = h("p", { class: "hint", role: "status" });
    this.figures = h("div", { class: "figures" });
    this.chart = h("div", { class: "chart" });
    this.parts = h("div", { class: "parts" });
    this.actions = h("ol", { class: "attempts" });
    this.node = h("div", { class: "page" }, h("header", null, h("h1", null, "Memory")), this.figures, this.chart, this.told, h("h2", null, "By part"), this.parts, h("h2", null, "What the watchdog did"), this.actions);
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
      found = memory;
      this.told.textContent = "The monitor is not installed (waxbill[monitor]): only the sum is known.";
    }
    if (!found) return null;
    const now = readReading({ ...found, ...found.reading });
    const kept = (found.history || []).map(readReading).filter((reading) => reading.used >= 0);
    const older = kept.length ? kept : this.#readings;
    this.#readings = [...older, ...(older.at(-1)?.at >= now.at ? [] : [now])].slice(-MOST);
    this.#draw(now, found);
    return null;
  }

  #draw(now, found) {
    const level = now.level || found.level || "";
    const share = now.limit ? Math.round((now.used / now.limit) * 100) : 0;
    this.figures.replaceChildren(
      ...[
        ["In use", mb(now.used), `${share} % of the limit`],
        ["Limit", mb(now.limit), found.source || ""],
        level && ["Level", h("span", { class: `pill level-${level}` }, level), found.threshold_mb ? `frees above ${mb(found.threshold_mb)}` : ""],
      ]
        .filter(Boolean)
        .map(([word, value, more]) => h("div", { class: "figure" }, h("span", null, word), h("b", null, value), h("small", null, more))),
    );
    this.#drawChart(now, found.threshold_mb);
    const parts = Object.entries(found.parts || {}).map(([name, part]) => [name, typeof part === "number" ? part : part.rss_mb ?? part.pss_mb ?? 0]);
    const most = Math.max(1, ...parts.map(([, size]) => size));
    this.parts.replaceChildren(
      ...parts
        .sort((one, other) => other[1] - one[1])
        .map(([name, size]) => {
          const bar = h("span", { class: "bar", "aria-hidden": "true" });
          bar.style.setProperty("--share", size / most);
          return h("div", { class: "part" }, h("span", null, name), bar, h("b", null, mb(size)));
        }),
    );
    const actions = found.actions || found.relieved || [];
    this.actions.replaceChildren(
      ...(actions.length ? [...actions].reverse().slice(0, 50) : [null]).map((action) => {
        if (action === null) return h("li", { class: "hint" }, "Nothing: memory never got tight.");
        if (typeof action === "string") return h("li", null, action);
        const freed = action.freed_mb ? ` · freed ${mb(action.freed_mb)}` : "";
        return h("li", null, h("p", null, `${exactTime(toMs(action.at ?? action.timestamp ?? action.time))} · `, h("b", null, action.rung || action.level || ""), ` ${action.did || action.text || action.what || ""}${freed}`));
      }),
    );
  }

  #drawChart(now, threshold) {
    const readings = this.#readings;
    const top = Math.max(...readings.map((reading) => reading.used), threshold && threshold < now.used * 4 ? threshold : 0) * 1.15 || 1;
    const first = readings[0].at;
    const span = Math.max(1, readings.at(-1).at - first);
    const x = (reading) => (readings.length > 1 ? ((reading.at - first) / span) * WIDTH : WIDTH);
    const y = (value) => HEIGHT - (value / top) * HEIGHT;
    const line = readings.map((reading) => `${x(reading).toFixed(1)},${y(reading.used).toFixed(1)}`).join(" ");
    const told = `Memory in use: ${mb(readings[0].used)} to ${mb(now.used)} over ${Math.round(span / 1000)} seconds, limit ${mb(now.limit)}`;
    const marks = [0.25, 0.5, 0.75, 1].map((part) => top * part * 0.87);
    this.chart.replaceChildren(
      svg(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": told },
        ...marks.map((value) => svg("line", { x1: 0, x2: WIDTH, y1: y(value), y2: y(value), class: "grid" })),
        svg("polygon", { points: `${x(readings[0]).toFixed(1)},${HEIGHT} ${line} ${WIDTH},${HEIGHT}`, class: "area" }),
        svg("polyline", { points: line, class: "line" }),
        ...(threshold && threshold < top ? [svg("line", { x1: 0, x2: WIDTH, y1: y(threshold), y2: y(threshold), class: "threshold" })] : []),
      ),
      h("div", { class: "scale", "aria-hidden": "true" }, marks.map((value) => {
        const mark = h("span", null, mb(value));
        mark.style.top = `${(y(value) / HEIGHT) * 100}%`;
        return mark;
      })),
      h("div", { class: "ends", "aria-hidden": "true" }, h("span", null, exactTime(first).slice(0, 8)), h("span", null, "now")),
    );
  }
}
