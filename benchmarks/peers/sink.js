// A receiver of webhooks: answers 200, and keeps of each its id, when it came, and when its text says that it was sent
// (Unix ms).
const http = require("http");

let arrivals = [];
const server = http.createServer((request, response) => {
  if (request.method === "GET") {
    response.end(JSON.stringify(arrivals));
    arrivals = [];
    return;
  }
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const now = performance.timeOrigin + performance.now();
    const found = /"body":"(\d+\.\d+)"/.exec(Buffer.concat(pieces));
    arrivals.push([request.headers["x-webhook-request-id"], now, found ? Number(found[1]) : 0]);
    response.end();
  });
});
server.keepAliveTimeout = 60000;
server.listen(Number(process.env.PORT), "127.0.0.1");
