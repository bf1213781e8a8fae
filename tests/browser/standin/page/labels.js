/* Labels of a business account, and calls. */
'use strict';

standinModule('WAWebLabelCollection', (exports, require) => {
  const { BaseCollection, default: Collection } = require('WAWebBaseCollection');
  const { BaseModel } = require('WAWebBaseModel');
  const { colorIndexToHex } = require('WAWebLabelColors');

  class LabelItem extends BaseModel {}
  class LabelItemCollectionImpl extends Collection {
    static model = LabelItem;
  }
  class Label extends BaseModel {
    constructor(attributes) {
      super(attributes);
      this.set({ labelItemCollection: new LabelItemCollectionImpl() }, { silent: true });
    }
    get hexColor() {
      return colorIndexToHex(this.attributes.colorIndex);
    }
  }
  Label.prototype.proxyName = 'label';
  class LabelCollectionImpl extends BaseCollection {
    static model = Label;
    async getNextAvailableColor() {
      return (this.length % 20) + 1;
    }
    /** Puts labels on chats or takes them off: [{id, type: 'add' or 'remove'}]. */
    async addOrRemoveLabels(labels, chats) {
      for (const chat of chats) {
        for (const { id, type } of labels) {
          await require('StandinWire').ask('label-chat', { id, chat: chat.id, on: type === 'add' });
          await require('StandinLabels').put(String(chat.id), [String(id)], type === 'add');
        }
      }
    }
  }
  exports.LabelCollection = new LabelCollectionImpl();
});

standinModule('WAWebLabelColors', (exports) => {
  const colors = [
    '#ff9485', '#64c4ff', '#ffd429', '#dfaef0', '#99b6c1', '#55ccb3', '#ff9dff', '#d3a91d', '#6d7cce', '#d7e752',
    '#00d0e2', '#ffc5c7', '#93ceac', '#f74848', '#00a0f2', '#83e422', '#ffaf04', '#b5ebff', '#9ba6ff', '#9368cf',
  ]; // prettier-ignore
  exports.colorIndexToHex = (index) => colors[index];
  exports.getAllLabelColors = () => colors;
});

standinModule('StandinLabels', (exports, require) => {
  const labels = () => require('WAWebLabelCollection').LabelCollection;
  const chatOf = (id) => require('WAWebChatCollection').ChatCollection.get(id);

  exports.take = ({ chats = [], ...label }) => {
    labels().add(label).set(label);
    for (const id of chats) exports.mark(id, label.id, true);
  };
  exports.mark = (chatId, id, on) => {
    const items = labels().get(id)?.labelItemCollection;
    const item = `Chat_${chatId}`;
    if (on) items?.add({ id: item, labelId: id, parentType: 'Chat', parentId: chatId });
    else items?.remove(item);
    const chat = chatOf(chatId);
    if (!chat) return;
    chat.labels = on ? [...new Set([...chat.labels, id])] : chat.labels.filter((one) => one !== id);
  };
  exports.put = async (chatId, ids, on) => {
    for (const id of ids) exports.mark(chatId, id, on);
    const collection = require('WAWebLabelCollectionUtils');
    await (on ? collection.addToLabelCollection : collection.removeLabelFromCollection)(chatId, ids, 'Chat');
  };
});

standinModule('WAWebLabelCollectionUtils', (exports) => {
  exports.addToLabelCollection = async () => {};
  exports.removeLabelFromCollection = async () => {};
  exports.createLabelItemId = (labelId, type, id) => `${type}_${id}`;
  exports.initializeLabels = async () => {};
  exports.getParentCollection = () => null;
});

