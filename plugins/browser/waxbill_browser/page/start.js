// The beginning: called in every document, at its start.

// WA-JS itself waits up to 20 s for the page to bring no more modules.
const PATIENCE_SECONDS = 30;

Object.defineProperty(window, HANDLE, { value: { run, fileInput } });
tell('document', { address: location.origin });
whenLoaded(() => {
  // The page's version has to be there before WA-JS asks for it, and so has our wish for silence.
  try {
    startWaJs();
  } catch (error) {
    tell('fault', { event: 'the start of WA-JS', ...problem(error) });
  }
  let attached = false;
  const attach = () => {
    attached = true;
    followState();
    followEvents();
    ready(WPP.version ?? null);
  };
  const ready = (wajs) => tell('ready', { version: window.Debug?.VERSION ?? null, wajs });
  // What it tells may be told twice then; the server takes each message once.
  const doWithout = () => {
    patienceOver = true;
    if (typeof WPP !== 'undefined' && WPP.isFullReady) return;
    tell('fault', { event: 'the start of WA-JS', message: `it is not ready after ${PATIENCE_SECONDS} s; its operations may fail` });
    followByName(() => queueMicrotask(tellState));
    if (attached) return;
    setInterval(tellState, 1000);
    tellState();
    ready(null);
  };
  if (typeof WPP !== 'undefined' && WPP.isInjected) attach();
  else if (typeof WPP !== 'undefined') WPP.on('loader.injected', attach);
  setTimeout(doWithout, PATIENCE_SECONDS * 1000);
});
