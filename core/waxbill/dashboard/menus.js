// The menus of a chat and of its messages.

import { control, get, path, post } from "./api.js";
import { ask, attempt, button, copy, field, h, json, menu } from "./dom.js";
import { kindOfChat } from "./message.js";
import { simulated } from "./state.js";

const EMOJI = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

/** What can be done with a message, by whoever is chosen to write. */
export function messageMenu(composer, message, anchor) {
  const mine = message.reactions.get(composer.votesAs());
  const faces = h(
    "div",
    { class: "faces" },
    EMOJI.map((emoji) =>
      h(
        "button",
        {
          type: "button",
          role: "menuitemcheckbox",
          tabindex: "-1",
          "aria-checked": String(mine === emoji),
          "aria-label": `React with ${emoji}`,
          onclick: () => attempt(() => composer.react(message, mine === emoji ? "" : emoji)),
        },
        emoji,
      ),
    ),
  );
  const alive = message.kind !== "deleted";
  const may = simulated() || message.fromMe;
  menu(
    anchor,
    [
      alive && faces,
      alive && ["Reply", "reply", () => composer.reply(message)],
      message.text && ["Copy the text", "copy", () => copy(message.text)],
      alive &&
        may &&
        ["text", "image", "video", "document"].includes(message.kind) && ["Edit", "edit", () => composer.edit(message)],
      alive && may && ["Delete for everyone", "trash", () => attempt(() => composer.remove(message))],
      ["Show as JSON", "code", () => attempt(() => showJson(composer.session, message))],
    ],
    "Message",
  );
}

async function showJson(session, message) {
  const raw = await get(path`/api/${session}/chats/${message.chat}/messages/${message.id}`);
  ask("Message", [json(raw), button("Copy", "copy", () => copy(JSON.stringify(raw, null, 2)))], { wide: true });
}

/** What others do in a chat beside writing. ``changed`` is called when the chat or its members are others then. */
export function chatMenu(composer, anchor, changed) {
  const { chat, people, session } = composer;
  const who = composer.person ? people.name(composer.person) : "";
  const group = kindOfChat(chat) === "group";
  const act = (rest, body, done) => attempt(() => post(control(session, rest), body), done);
  const ring = (video) => act("/calls", { from: composer.person, isVideo: video }, `${who} is calling`);
  const shows = (presence, word) => [`${who} is ${word}`, "edit", () => composer.presence(presence)];
  menu(
    anchor,
    [
      who && shows("typing", "typing"),
      who && shows("recording", "recording"),
      who && shows("online", "online"),
      who && shows("offline", "offline"),
      who && [`${who} calls`, "phone", () => ring(false)],
      who && [`${who} calls with video`, "video", () => ring(true)],
      [
        "Read on your own phone",
        "check",
        () => act("/phone/read", { chatId: chat }, "Read on the phone").then(changed),
      ],
      group && ["Let somebody join", "group", () => askMember(composer, "join", changed)],
      group && ["Let somebody leave", "out", () => askMember(composer, "leave", changed)],
    ],
    "What they do",
  );
}

function askMember({ chat, session }, type, changed) {
  ask(
    type === "join" ? "Who joins?" : "Who leaves?",
    field("Number", h("input", { name: "who", required: true, inputmode: "tel", placeholder: "49301234567" })),
    {
      label: "OK",
      submit: async (form) => {
        await post(control(session, path`/groups/${chat}/participants`), {
          type,
          participants: [form.get("who")],
        });
        await changed();
      },
    },
  );
}
