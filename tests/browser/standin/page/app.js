/* Starts the page: says hello to the server, and either shows QR codes or takes the account in. */
'use strict';

window.Debug = { VERSION: standinConfig.version };

(async () => {
  const wire = standinRequire('StandinWire');
  try {
    await standinRequire('StandinKeys').load();
  } catch (error) {
    standinRequire('WAWebBackendEventBus').BackendEventBus.trigger('storage_initialization_error', error);
    document.getElementById('screen').textContent = `WhatsApp can't use this browser's storage: ${error.message}`;
    return;
  }
  const hello = await wire.ask('hello', { paired: standinRequire('WAWebRegistration').isRegistered() });
  const session = standinRequire('StandinSession');
  wire.listen(hello.seen, (happened) => standinRequire('StandinSync').happen(happened));
  if (hello.account) {
    await session.enter(hello.account, false);
    const later = () => {
      for (const one of hello.offline) standinRequire('StandinSync').happen({ type: 'message', ...one });
    };
    setTimeout(later, standinConfig.offlineSeconds * 1000);
  } else if (standinRequire('WAWebRegistration').isRegistered()) await session.left('unknown_companion');
  else await session.showQr();
})();
