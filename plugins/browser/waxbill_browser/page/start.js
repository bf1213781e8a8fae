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
  const ready = (wajs) => tell('ready', { version: window.Debug?.VERSION ?? null, wajs });
  const attach = () => {
    followState();
    followEvents();
    ready(WPP.version ?? null);
  };
  const doWithout = () => {
    if (typeof WPP !== 'undefined' && WPP.isInjected) return;
    tell('fault', { event: 'the start of WA-JS', message: `it did not start in ${PATIENCE_SECONDS} s; its operations will fail` });
    followByName(() => queueMicrotask(tellState));
    setInterval(tellState, 1000);
    tellState();
    ready(null);
  };
  if (typeof WPP !== 'undefined' && WPP.isInjected) attach();
  else if (typeof WPP !== 'undefined') WPP.on('loader.injected', attach);
  setTimeout(doWithout, PATIENCE_SECONDS * 1000);
});
