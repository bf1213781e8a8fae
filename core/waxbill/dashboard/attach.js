// What is attached to a message beside files: recordings, places, polls, contacts.

import { path, post } from "./api.js";
import { ask, field, h, note } from "./dom.js";

export const base64 = (file) =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).split(",")[1] || "");
    reader.onerror = () => failed(new Error(`${file.name} can't be read.`));
    reader.readAsDataURL(file);
  });

/** A recording as WhatsApp has it, Opus in Ogg, where the server can make it so; else as it is. */
async function spoken(session, file) {
  if (file.type === "audio/ogg") return file;
  try {
    const { data } = await post(path`/api/${session}/media/convert/voice`, { data: await base64(file) });
    return new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], "voice.ogg", {
      type: "audio/ogg",
    });
  } catch (error) {
    note(`It is sent as it was recorded, in ${file.type}: ${error.message}`, "bad");
    return file;
  }
}

/** Records a voice message, and attaches it. */
export async function record(composer) {
  const sound = await navigator.mediaDevices.getUserMedia({ audio: true }).catch(() => {
    throw new Error("The browser does not let this page use the microphone.");
  });
  const kinds = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];
  const recorder = new MediaRecorder(sound, { mimeType: kinds.find((kind) => MediaRecorder.isTypeSupported(kind)) });
  const parts = [];
  let keep = true;
  composer.presence("recording");
  const began = Date.now();
  const clock = h("p", { class: "code", role: "timer" }, "0:00");
  const ticking = setInterval(() => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }, 250);
  const dialog = ask("Recording…", [h("p", null, "Speak now."), clock], {
    label: "Done",
    submit: async () => {
      const ended = new Promise((done) => (recorder.onstop = done));
      recorder.stop();
      await ended;
      const type = recorder.mimeType.split(";")[0];
      composer.attach(
        await spoken(composer.session, new File(parts, `voice.${type.split("/")[1]}`, { type })),
        "voice",
      );
      keep = false;
    },
  });
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.start();
  dialog.addEventListener("close", () => {
    clearInterval(ticking);
    if (keep && recorder.state !== "inactive") recorder.stop();
    for (const track of sound.getTracks()) track.stop();
    composer.presence("paused");
  });
}

export function askLocation(composer) {
  const place = (name, label, value, hint) =>
    field(
      label,
      h("input", { name, value, inputmode: name === "name" ? "text" : "decimal", required: name !== "name" }),
      hint,
    );
  ask(
    "Send a location",
    [
      place("latitude", "Latitude", "52.5163", "Degrees, north is positive"),
      place("longitude", "Longitude", "13.3777", "Degrees, east is positive"),
      place("name", "Name of the place", ""),
    ],
    {
      label: "Send",
      submit: (form) => {
        const degrees = (name) => {
          const value = Number(form.get(name).replace(",", "."));
          if (!Number.isFinite(value)) throw new Error(`${name} must be a number, such as 52.5163`);
          return value;
        };
        return composer.send({
          location: {
            latitude: degrees("latitude"),
            longitude: degrees("longitude"),
            name: form.get("name") || undefined,
          },
        });
      },
    },
  );
}

export function askPoll(composer) {
  const multiple = h("input", { type: "checkbox", name: "multiple" });
  ask(
    "Send a poll",
    [
      field("Question", h("input", { name: "name", required: true, autocomplete: "off" })),
      field("Options", h("textarea", { name: "options", rows: "4", required: true }), "One on each line"),
      h("label", { class: "check" }, multiple, "More than one can be chosen"),
    ],
    {
      label: "Send",
      submit: (form) => {
        const options = form
          .get("options")
          .split("\n")
          .map((option) => option.trim())
          .filter(Boolean);
        if (options.length < 2) throw new Error("A poll needs two options or more.");
        return composer.send({ poll: { name: form.get("name"), options, multipleAnswers: multiple.checked } });
      },
    },
  );
}

export function askContact(composer) {
  ask(
    "Send a contact",
    [
      field("Name", h("input", { name: "name", required: true })),
      field("Number", h("input", { name: "phone", required: true, inputmode: "tel", placeholder: "49301234567" })),
    ],
    {
      label: "Send",
      submit: (form) => {
        const phone = form.get("phone").replace(/\D/g, "");
        if (phone.length < 5) throw new Error("The number must have its country's code, such as 49301234567.");
        return composer.send({ card: { name: form.get("name").replace(/[\r\n]/g, " "), phone } });
      },
    },
  );
}
