// --------------------------------------------------------- what is wrong

let now = 0;        // of the daemon's clock, in seconds since 1970
const steps = new Map();        // by id: the last "recent" that was read

const id = u => u.origin + ' ' + u.name;
const reached = u => u.listed || u.connections.opened + u.tunnels.total > 0;
const isDown = u => (u.state === 'open' || u.breaker === 'open') && reached(u);

// In the last minute, not in five: what is over is not wrong any more. Another state says itself why requests fail.
function isFailing(u) {
    if (u.state !== 'up')
        return false;
    const r = steps.get(id(u)), last = list => list.slice(-12).reduce((a, b) => a + b, 0);
    const failed = r ? last(r.failed) : 0;
    return u.last_5m.unknown > 0 || failed >= 3 && failed / last(r.ended) >= .05;
}

// How far our clock is off, and whether that is more than a second for certain: exchanges refuse signed requests then.
const clockIsOff = k => k.samples > 0 && Math.abs(k.offset_ms) - k.error_ms > 1000;
function clockWords(k) {
    if (!k.samples)
        return '–';
    const off = Math.abs(k.offset_ms);
    return off <= k.error_ms ? 'right, within ' + ms(off + k.error_ms) : ms(off) + (k.offset_ms < 0 ? ' behind' : ' ahead') + ', ± ' + ms(k.error_ms);
}

// What is wrong beside the state.
function notes(u) {
    const found = [], bad = u.exits.filter(e => e.state !== 'up');
    if (u.state !== 'open' && u.breaker === 'open')
        found.push('circuit open');
    if (bad.length)
        found.push(bad.length + ' of ' + plural(u.exits.length, 'exit') + ' not up');
    const down = u.endpoints.filter(e => e.state === 'open').length;
    if (down)
        found.push(down + ' of ' + plural(u.endpoints.length, 'endpoint') + ' not reached');
    if (u.frozen_bots.length)
        found.push('frozen bots: ' + u.frozen_bots.join(', '));
    if (u.certificate_days !== null && u.certificate_days < 7)
        found.push(u.certificate_days < 0 ? 'certificate expired' : 'certificate: ' + plural(Math.floor(u.certificate_days), 'day') + ' left');
    if (clockIsOff(u.clock))
        found.push('our clock is ' + clockWords(u.clock));
    if (u.limits.budget && u.limits.budget.state !== 'shared')
        found.push('budget not shared: the store is away');
    if (u.last_5m.unknown > 0)
        found.push(plural(u.last_5m.unknown, 'order') + ' of unknown fate in five minutes');
    return found;
}

// The first that applies, worst first; `fine` and what follows is nothing wrong.
const RANKS = ['down', 'failing', 'frozen', 'held', 'stopping', 'noted', 'fine'];
function rank(u) {
    if (isDown(u))
        return 'down';
    if (isFailing(u))
        return 'failing';
    if (u.state === 'paused' || u.state === 'draining')
        return 'stopping';
    if (u.state === 'frozen' || u.state === 'held')
        return u.state;
    return notes(u).length || u.limits.holds.length || u.state === 'open' || u.requests.unknown ? 'noted' : 'fine';
}

const isIdle = u => u.requests.last_at === null || now - u.requests.last_at > IDLE_S;
// Its figures are of the past: nothing gets through, or nothing is asked.
const isStopped = u => /^(open|paused|draining)$/.test(u.state) || u.breaker === 'open' || isIdle(u);

// ["circuit open", ": connection refused"]
function stateWords(u) {
    switch (u.state) {
    case 'open':
        return [u.breaker === 'closed' ? 'not reached' : 'circuit open', u.reason ? ': ' + spaced(u.reason.split(':')[0]) : ''];
    case 'frozen':
        return ['frozen', u.frozen ? ' by ' + u.frozen.by : ''];
    case 'paused':
        return ['paused', ' by an operator'];
    case 'held':
    case 'draining':
        return [u.state, u.reason ? ': ' + u.reason : ''];
    default:
        return [u.state, ''];
    }
}

const since = u => span(now - u.since);

// Each hold with the time left and its cause: ["48 s left: 429 to grid1"].
function holdWords(u, whole) {
    const l = u.limits, found = l.holds.map(h => span(Math.ceil(h.left_ms / 1000)) + ' left: ' + h.status + (h.bot ? ' to ' + h.bot : '') +
        (h.held === 'credential' ? ' (one key)' : h.held === 'all' ? ' (all requests)' : '') + (whole && h.path ? ' at ' + h.path : ''));
    if (l.held_ms && !l.holds.some(h => h.held !== 'credential'))
        found.push(span(Math.ceil(l.held_ms / 1000)) + ' left: weight ' + (l.weight_used === null ? '' : count(l.weight_used) + ' of ') + count(l.weight_limit || 0));
    return found;
}
