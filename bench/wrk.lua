-- Prints the figures of wrk's run as JSON. BODY: the body of a POST, instead of a GET.
wrk.headers["Host"] = "exchange.test"
if os.getenv("BODY") then
    wrk.method = "POST"
    wrk.body = os.getenv("BODY")
    wrk.headers["Content-Type"] = "application/json"
end

done = function(summary, latency)
    local e = summary.errors
    io.write(string.format('\nJSON {"requests":%d,"seconds":%f,"p50":%d,"p99":%d,"p999":%d,"max":%d,"errors":%d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
        latency.max, e.connect + e.read + e.write + e.status + e.timeout))
end
