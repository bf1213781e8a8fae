// The peer in Express: the same work as waxbill's POST /api/sendText, with the messages kept in memory only.
const express = require("express");
const app = express();
app.use(express.json());
const messages = [];
app.get("/ping", (request, response) => response.json({ message: "pong" }));
app.post("/api/sendText", (request, response) => {
  const { session, chatId, text } = request.body;
  if (typeof session !== "string" || typeof chatId !== "string" || typeof text !== "string")
    return response.status(400).json({ statusCode: 400, message: "session, chatId and text are strings" });
  const id = "3EB0" + messages.length.toString(16).toUpperCase().padStart(18, "0");
  const message = {
    id: { fromMe: true, remote: chatId, id, _serialized: `true_${chatId}_${id}` },
    body: text, type: "chat", timestamp: Math.floor(Date.now() / 1000), from: "491700000000@c.us", to: chatId, ack: 1,
  };
  messages.push(message);
  response.status(201).json({ _data: message, ...message });
});
app.listen(Number(process.env.PORT), "127.0.0.1");
