-- Debits for wrk: every request with a key of its own, spread over the accounts.
-- Arguments: api key, run, prefix of the accounts, how many there are.

local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(args)
    asked = 0
    run, prefix, accounts = args[2], args[3], tonumber(args[4])
    wrk.headers["Authorization"] = "Bearer " .. args[1]
    wrk.headers["Content-Type"] = "application/json"
end

function request()
    asked = asked + 1
    local account = (asked * 7919 + number * 104729) % accounts + 1
    wrk.headers["Idempotency-Key"] = run .. "-" .. number .. "-" .. asked
    return wrk.format("POST", "/v1/accounts/" .. prefix .. account .. "/debits", nil,
        '{"credits":"0.001","feature":"render"}')
end

function done(summary, latency, requests)
    io.write(string.format(
        '{"requests":%d,"duration_us":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d}\n',
        summary.requests, summary.duration, summary.errors.connect, summary.errors.read, summary.errors.write,
        summary.errors.status, summary.errors.timeout, latency:percentile(50), latency:percentile(99),
        latency:percentile(99.9)))
end
