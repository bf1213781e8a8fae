// Making elements: always from text, never from HTML. Menus, dialogs and notes, and how numbers and times are written.

const SVG = "http://www.w3.org/2000/svg";

/** An element: h("button", {class: "x", onclick: f}, "text", child). Properties that are null or false are left out. */
export function h(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const ICONS = {
  chats: "M4 5.500h16v11H10l-4.500 3.500v-3.500H4z",
  sessions: "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2",
  events: "M3 12h4l3-8 4 16 3-8h4",
  deliveries: "M4 12l16-8-6 17-3-7zM11 14l9-10",
  memory: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
  server: "M4 5h16v6H4zM4 13h16v6H4zM8 8h.01M8 16h.01",
  plus: "M12 5v14M5 12h14",
  send: "M4 12l16-8-5 16-4-6zM11 14l9-10",
  back: "M15 5l-7 7 7 7",
  more: "M12 5.500v.01M12 12v.01M12 18.500v.01",
  down: "M6 9l6 6 6-6",
  close: "M6 6l12 12M18 6L6 18",
  attach:
    "M20 11l-8.500 8.500a5 5 0 0 1-7-7L13 4a3.500 3.500 0 0 1 5 5l-8.500 8.500a1.800 1.800 0 0 1-2.500-2.500L15 7",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9v.01",
  voice: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM6 11a6 6 0 0 0 12 0M12 17v4",
  document: "M7 3h7l4 4v14H7zM14 3v4h4M10 12h5M10 16h5",
  video: "M4 6h11v12H4zM15 10l5-3v10l-5-3",
  location:
    "M12 21s7-6.500 7-12a7 7 0 0 0-14 0c0 5.500 7 12 7 12zM12 11.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z",
  poll: "M5 20V10M12 20V4M19 20v-7",
  contact: "M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 3.500-7 8-7s8 3 8 7",
  event: "M5 5h14v15H5zM5 10h14M9 3v4M15 3v4",
  reply: "M9 6l-5 5 5 5M4 11h9a7 7 0 0 1 7 7",
  edit: "M4 20l1-5L16 4l4 4L9 19z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  code: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.500 14a4 4 0 0 0 7 0M9 9.500v.01M15 9.500v.01",
  phone: "M6 3h3l2 5-2.500 2a11 11 0 0 0 5.500 5.500l2-2.500 5 2v3a2 2 0 0 1-2 2A16 16 0 0 1 4 5a2 2 0 0 1 2-2z",
  play: "M7 4l13 8-13 8z",
  pause: "M8 5v14M16 5v14",
  stop: "M6 6h12v12H6z",
  restart: "M20 11a8 8 0 1 0-2 6.500M20 5v6h-6",
  out: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  scan: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5M4 12h16",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500L19 19M19 5l-1.500 1.500M6.500 17.500L5 19",
  moon: "M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10z",
  auto: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 3v18M12 7l5-2M12 12h9M12 17l5 2",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5",
  group:
    "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM2 20c0-4 3-6.500 7-6.500s7 2.500 7 6.500M16 4.500a3.500 3.500 0 0 1 0 6.500M18 14c2.500.8 4 3 4 6",
  bot: "M5 9h14v10H5zM12 9V5M12 4.500v.01M9 13v2M15 13v2M2 13v3M22 13v3",
  camera: "M4 8h4l2-3h4l2 3h4v11H4zM12 16.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7z",
  check: "M5 12l5 5 9-11",
  bolt: "M13 3L5 14h6l-1 7 8-11h-6z",
  tick: "M6 13l4 4 8-10",
  ticks: "M1.500 13l4 4 8-10M10.500 17l8-10M9 16.500l.5.500",
  pending: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 8v4l3 2",
  wrong: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 8v5M12 16v.01",
  sliders: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name] || ICONS.document);
  svg.append(path);
  return svg;
}

/** An element of a picture, such as svg("path", {d: "..."}). */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function button(label, iconName, onclick, more = {}) {
  return h("button", { type: "button", onclick, ...more }, iconName && icon(iconName), h("span", null, label));
}

/** A button that shows its icon only; the label is read out and shown as a hint. */
export function iconButton(label, iconName, onclick, more = {}) {
  return h(
    "button",
    { type: "button", class: "round", "aria-label": label, title: label, onclick, ...more },
    icon(iconName),
  );
}

let serial = 0;
export const newId = (prefix) => `${prefix}-${(serial += 1)}`;

/** A labelled control of a form. */
export function field(label, control, hint) {
  control.id ||= newId("field");
  const told = hint && h("small", { id: newId("hint") }, hint);
  if (told) control.setAttribute("aria-describedby", told.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, told);
}

// -- notes

export function note(text, kind = "good") {
  const toast = h(
    "div",
    { class: `toast ${kind}` },
    h("span", null, text),
    iconButton("Dismiss", "close", () => toast.remove()),
  );
  const toasts = document.getElementById("toasts");
  while (toasts.children.length > 3) toasts.firstChild.remove();
  toasts.append(toast);
  setTimeout(() => toast.remove(), kind === "bad" ? 9000 : 4000);
}

/** Runs what a person asked for; what goes wrong is told. Answers whether it went well. */
export async function attempt(action, done) {
  try {
    await action();
  } catch (error) {
    if (error.name === "AbortError") return false;
    note(error.message, "bad");
    return false;
  }
  if (done) note(done);
  return true;
}

