/* The module loader as WhatsApp Web's page has it: __d, require, importNamespace, and the list under __debug.
 *
 * standinConfig (from /js/config.js) can hide modules, give them other names, or let them come late. The page itself
 * always finds its own modules under the names in these files, as a new release of a page would.
 */
'use strict';

(() => {
  const { hidden = [], renamed = {}, late = {} } = window.standinConfig;
  const own = new Map(); // every module, by its name in these files
  const modulesMap = {}; // what others see

  function exportsOf(module) {
    if (!module.exports) {
      module.exports = {};
      const importDefault = (id) => internal(id).default ?? internal(id);
      module.factory(window, internal, importDefault, internal, requireLazy, module, module.exports);
    }
    return module.exports;
  }

  function internal(id) {
    const module = own.get(id);
    if (!module) throw new Error(`the stand-in has no module ${id}`);
    return exportsOf(module);
  }

  function external(id) {
    if (id === '__debug') return { modulesMap };
    const module = Object.hasOwn(modulesMap, id) ? modulesMap[id] : null;
    if (!module) throw new Error(`Requiring unknown module "${id}"`);
    return exportsOf(module);
  }

  /** As on the real page: require answers what a module exports by default, if it does; importNamespace everything. */
  function requireDefault(id) {
    const found = external(id);
    return Object.hasOwn(found, 'default') ? found.default : found;
  }

  function requireLazy(ids, done) {
    queueMicrotask(() => done(...ids.map(internal)));
  }

  function define(id, dependencies, factory) {
    const module = { id, dependencies, factory, exports: null };
    own.set(id, module);
    if (hidden.includes(id)) return;
    const show = () => (modulesMap[renamed[id] ?? id] = module);
    if (late[id]) setTimeout(show, late[id]);
    else show();
  }

  window.ErrorGuard = { skipGuardGlobal() {} };
  window.importNamespace = external;
  window.__d = define;
  window.require = requireDefault;
  /** How the files of this page define a module: module(id, (exports, require) => { exports.x = ... }). */
  window.standinModule = (id, body) =>
    define(id, [], (global, require, importDefault, importNamespace, lazy, module, exports) => body(exports, require));
  window.standinRequire = internal;
})();

standinModule('Bootloader', (exports) => {
  exports.__debug = { componentMap: new Map() };
  exports.loadModules = (ids, done) => queueMicrotask(() => done(...ids.map(standinRequire)));
});
