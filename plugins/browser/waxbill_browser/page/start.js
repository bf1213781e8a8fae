// The beginning: called in every document, at its start.

Object.defineProperty(window, HANDLE, { value: { run, fileInput } });
tell('document', { address: location.origin });
whenLoaded(() => {
  // The page's version has to be there before WA-JS asks for it, and so has our wish for silence.
  startWaJs();
  const attach = () => {
    followState();
    followEvents();
    tell('ready', { version: window.Debug?.VERSION ?? null, wajs: WPP.version ?? null });
  };
  if (WPP.isInjected) attach();
  else WPP.on('loader.injected', attach);
});
