// What goes wrong on purpose in a simulated session.

import { control, get, post, put } from "./api.js";
import { ask, attempt, button, field, h } from "./dom.js";

const SWITCHES = {
  qrNeverScanned: "Nobody scans the QR code",
  banned: "WhatsApp has banned the number",
  incomingMediaFails: "Media of others can't be downloaded",
  outgoingMediaFails: "Files that the bot gives by URL can't be fetched",
};

/** Asks what shall go wrong, beginning with what goes wrong now. */
export async function breakThings(session, status) {
  const now = await get(control(session, "/faults"));
  const first = now.operations?.[0] || {};
  const more = (now.operations || []).slice(1);
  const text = (name, value, options = {}) => h("input", { name, value: value ?? "", ...options });
  const share = (name, value) => text(name, Math.round((value || 0) * 100), { type: "number", min: 0, max: 100 });
  const operations = h(
    "fieldset",
    null,
    h("legend", null, "What the bot calls"),
    field("Operation", text("operation", first.operation || "*"), "Such as sendText; * is all"),
    field("Takes longer by", text("latency", first.latency || 0), "Such as 500ms or 2s"),
    field("Fails, in percent", share("errorRate", first.errorRate)),
    field("With the status", text("status", first.status || 500, { type: "number", min: 400, max: 599 })),
  );
  const events = h(
    "fieldset",
    null,
    h("legend", null, "What it is told"),
    field("Twice, in percent", share("duplicateEvents", now.duplicateEvents)),
    field("Out of order, in percent", share("shuffledEvents", now.shuffledEvents)),
  );
  const others = h(
    "fieldset",
    { class: "rows" },
    h("legend", null, "WhatsApp"),
    Object.entries(SWITCHES).map(([name, label]) =>
      h("label", { class: "check" }, h("input", { type: "checkbox", name, checked: now[name] }), label),
    ),
  );
  const lose =
    status === "WORKING" &&
    button("Lose the connection for ten seconds", "bolt", () =>
      attempt(() => post(control(session, "/disconnect"), { seconds: 10 }), "The connection is lost"),
    );
  ask(
    `Break things in ${session}`,
    [
      operations,
      events,
      others,
      lose,
      more.length > 0 && h("p", { class: "hint" }, `${more.length} more set by the API stay as they are.`),
    ],
    {
      label: "Break it so",
      wide: true,
      submit: async (form) => {
        const percent = (name) => Number(form.get(name)) / 100;
        const latency = form.get("latency").trim() || "0";
        const fault = {
          operation: form.get("operation").trim() || "*",
          latency: /^[\d.]+$/.test(latency) ? Number(latency) : latency,
          errorRate: percent("errorRate"),
          status: Number(form.get("status")),
        };
        const wanted = fault.errorRate || fault.latency ? [{ ...first, ...fault }] : [];
        await put(control(session, "/faults"), {
          operations: [...wanted, ...more],
          duplicateEvents: percent("duplicateEvents"),
          shuffledEvents: percent("shuffledEvents"),
          ...Object.fromEntries(Object.keys(SWITCHES).map((name) => [name, form.has(name)])),
        });
      },
    },
  );
}