/** Says something to those who listen to the page. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

export async function copy(text) {
  await attempt(async () => {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else throw new Error("The browser lets a page copy over HTTPS and on localhost only.");
  }, "Copied");
}

// -- menus

let closeMenu = () => {};

/** Opens a menu below a button. Items are [label, icon, action], or a whole element. */
export function menu(anchor, items, label) {
  closeMenu();
  const list = h("div", { class: "menu", role: "menu", "aria-label": label });
  const close = (back = true) => {
    if (!list.isConnected) return;
    list.remove();
    anchor.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", away);
    closeMenu = () => {};
    if (back) anchor.focus();
  };
  const away = () => close(false);
  const outside = (event) => !list.contains(event.target) && close(false);
  for (const item of items.filter(Boolean)) {
    if (item instanceof Node) {
      item.addEventListener("click", (event) => event.target.closest("button") && close());
      list.append(item);
    } else {
      const [text, iconName, action] = item;
      list.append(
        h(
          "button",
          { type: "button", role: "menuitem", tabindex: "-1", onclick: () => (close(), action()) },
          icon(iconName),
          text,
        ),
      );
    }
  }
  list.addEventListener("keydown", (event) => {
    const buttons = [...list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    if (event.key in steps) buttons[(at + steps[event.key] + buttons.length) % buttons.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    else if (event.key === "Home") buttons[0].focus();
    else if (event.key === "End") buttons.at(-1).focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  (document.getElementById("main") || document.body).append(list);
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = list;
  const below = box.bottom + 4 + height < innerHeight;
  list.style.left = `${Math.max(8, Math.min(box.right - width, innerWidth - width - 8))}px`;
  list.style.top = `${Math.max(8, below ? box.bottom + 4 : box.top - height - 4)}px`;
  anchor.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside, true);
  addEventListener("resize", away);
  closeMenu = away;
  list.querySelector("button")?.focus();
}

// -- dialogs

/** Asks something; ``submit`` is called with the form and may throw: then the dialog stays open with the reason. */
export function ask(title, parts, { label = "OK", submit = null, danger = false, wide = false } = {}) {
  const wrong = h("p", { class: "wrong", role: "alert" });
  const heading = newId("dialog");
  const dialog = h(
    "dialog",
    { "aria-labelledby": heading, class: wide && "wide" },
    h(
      "form",
      {
        method: "dialog",
        onsubmit: async (event) => {
          event.preventDefault();
          const press = event.submitter;
          if (press) press.disabled = true;
          wrong.textContent = "";
          try {
            if (submit) await submit(new FormData(event.target));
            dialog.close();
          } catch (error) {
            wrong.textContent = error.message;
          } finally {
            if (press) press.disabled = false;
          }
        },
      },
      h("h2", { id: heading }, title),
      parts,
      wrong,
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", onclick: () => dialog.close() }, submit ? "Cancel" : "Close"),
        submit && h("button", { class: danger ? "danger" : "primary" }, label),
      ),
    ),
  );
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

// -- how things are written

export const time = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
export const exactTime = (ms) => {
  const at = new Date(ms);
  return `${at.toLocaleTimeString([], { hour12: false })}.${String(at.getMilliseconds()).padStart(3, "0")}`;
};
const dayOf = (ms) => new Date(ms).setHours(0, 0, 0, 0);
export const sameDay = (one, other) => dayOf(one) === dayOf(other);

export function day(ms) {
  const days = Math.round((dayOf(Date.now()) - dayOf(ms)) / 86400000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  const form = days < 7 && days > 0 ? { weekday: "long" } : { day: "numeric", month: "long", year: "numeric" };
  return new Date(ms).toLocaleDateString([], form);
}

export const dayOrTime = (ms) =>
  sameDay(ms, Date.now()) ? time(ms) : new Date(ms).toLocaleDateString([], { day: "numeric", month: "short" });

export function bytes(count) {
  if (count < 1024) return `${count} B`;
  return count < 1048576 ? `${Math.round(count / 1024)} kB` : `${(count / 1048576).toFixed(1)} MB`;
}

export function duration(seconds) {
  const [d, hours, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (d) return `${d} d ${hours} h`;
  return hours ? `${hours} h ${m} min` : m ? `${m} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
}

/** A JSON value with its names and kinds in colours. */
export function json(value) {
  const text = JSON.stringify(value, null, 2) ?? "";
  const block = h("pre", { class: "json", tabindex: "0" });
  const token = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  let at = 0;
  for (const found of text.matchAll(token)) {
    block.append(text.slice(at, found.index));
    const kind = found[2] ? "name" : found[1] ? "text" : "value";
    block.append(h("span", { class: `json-${kind}` }, found[1] || found[0]), found[2] || "");
    at = found.index + found[0].length;
  }
  block.append(text.slice(at));
  return block;
}

/** Calls a function once things have been quiet, or after a while when they never are. */
export function settled(action, quietMs = 120, mostMs = 600) {
  let timer = 0;
  let since = 0;
  return () => {
    const now = performance.now();
    if (!timer) since = now;
    clearTimeout(timer);
    timer = setTimeout(() => ((timer = 0), action()), Math.min(quietMs, Math.max(0, since + mostMs - now)));
  };
}
