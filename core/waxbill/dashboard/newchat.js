// Beginning a chat: with a number, as a person who is played, or as a new group. ``view`` is the view of the chats.

import { control, post } from "./api.js";
import { ask, field, h, menu, note } from "./dom.js";
import { simulated } from "./state.js";

/** Asks whom a new chat is with. */
export function newChat(view, anchor) {
  if (view.status !== "WORKING") return note("The session is not working yet.", "bad");
  if (!simulated()) return askNumber(view);
  return menu(
    anchor,
    [
      ["A person", "contact", () => askPerson(view)],
      ["A group", "group", () => askGroup(view)],
    ],
    "New chat",
  );
}

function askNumber(view) {
  ask(
    "New chat",
    field(
      "Number",
      h("input", { name: "phone", required: true, inputmode: "tel", placeholder: "49301234567" }),
      "With the country's code",
    ),
    {
      label: "Open",
      submit: (form) =>
        view.go("chats", { session: view.session, chat: `${form.get("phone").replace(/\D/g, "")}@c.us` }),
    },
  );
}

function askPerson(view) {
  const known = newList(view.people.known);
  const phone = h("input", {
    name: "phone",
    required: true,
    inputmode: "tel",
    placeholder: "49301234567",
    list: known.id,
  });
  ask(
    "Play a person",
    [
      field("Number", phone, "With the country's code; any number will do"),
      known,
      field("Name", h("input", { name: "name", placeholder: "Ana" }), "As in the address book"),
    ],
    {
      label: "Open the chat",
      submit: async (form) => {
        const id = `${form.get("phone").replace(/\D/g, "")}@c.us`;
        await post(control(view.session, "/contacts"), { id, name: form.get("name") || undefined });
        view.people.learn(id, form.get("name"));
        view.go("chats", { session: view.session, chat: id });
      },
    },
  );
}

function askGroup(view) {
  ask(
    "Make a group",
    [
      field("Name", h("input", { name: "subject", required: true, placeholder: "Football on Tuesday" })),
      field(
        "Members",
        h("textarea", { name: "members", rows: "3", required: true, placeholder: "49301234567\n49301234568" }),
        "Numbers, one on each line; the first one makes the group, and this account is in it",
      ),
    ],
    {
      label: "Make it",
      submit: async (form) => {
        const [creator, ...participants] = form
          .get("members")
          .split(/[\n,;]+/)
          .map((each) => each.replace(/\D/g, ""))
          .filter(Boolean);
        if (!creator) throw new Error("A group needs one member or more.");
        const made = await post(control(view.session, "/groups"), {
          creator,
          subject: form.get("subject"),
          participants,
        });
        await view.reload(made.id);
        view.go("chats", { session: view.session, chat: made.id });
      },
    },
  );
}

function newList(people) {
  return h(
    "datalist",
    { id: "known-people" },
    people.map(({ id, name }) => h("option", { value: id.split("@")[0] }, name)),
  );
}
