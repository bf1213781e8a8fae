// The peer: whatsapp-web.js with one session, told what to do by lines of JSON on its standard input.
const { Client, LocalAuth } = require("whatsapp-web.js");
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const { binary, args, folder, headless } = JSON.parse(process.argv[2]);
const client = new Client({
  authStrategy: new LocalAuth({ dataPath: folder }),
  webVersionCache: { type: "none" },
  puppeteer: { executablePath: binary, args, headless },
});
client.on("qr", () => say({ what: "qr" }));
client.on("ready", () => say({ what: "ready" }));
client.on("message", (message) => say({ what: "message", body: message.body, at: Date.now() / 1000 }));
require("readline")
  .createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { chat, text } = JSON.parse(line);
    const began = performance.now();
    try {
      await client.sendMessage(chat, text, { linkPreview: false, sendSeen: false, waitUntilMsgSent: true });
      say({ what: "sent", ms: performance.now() - began });
    } catch (error) {
      say({ what: "failed", error: String(error?.stack ?? error) });
    }
  });
client.initialize().catch((error) => {
  say({ what: "failed", error: String(error?.stack ?? error) });
  process.exit(1);
});