standinModule('WAWebBizLabelEditingAction', (exports, require) => {
  const ask = (parts) => require('StandinWire').ask('label', parts);
  exports.labelAddAction = async (name, colorIndex) => require('StandinLabels').take(await ask({ name, colorIndex }));
  exports.labelEditAction = async (id, name, predefinedId, colorIndex) =>
    require('StandinLabels').take(await ask({ id: String(id), name, colorIndex }));
  exports.labelDeleteAction = async ({ labelId }) => {
    await ask({ id: labelId, gone: true });
    for (const item of require('WAWebLabelCollection').LabelCollection.get(labelId).labelItemCollection.toArray()) {
      require('StandinLabels').mark(item.parentId, labelId, false);
    }
    require('WAWebLabelCollection').LabelCollection.remove(labelId);
  };
  exports.getNextLabelId = () => require('StandinWire').ask('next-label');
});

standinModule('WAWebVoipWaCallEnums', (exports) => {
  exports.CallState = { None: 0, Calling: 1, ReceivedCall: 3, CallActive: 6, ReceivedCallWithoutOffer: 8, CallStateEnding: 13 };
});

standinModule('WAWebCallModel', (exports, require) => {
  const EventEmitter = require('WAWebEventEmitter').default;
  exports.default = class Call extends EventEmitter {
    constructor(attributes) {
      super();
      Object.assign(this, attributes);
    }
    getState() {
      return this.state;
    }
  };
});

standinModule('WAWebCallCollection', (exports, require) => {
  const Collection = require('WAWebBaseCollection').default;
  const Call = require('WAWebCallModel').default;
  class CallCollectionImpl extends Collection {
    static model = Call;
    activeCall = null;
    calls = new Map();
    add(call) {
      this.calls.set(call.id, call);
      this._index[call.id] = call;
      this._models.push(call);
      this.trigger('add', call, this);
      return call;
    }
    processIncomingCall(call) {
      return this.add(call);
    }
    setActiveCall(call) {
      this.activeCall = call;
    }
  }
  exports.default = new CallCollectionImpl();
});

standinModule('StandinCalls', (exports, require) => {
  const calls = () => require('WAWebCallCollection').default;
  exports.arrive = ({ peerJid, ...call }) => {
    const Call = require('WAWebCallModel').default;
    const peer = require('WAWebWidFactory').createWid(peerJid);
    const state = require('WAWebVoipWaCallEnums').CallState.ReceivedCall;
    const arrived = calls().processIncomingCall(new Call({ ...call, peerJid: peer, state, outgoing: false }));
    calls().setActiveCall(arrived);
  };
  exports.end = (id) => {
    const call = calls()._index[id];
    if (!call) return;
    call.state = require('WAWebVoipWaCallEnums').CallState.CallStateEnding;
    if (calls().activeCall === call) calls().setActiveCall(null);
    calls().calls.delete(id);
    delete calls()._index[id];
    calls()._models.splice(calls()._models.indexOf(call), 1);
    calls().trigger('remove', call);
  };
});

standinModule('WAWebVoipStackInterface', (exports, require) => {
  const calls = require('WAWebCallCollection').default;
  const stack = {
    rejectCall: () => require('StandinWire').ask('reject-call', { id: calls.activeCall.id }),
    acceptCall: () => require('StandinWire').ask('accept-call', { id: calls.activeCall.id }),
    endCall: () => require('StandinWire').ask('reject-call', { id: calls.activeCall.id }),
  };
  exports.getVoipStackInterface = async () => stack;
});

standinModule('WASmaxJsx', (exports) => {
  class WapNode {
    constructor(tag, attrs = {}, content = null) {
      Object.assign(this, { tag, attrs, content });
    }
  }
  exports.WapNode = WapNode;
  exports.smax = (tag, attrs, content) => new WapNode(tag, attrs, content);
  exports.wap = exports.smax;
  exports.generateId = () => String(Date.now());
});

standinModule('WAWebSmaxStanza', (exports, require) => {
  exports.sendSmaxStanza = (node) =>
    require('StandinWire').ask('stanza', { tag: node.tag, attrs: node.attrs, child: node.content[0].tag, childAttrs: node.content[0].attrs });
  exports.ensureE2ESessions = async () => {};
});
