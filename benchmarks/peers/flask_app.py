"""The peer in Flask: the same work as waxbill's POST /api/sendText, with the messages kept in memory only."""

import time

from flask import Flask, jsonify, request

app = Flask(__name__)
messages = []


@app.get("/ping")
def ping():
    return jsonify(message="pong")


@app.post("/api/sendText")
def send_text():
    body = request.get_json()
    if not all(isinstance(body.get(name), str) for name in ("session", "chatId", "text")):
        return jsonify(statusCode=400, message="session, chatId and text are strings"), 400
    chat, id_ = body["chatId"], f"3EB0{len(messages):018X}"
    message = {
        "id": {"fromMe": True, "remote": chat, "id": id_, "_serialized": f"true_{chat}_{id_}"},
        "body": body["text"],
        "type": "chat",
        "timestamp": int(time.time()),
        "from": "491700000000@c.us",
        "to": chat,
        "ack": 1,
    }
    messages.append(message)
    return jsonify(_data=message, **message), 201
