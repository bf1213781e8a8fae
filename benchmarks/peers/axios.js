// What WAHA does with its webhooks: axios, from memory, here unsigned, four at a time over kept connections.
const axios = require("axios");
const http = require("http");

const [url, count] = [process.argv[2], Number(process.argv[3])];
const body = process.argv[4];
const client = axios.create({ httpAgent: new http.Agent({ keepAlive: true, maxSockets: 4 }) });

async function main() {
  let left = count;
  const begun = performance.now();
  const worker = async () => {
    while (left-- > 0) {
      await client.post(url, body, { headers: { "Content-Type": "application/json" } });
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  console.log(JSON.stringify({ rate: count / ((performance.now() - begun) / 1000), rss: process.memoryUsage().rss }));
}

main();
