/* Events, models and collections: what every store of the page is made of. */
'use strict';

standinModule('WAWebEventEmitter', (exports) => {
  exports.default = class EventEmitter {
    #listeners = new Map();

    on(event, listener, context) {
      if (typeof listener !== 'function') throw new Error('Callback parameter passed is not a function');
      for (const name of event.split(' ')) {
        if (!this.#listeners.has(name)) this.#listeners.set(name, []);
        this.#listeners.get(name).push({ listener, context });
      }
      return this;
    }

    once(event, listener, context) {
      const first = (...args) => {
        this.off(event, first);
        listener.apply(context ?? this, args);
      };
      first.listener = listener;
      return this.on(event, first, context);
    }

    off(event, listener, context) {
      for (const name of event ? event.split(' ') : [...this.#listeners.keys()]) {
        const kept = (this.#listeners.get(name) ?? []).filter(
          (one) =>
            (listener && one.listener !== listener && one.listener.listener !== listener) ||
            (context && one.context !== context),
        );
        if (kept.length) this.#listeners.set(name, kept);
        else this.#listeners.delete(name);
      }
      return this;
    }

    trigger(event, ...args) {
      for (const one of [...(this.#listeners.get(event) ?? [])]) one.listener.apply(one.context ?? this, args);
      for (const one of [...(this.#listeners.get('all') ?? [])]) one.listener.call(one.context ?? this, event, ...args);
      return this;
    }

    listenTo(target, event, listener) {
      target.on(event, listener, this);
      return this;
    }

    listenToOnce(target, event, listener) {
      target.once(event, listener, this);
      return this;
    }

    stopListening(target, event, listener) {
      if (target) target.off(event, listener, this);
      return this;
    }

    isListening(event) {
      return this.#listeners.has(event);
    }

    emit(event, ...args) {
      return this.trigger(event, ...args);
    }

    bind(event, listener, context) {
      return this.on(event, listener, context);
    }

    removeListener(event, listener, context) {
      return this.off(event, listener, context);
    }

    removeAllListeners() {
      return this.off();
    }
  };
});

standinModule('WAWebBaseModel', (exports, require) => {
  const EventEmitter = require('WAWebEventEmitter').default;

  /** Private names can't be reached through a proxy, so the emitter is a member. */
  class BaseModel {
    constructor(attributes = {}) {
      this.attributes = {};
      this.emitter = new EventEmitter();
      this.isState = true;
      const proxy = new Proxy(this, {
        get: (target, key, receiver) =>
          Reflect.has(target, key) ? Reflect.get(target, key, receiver) : target.attributes[key],
        set: (target, key, value, receiver) => {
          if (Reflect.has(target, key)) return Reflect.set(target, key, value, receiver);
          receiver.set({ [key]: value });
          return true;
        },
        has: (target, key) => Reflect.has(target, key) || key in target.attributes,
      });
      this.proxy = proxy;
      proxy.set({ ...this.constructor.defaults?.(proxy), ...attributes }, { silent: true });
      return proxy;
    }

    set(changes, options = {}) {
      if (typeof changes === 'string') return this.set({ [changes]: options }, arguments[2]);
      const before = {};
      for (const [key, value] of Object.entries(changes)) {
        if (this.attributes[key] === value) continue;
        before[key] = this.attributes[key];
        this.attributes[key] = value;
        if (value instanceof BaseModel) this.adopt(key, value);
      }
      if (!options.silent) {
        for (const [key, previous] of Object.entries(before)) {
          this.trigger(`change:${key}`, this.proxy, this.attributes[key], previous);
        }
        if (Object.keys(before).length) this.trigger('change', this.proxy);
      }
      return this.proxy;
    }

    adopt(key, child) {
      child.on('all', (event, ...args) => {
        if (event.startsWith('change:')) this.trigger(`change:${key}.${event.slice(7)}`, ...args);
      });
    }

    unset(key) {
      return this.set({ [key]: undefined });
    }

    on(event, listener, context) {
      this.emitter.on(event, listener, context);
      return this.proxy;
    }

    once(event, listener, context) {
      this.emitter.once(event, listener, context);
      return this.proxy;
    }

    off(event, listener, context) {
      this.emitter.off(event, listener, context);
      return this.proxy;
    }

    trigger(event, ...args) {
      this.emitter.trigger(event, ...args);
      return this.proxy;
    }

    listenTo(target, event, listener) {
      target.on(event, listener, this.proxy);
      return this.proxy;
    }

    serialize() {
      return { ...this.attributes };
    }

    toJSON() {
      return Object.fromEntries(Object.entries(this.attributes).filter(([, value]) => !(value instanceof BaseModel)));
    }

    delete() {
      this.attributes.collection?.remove(this.proxy);
    }
  }
  exports.BaseModel = BaseModel;
  exports.defineModel = (model) => model;
});

standinModule('WAWebBaseCollection', (exports, require) => {
  const EventEmitter = require('WAWebEventEmitter').default;
  const { BaseModel } = require('WAWebBaseModel');
  const keyOf = (id) => String(id instanceof BaseModel ? id.id : id);

  class Collection extends EventEmitter {
    constructor(models, options = {}) {
      super();
      this._models = [];
      this._index = {};
      this.parent = options.parent;
      if (!this.constructor.model) throw new Error('Collection initialized without model');
      if (models) this.add(models);
    }

    get modelClass() {
      return this.constructor.model;
    }

    get length() {
      return this._models.length;
    }

    add(given, options = {}) {
      if (Array.isArray(given)) return given.map((one) => this.add(one, options));
      const known = this._index[keyOf(given.id)];
      if (known) {
        if (options.merge !== false && !(given instanceof BaseModel)) known.set(given);
        return known;
      }
      const model = given instanceof BaseModel ? given : new this.constructor.model(given);
      this._index[keyOf(model.id)] = model;
      this._models.push(model);
      const bubble = (event, ...args) => {
        if (event.startsWith('change')) this.trigger(event, ...args);
      };
      model.on('all', bubble, this);
      if (!options.silent) this.trigger('add', model, this, options);
      return model;
    }

    gadd(id, options) {
      return this.get(id) ?? this.add(id instanceof BaseModel ? id : { id }, options);
    }

    remove(given, options = {}) {
      if (Array.isArray(given)) return given.map((one) => this.remove(one, options));
      const model = this.get(given);
      if (!model) return undefined;
      delete this._index[keyOf(model.id)];
      this._models.splice(this._models.indexOf(model), 1);
      model.off('all', null, this);
      if (!options.silent) this.trigger('remove', model, this, options);
      return model;
    }

    reset() {
      this._models = [];
      this._index = {};
      this.trigger('reset', this);
    }

    get(id) {
      return id == null ? undefined : this._index[keyOf(id)];
    }

    assertGet(id) {
      const found = this.get(id);
      if (!found) throw new Error(`${keyOf(id)} is not in the collection`);
      return found;
    }

    at(position) {
      return this._models.at(position);
    }

    sort(comparator) {
      const order = typeof comparator === 'function' ? comparator : this.constructor.comparator;
      if (order) this._models.sort(order);
      this.trigger('sort', this);
      return this;
    }

    findFirst(test) {
      return this._models.find(test);
    }

    head() {
      return this._models[0];
    }

    last() {
      return this._models.at(-1);
    }

    getModelsArray() {
      return this._models;
    }

    toArray() {
      return [...this._models];
    }

    includes(model) {
      return this._models.includes(model);
    }

    isModel(model) {
      return model instanceof this.constructor.model;
    }

    toJSON() {
      return this._models.map((model) => model.toJSON());
    }

    serialize() {
      return this._models.map((model) => model.serialize());
    }
  }
  for (const method of ['map', 'filter', 'forEach', 'some', 'every', 'reduce', 'slice', 'indexOf', 'lastIndexOf']) {
    Collection.prototype[method] = function (...args) {
      return this._models[method](...args);
    };
  }

  /** A collection that can ask the server for what it does not have: subclasses bring findImpl(id) -> attributes. */
  class BaseCollection extends Collection {
    async find(id) {
      return this.get(id) ?? this.update(id);
    }

    async update(id) {
      const found = await this.findImpl(id);
      return found && this.add(found);
    }

    async findImpl(id) {
      return { id };
    }

    isStateStale() {
      return false;
    }
  }
  exports.default = Collection;
  exports.BaseCollection = BaseCollection;
});
