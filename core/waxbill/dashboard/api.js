// The server's API, and its stream of events.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Tells ``logged-out`` when the server does not know us (any more). */
export const connection = new EventTarget();
/** What answers: "mock" is the simulator. */
export let driver = "";

const PAGE = { "X-Waxbill-Dashboard": "1" };

function reason(status, text) {
  try {
    const body = JSON.parse(text);
    const told = body.message ?? body.detail ?? body.exception?.message ?? body.error?.message ?? body.error;
    if (Array.isArray(told)) return told.join("; ");
    if (typeof told === "string") return told;
  } catch {
    // No JSON: the status has to do.
  }
  return `The server answered ${status}.`;
}

async function request(method, path, body, signal, more = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      signal,
      headers: { ...PAGE, ...more, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server can't be reached.");
  }
  driver = answer.headers.get("X-Waxbill-Driver") || driver;
  if (answer.ok) return answer;
  const failure = new ApiError(answer.status, reason(answer.status, await answer.text()));
  if (answer.status === 401 && !path.startsWith("/dashboard/login")) connection.dispatchEvent(new Event("logged-out"));
  throw failure;
}

async function call(method, path, body, signal) {
  const answer = await request(method, path, body, signal, { Accept: "application/json" });
  const text = await answer.text();
  if (!text) return null;
  return (answer.headers.get("Content-Type") || "").startsWith("application/json") ? JSON.parse(text) : text;
}

export const get = (path, query, signal) =>
  call("GET", query ? `${path}?${new URLSearchParams(query)}` : path, undefined, signal);
export const post = (path, body = {}) => call("POST", path, body);
export const put = (path, body = {}) => call("PUT", path, body);
export const remove = (path) => call("DELETE", path);
export const blob = async (path) => (await request("GET", path)).blob();

/** A path of names that may hold anything: path`/api/${session}/chats`. */
export const path = (parts, ...values) => String.raw({ raw: parts }, ...values.map(encodeURIComponent));
/** A control operation of the simulator. */
export const control = (session, rest) => `${path`/api/waxbill/mock/${session}`}${rest}`;

/**
 * Events of all sessions, as they happen. Tells ``event`` (detail: the envelope) and ``state`` ("live", "waiting").
 * fetch instead of EventSource: it can send the page's header, and see why it is refused.
 */
class Stream extends EventTarget {
  state = "waiting";
  engine = false;
  #abort = null;
  #last = "";
  #waitMs = 500;
  #wanted = false;

  async start() {
    this.#abort?.abort();
    this.#wanted = true;
    const abort = (this.#abort = new AbortController());
    while (!abort.signal.aborted) {
      try {
        await this.#read(abort.signal);
      } catch (error) {
        if (error.status === 401 || abort.signal.aborted) break;
      }
      if (abort !== this.#abort) break;
      this.#set("waiting");
      await new Promise((wake) => setTimeout(wake, this.#waitMs));
      this.#waitMs = Math.min(this.#waitMs * 2, 10000);
    }
  }

  stop() {
    this.#wanted = false;
    this.pause();
  }

  pause() {
    this.#abort?.abort();
    this.#abort = null;
    this.#set("waiting");
  }

  resume() {
    if (this.#wanted && !this.#abort) this.start();
  }

  /** With the engine's own events, or without. */
  withEngine(on) {
    this.engine = on;
    this.start();
  }

  #set(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  async #read(signal) {
    const query = new URLSearchParams({ session: "*", events: this.engine ? "*,engine.event" : "*" });
    if (this.#last) query.set("lastEventId", this.#last);
    const answer = await request("GET", `/api/events/stream?${query}`, undefined, signal);
    this.#set("live");
    this.#waitMs = 500;
    let rest = "";
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block) {
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("id: ")) this.#last = line.slice(4);
      else if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (data) this.dispatchEvent(new CustomEvent("event", { detail: JSON.parse(data) }));
  }
}

export const stream = new Stream();

// A browser has six connections for a server: pages that nobody looks at give theirs back, and catch up afterwards.
const PATIENCE_MS = 10000;
let patience = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(patience);
  if (document.visibilityState === "hidden") patience = setTimeout(() => stream.pause(), PATIENCE_MS);
  else stream.resume();
});
addEventListener("pagehide", () => stream.pause());
addEventListener("pageshow", (event) => event.persisted && stream.resume());
