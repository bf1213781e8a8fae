// Waits for WhatsApp's modules, then runs WA-JS and our adapter. Evaluated at the beginning of every document.
//
// WA-JS takes a quarter second without new modules for the end of loading; on a slow line that is too early, and it
// stays half dead. So it is not run before the modules that it cannot do without are there, or the page has brought
// none for QUIET_SECONDS: it may have given one of them another name, which WA-JS can bear.
const QUIET_SECONDS = 10;
const NEEDED = [
  'WAWebAuthLoggedIn',
  'WAWebChatCollection',
  'WAWebCmd',
  'WAWebConnModel',
  'WAWebMsgCollection',
  'WAWebSocketModel',
  'WAWebStreamModel',
  'WAWebUserPrefsMeUser',
];

function modulesMap() {
  try {
    return window.require('__debug').modulesMap;
  } catch {
    return {};
  }
}

const modulesMissing = () => NEEDED.filter((id) => !(id in modulesMap()));
const modulesCount = () => Object.keys(modulesMap()).length;

function whenLoaded(run, before = 0, since = Date.now()) {
  if (!modulesMissing().length) return run();
  const now = modulesCount();
  if (now && now === before && Date.now() - since > QUIET_SECONDS * 1000) return run();
  return setTimeout(whenLoaded, 50, run, now, now === before ? since : Date.now());
}
