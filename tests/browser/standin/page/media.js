/* Media: taking a file apart before it is sent, giving it to the server, getting one back. Nothing is encrypted here. */
'use strict';

standinModule('WAWebMediaOpaqueData', (exports) => {
  class OpaqueData {
    #blob;
    #url;
    constructor(blob) {
      this.#blob = blob;
    }
    static async createFromData(data, type) {
      return new OpaqueData(data instanceof Blob ? data : new Blob([data], { type }));
    }
    forceToBlob() {
      return this.#blob;
    }
    type() {
      return this.#blob.type;
    }
    size() {
      return this.#blob.size;
    }
    url() {
      this.#url ??= URL.createObjectURL(this.#blob);
      return this.#url;
    }
    throwIfReleased() {}
    retain() {}
    autorelease() {
      if (this.#url) URL.revokeObjectURL(this.#url);
      this.#url = undefined;
    }
  }
  exports.default = OpaqueData;
});

standinModule('WAWebMediaInMemoryBlobCache', (exports) => {
  /** Keeps the files that were used last, up to 16 MB: the rest has to come from the server again. */
  class InMemoryMediaBlobCacheImpl {
    #blobs = new Map();
    put(filehash, blob) {
      this.#blobs.delete(filehash);
      this.#blobs.set(filehash, blob);
      let size = 0;
      for (const one of this.#blobs.values()) size += one.size;
      for (const [oldest, one] of this.#blobs) {
        if (size <= 16 * 1024 * 1024 || oldest === filehash) break;
        this.#blobs.delete(oldest);
        size -= one.size;
      }
    }
    has(filehash) {
      return this.#blobs.has(filehash);
    }
    get(filehash) {
      return this.#blobs.get(filehash);
    }
    clear() {
      this.#blobs.clear();
    }
  }
  exports.InMemoryMediaBlobCacheImpl = InMemoryMediaBlobCacheImpl;
  exports.InMemoryMediaBlobCache = new InMemoryMediaBlobCacheImpl();
});

standinModule('WAWebMediaGatingUtils', (exports) => {
  exports.getUploadLimit = (type) => (type === 'document' ? 2000 : 64) * 1024 * 1024;
});

standinModule('WAWebServerPropConstants', (exports) => {
  exports.MAX_FILE_SIZE_BYTES = 2000 * 1024 * 1024;
  exports.DEFAULT_MAX_FILE_SIZE_BYTES = 100 * 1024 * 1024;
  exports.MULTICAST_LIMIT_GLOBAL = 5;
});

standinModule('StandinMedia', (exports, require) => {
  const wire = require('StandinWire');
  const cache = require('WAWebMediaInMemoryBlobCache').InMemoryMediaBlobCache;

  exports.download = async (mediaData) => {
    mediaData.mediaStage = 'FETCHING';
    try {
      const blob = await wire.download(mediaData.filehash);
      cache.put(mediaData.filehash, blob.slice(0, blob.size, mediaData.mimetype));
      mediaData.mediaStage = 'RESOLVED';
    } catch (error) {
      mediaData.mediaStage = 'ERROR_MISSING';
      throw error;
    }
  };

  /** What a file is sent as, by its type and by what the caller wants. */
  exports.kind = (mimetype, { isPtt, asDocument, asSticker }) => {
    if (asDocument) return 'document';
    if (asSticker) return 'sticker';
    if (isPtt) return 'ptt';
    const [kind] = mimetype.split('/');
    return ['image', 'video', 'audio'].includes(kind) ? kind : 'document';
  };

  exports.measure = async (kind, blob) => {
    if (kind !== 'image' && kind !== 'sticker') return {};
    const picture = await createImageBitmap(blob);
    const size = { fullWidth: picture.width, fullHeight: picture.height };
    picture.close();
    return size;
  };
});

standinModule('WAWebPrepRawMedia', (exports, require) => {
  const wire = require('StandinWire');
  const media = require('StandinMedia');
  const { MediaData } = require('WAWebMediaDataModel');

  class MediaPrep {
    constructor(opaque, options) {
      this.blob = opaque.forceToBlob();
      this.options = options;
      this.prepared = this.prepare(opaque.type());
      this.prepared.catch(() => {}); // told to whoever waits for it
    }
    async prepare(mimetype) {
      const type = media.kind(mimetype, this.options);
      this._mediaData = new MediaData({
        type,
        mimetype,
        size: this.blob.size,
        isGif: this.options.asGif || undefined,
        ...this.options.precomputedFields,
        ...(await media.measure(type, this.blob)),
      });
    }
    async waitForPrep() {
      await this.prepared;
      return this._mediaData;
    }
    async sendToChat({ chat, options }) {
      const data = await this.waitForPrep();
      let uploaded;
      try {
        uploaded = await wire.upload(this.blob);
      } catch {
        return { messageSendResult: 'ERROR_UPLOAD' };
      }
      data.set({ ...uploaded, mediaStage: 'RESOLVED' });
      const base = options.productMsgOptions ?? (await require('StandinOutgoing').raw(chat, {}));
      const { type, mimetype, size, duration, waveform, fullWidth, fullHeight, isGif } = data.attributes;
      const raw = {
        ...base, ...uploaded, type, mimetype, size, duration, waveform, fullWidth, fullHeight, isGif,
        width: fullWidth, height: fullHeight, mediaKey: uploaded.filehash,
        caption: options.caption, isViewOnce: options.isViewOnce, mediaData: data,
      }; // prettier-ignore
      if (type !== 'document') delete raw.filename;
      require('WAWebMediaInMemoryBlobCache').InMemoryMediaBlobCache.put(uploaded.filehash, this.blob);
      return require('StandinMessages').send(chat, raw)[1];
    }
  }
  exports.MediaPrep = MediaPrep;
  exports.prepRawMedia = (opaque, options) => new MediaPrep(opaque, options);
  exports.uploadProductImage = async () => '';
});
