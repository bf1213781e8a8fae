// The life of the session: what the page is about to do, QR codes, log-out, and being used elsewhere.

// WA-JS hears of acknowledgements, reactions and votes only when it is wholly ready: a session does not work before,
// unless that takes too long.
let patienceOver = false;

operations.state = async () => state();

async function state() {
  if (typeof WPP === 'undefined' || !WPP.isInjected) return stateByName();
  try {
    return await stateByWaJs();
  } catch {
    return stateByName(); // something is not there that WA-JS looks for; what is wrong, the probe tells
  }
}

async function stateByWaJs() {
  const whatsapp = WPP.whatsapp;
  const authenticated = WPP.conn.isAuthenticated();
  const found = {
    authenticated,
    mode: whatsapp.Stream?.mode ?? null,
    info: whatsapp.Stream?.info ?? null,
    socket: whatsapp.Socket?.state ?? null,
    needsUpdate: Boolean(whatsapp.Stream?.needsUpdate),
    ready: Boolean(WPP.isFullReady) || patienceOver,
    version: window.Debug?.VERSION ?? null,
    code: null,
  };
  if (authenticated) {
    found.me = me();
  } else {
    found.code = (await WPP.conn.getAuthCode().catch(() => null))?.fullCode ?? null;
  }
  return found;
}

function me() {
  const own = WPP.conn.getMyUserId();
  if (!own) return null;
  let lid = null;
  try {
    lid = id(WPP.conn.getMyUserLid());
  } catch {
    // accounts without a hidden id
  }
  let name = null;
  try {
    name = WPP.profile.getMyProfileName();
  } catch {
    // not synchronised yet
  }
  const device = attempt(() => WPP.whatsapp.UserPrefs.getMaybeMeDevicePn?.() ?? WPP.whatsapp.UserPrefs.getMe?.());
  return { id: withoutDevice(id(own)), lid: lid && withoutDevice(lid), name: text(name), device: id(device) };
}

const withoutDevice = (wid) => wid.replace(/:\d+@/, '@');

function attempt(get) {
  try {
    return get() ?? null;
  } catch {
    return null;
  }
}

let lastState = '';

async function tellState() {
  let found;
  try {
    found = await state();
  } catch (error) {
    found = { problem: problem(error) };
  }
  const now = JSON.stringify(found);
  if (now === lastState) return;
  lastState = now;
  tell('state', found);
}

function followState() {
  for (const name of [
    'conn.auth_code_change', 'conn.authenticated', 'conn.main_ready', 'conn.main_loaded', 'conn.require_auth',
    'conn.stream_mode_changed', 'conn.stream_info_changed', 'conn.needs_update', 'conn.logout', 'conn.qrcode_idle', 'conn.online',
  ]) {
    WPP.on(name, () => queueMicrotask(tellState));
  }
  WPP.on('conn.logout', () => tell('logout', {}));
  WPP.on('conn.logout_reason', (reason) => tell('logout_reason', { reason: String(reason) }));
  // Some changes have no event (being used elsewhere, a socket that is stuck).
  setInterval(tellState, 1000);
  tellState();
}

operations.requestCode = async ({ phone }) => WPP.conn.genLinkDeviceCodeForPhoneNumber(phone, true);

operations.refreshQR = async () => {
  WPP.whatsapp.Cmd.refreshQR();
};

operations.logout = async () => {
  if (!(await state()).authenticated) return false;
  if (WPP.isInjected) return WPP.conn.logout();
  await named('socket').logout();
  return true;
};

// "Use here": WhatsApp Web runs once per linked device; the last one that asks has it.
operations.useHere = async () => {
  const { Socket, Stream } = WPP.whatsapp;
  if (typeof Socket.takeover === 'function') return Boolean(await Socket.takeover()) || true;
  if (typeof Stream.takeover === 'function') return Boolean(await Stream.takeover()) || true;
  return false;
};

// Nothing is loaded before somebody asks for it: media would fill the page's memory and the profile.
operations.settle = async () => {
  const preferences = WPP.whatsapp.UserPrefsGeneral;
  for (const what of ['Photos', 'Audio', 'Videos', 'Documents']) {
    attempt(() => preferences[`setAutoDownload${what}`](false));
  }
  return true;
};

async function attemptAsync(get) {
  try {
    return (await get()) ?? null;
  } catch {
    return null;
  }
}
