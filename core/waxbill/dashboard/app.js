// The page around the views: log-in, navigation, theme, keys.

import { connection, get, post, remove, stream } from "./api.js";
import { attempt, field, h, icon, iconButton, ask } from "./dom.js";
import { Chats } from "./chats.js";
import { Sessions } from "./sessions.js";
import { loadSessions, simulated, state } from "./state.js";

// What is not needed at once is loaded when it is first looked at.
const VIEWS = {
  chats: ["Chats", () => new Chats(go)],
  sessions: ["Sessions", () => new Sessions()],
  events: ["Events", async () => new (await import("./events.js")).Events()],
  deliveries: ["Deliveries", async () => new (await import("./deliveries.js")).Deliveries(), true],
  memory: ["Memory", async () => new (await import("./memory.js")).Memory()],
  server: ["Server", async () => new (await import("./server.js")).ServerFacts(), true],
};
const ALIASES = { "event-monitor": "events" };
const THEMES = { auto: "Theme of the system", light: "Light theme", dark: "Dark theme" };

const root = document.getElementById("app");
let main = null;
let view = null;
let name = "";

// -- where we are

function place() {
  const last = location.pathname.replace(/\/$/, "").split("/")[2] || "";
  const wanted = ALIASES[last] || last;
  return wanted in VIEWS
    ? wanted
    : state.sessions.some((session) => session.status === "WORKING")
      ? "chats"
      : "sessions";
}

function go(to, query = {}) {
  const search = new URLSearchParams(query).toString();
  history.pushState(null, "", `/dashboard/${to}${search ? `?${search}` : ""}`);
  return render();
}

async function render() {
  const wanted = place();
  if (wanted !== name) {
    const next = await VIEWS[wanted][1]();
    if (place() !== wanted) return;
    view?.unmount();
    [view, name] = [next, wanted];
    main.replaceChildren(view.node);
    main.className = `view-${name}`;
    view.mount();
    for (const link of root.querySelectorAll("nav a[data-view]")) {
      if (link.dataset.view === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${view.title} · waxbill`;
  }
  await view.show(new URLSearchParams(location.search));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/dashboard']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const url = new URL(link.href);
  const moved = link.closest("nav") !== null;
  go(url.pathname.split("/")[2] || "", Object.fromEntries(url.searchParams)).then(() => moved && main.focus());
});
addEventListener("popstate", () => main && render());

// -- keys

const KEYS = [
  ["1 … 6", "Chats, Sessions, Events, Deliveries, Memory, Server"],
  ["/", "Search"],
  ["p", "Pause the events"],
  ["Enter", "Send; with Shift a new line"],
  ["↑ ↓", "From message to message, in the chat"],
  ["Esc", "Close what is open"],
  ["?", "This help"],
];

document.addEventListener("keydown", (event) => {
  if (!main || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open], .menu")) return;
  const typing = event.target.matches("input, textarea, select");
  if (typing && event.key !== "Escape") return;
  if (typing && event.target.value && event.target.type !== "search") return;
  const shown = Object.keys(VIEWS).filter((each) => !hidden(each));
  if (event.key === "?")
    ask(
      "Keys",
      h(
        "dl",
        { class: "keys" },
        KEYS.map(([key, what]) => h("div", null, h("dt", null, h("kbd", null, key)), h("dd", null, what))),
      ),
    );
  else if (shown[Number(event.key) - 1]) go(shown[Number(event.key) - 1]);
  else if (!view?.key?.(event)) return;
  event.preventDefault();
});

// -- theme

function themeButton() {
  const set = (theme) => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("waxbill.theme", theme);
    control.replaceChildren(
      icon({ auto: "auto", light: "sun", dark: "moon" }[theme]),
      h("span", null, { auto: "Auto", light: "Light", dark: "Dark" }[theme]),
    );
    control.setAttribute("aria-label", `${THEMES[theme]}; change it`);
  };
  const control = h("button", {
    type: "button",
    class: "theme",
    onclick: () => {
      const all = Object.keys(THEMES);
      set(all[(all.indexOf(document.documentElement.dataset.theme) + 1) % all.length]);
    },
  });
  set(document.documentElement.dataset.theme in THEMES ? document.documentElement.dataset.theme : "auto");
  return control;
}

// -- the page

/** What only who administers the server may see is left out for the key of one session. */
const hidden = (each) => Boolean(state.only && VIEWS[each][2]);

function shell(login) {
  const live = h("span", { class: "live", role: "status" });
  const tell = () => {
    live.className = `live is-${stream.state}`;
    live.replaceChildren(h("span", null, stream.state === "live" ? "Live" : "Connecting…"));
  };
  stream.addEventListener("state", tell);
  tell();
  main = h("main", { id: "main", tabindex: "-1" });
  const links = Object.entries(VIEWS).map(
    ([each, [label]]) =>
      !hidden(each) &&
      h("li", null, h("a", { href: `/dashboard/${each}`, "data-view": each }, icon(each), h("span", null, label))),
  );
  const out = async () => {
    await attempt(() => remove("/dashboard/login"));
    location.reload();
  };
  root.replaceChildren(
    h(
      "a",
      { class: "skip", href: "#main", onclick: (event) => (event.preventDefault(), main.focus()) },
      "Skip to the content",
    ),
    h(
      "nav",
      { "aria-label": "Dashboard" },
      h(
        "a",
        { class: "brand", href: "/dashboard/chats" },
        h("img", { src: "/dashboard/-/logo.svg", alt: "", width: "36", height: "36" }),
        h("span", null, "waxbill"),
      ),
      h("ul", null, links),
      h(
        "div",
        { class: "foot" },
        live,
        themeButton(),
        login.asks !== "nothing" &&
          h("button", { type: "button", onclick: out }, icon("out"), h("span", null, "Log out")),
      ),
    ),
    main,
  );
}

async function begin(login) {
  state.only = login.session || null;
  await loadSessions();
  shell(login);
  if (simulated()) root.dataset.simulated = "";
  stream.start();
  await render();
}

function logIn(login) {
  main = null;
  name = "";
  stream.stop();
  const wrong = h("p", { class: "wrong", role: "alert" });
  const user = login.asks === "password" && h("input", { name: "username", autocomplete: "username", required: true });
  const secret = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  root.replaceChildren(
    h(
      "main",
      { class: "login" },
      h(
        "form",
        {
          onsubmit: async (event) => {
            event.preventDefault();
            wrong.textContent = "";
            try {
              await post("/dashboard/login", { username: user ? user.value : "", password: secret.value });
              await open();
            } catch (error) {
              wrong.textContent = error.message;
              secret.select();
            }
          },
        },
        h("img", { src: "/dashboard/-/logo.svg", alt: "", width: "64", height: "64" }),
        h("h1", null, "waxbill"),
        // Where password managers look for a name.
        user ? field("User name", user) : h("input", { autocomplete: "username", value: "API key", hidden: true }),
        field(user ? "Password" : "API key", secret),
        wrong,
        h("button", { class: "primary" }, "Log in"),
      ),
    ),
  );
  (user || secret).focus();
}

async function open() {
  const login = await get("/dashboard/login");
  if (login.loggedIn) await begin(login);
  else logIn(login);
}

connection.addEventListener("logged-out", () => main && open().catch(() => {}));

open().catch((error) => {
  root.replaceChildren(
    h(
      "main",
      { class: "login" },
      h("p", { class: "wrong", role: "alert" }, error.message),
      iconButton("Try again", "restart", () => location.reload()),
    ),
  );
});
