// Waits for WhatsApp's modules, then runs WA-JS and our adapter. Evaluated at the beginning of every document.
//
// WA-JS takes a quarter second without new modules for the end of loading; on a slow line that is too early, and it
// stays half dead. So it is not run before the modules that it cannot do without are there.
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

function modulesThere() {
  try {
    const map = window.require('__debug').modulesMap;
    return NEEDED.filter((id) => !(id in map));
  } catch {
    return NEEDED;
  }
}

function whenLoaded(run) {
  const missing = modulesThere();
  if (!missing.length) return run();
  return setTimeout(whenLoaded, 50, run);
}
