-- wrk's request: a text message. At the end one line of JSON with what wrk measured.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"session": "default", "chatId": "49301234567@c.us", "text": "hello"}'

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
