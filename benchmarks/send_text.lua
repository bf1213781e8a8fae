-- wrk's request: a text message, to each of the sessions that are given after "--" in turn, else to "default".
-- At the end one line of JSON with what wrk measured.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local body = '{"session": "%s", "chatId": "49301234567@c.us", "text": "hello"}'
wrk.body = body:format("default")

init = function(args)
  if #args == 0 then return end
  local requests, turn = {}, 0
  for i, session in ipairs(args) do requests[i] = wrk.format(nil, nil, nil, body:format(session)) end
  request = function()
    turn = turn % #requests + 1
    return requests[turn]
  end
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
