// What the views share: the sessions, and the last events.

import { driver, get, stream } from "./api.js";
import { settled } from "./dom.js";

export const MOST_EVENTS = 500;

/** Tells ``sessions`` when they changed and ``event`` (detail: the envelope) for every event. */
export const changes = new EventTarget();

export const state = {
  sessions: [],
  /** The last events, newest first. */
  events: [],
  /** The one session that a key is for; null for all. */
  only: null,
  /** What the person looked at last. */
  session: sessionStorage.getItem("waxbill.session") || "",
};

/** Whether the sessions are simulated, so that other people and the phone can be played. */
export const simulated = () => driver === "mock";

export async function loadSessions() {
  state.sessions = await get("/api/sessions", { all: true });
  const names = state.sessions.map((session) => session.name);
  if (!names.includes(state.session)) {
    const working = state.sessions.find((session) => session.status === "WORKING");
    state.session = (working || state.sessions[0])?.name || "";
  }
  changes.dispatchEvent(new Event("sessions"));
}

export function look(session) {
  state.session = session;
  sessionStorage.setItem("waxbill.session", session);
}

export const current = () => state.sessions.find((session) => session.name === state.session);

const reload = settled(() => loadSessions().catch(() => {}));

stream.addEventListener("event", ({ detail }) => {
  state.events.unshift(detail);
  if (state.events.length > MOST_EVENTS) state.events.length = MOST_EVENTS;
  if (detail.event === "session.status") reload();
  changes.dispatchEvent(new CustomEvent("event", { detail }));
});
// What happened while the stream was away may have been missed.
stream.addEventListener("state", ({ detail }) => detail === "live" && reload());
