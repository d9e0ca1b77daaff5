// --------------------------------------------------------------- charts

// Draws each of `lists` (numbers or nulls) as a path, all on one scale; returns the top of the scale.
function lines(svg, lists) {
    const top = Math.max(...lists.flat().map(v => v || 0)) || 1;
    lists.forEach((list, n) => {
        let d = '', pen = false;
        list.forEach((v, i) => {
            if (v !== null)
                d += (pen ? 'L' : 'M') + i + ' ' + (100 - 96 * v / top).toFixed(2) + (pen ? '' : 'h.01');
            pen = v !== null;
        });
        attr(svg.children[n], 'd', d);
    });
    return top;
}

function bars(svg, lists) {
    const top = Math.max(...lists.flat()) || 1;
    lists.forEach((list, n) => attr(svg.children[n], 'd', list.map((v, i) =>
        v ? 'M' + (i - .4) + ' 100v' + (-96 * v / top).toFixed(2) + 'h.8V100z' : '').join('')));
    return top;
}

function chart(title, ...classes) {
    const svg = make('svg', {viewBox: '-1 0 61 100', preserveAspectRatio: 'none', role: 'img'}, ...classes.map(c => make('path', {class: c})));
    const top = make('span', {class: 'soft'}), now = make('span', {class: 'soft'});
    return {svg, top, now, box: make('div', {class: 'chart'}, make('div', {class: 'between'}, make('h3', null, title), top), svg,
                                     make('div', {class: 'between'}, make('span', {class: 'soft'}, '5 minutes ago'), now))};
}

const last = list => { for (let i = list.length; i--;) if (list[i] !== null) return list[i]; return null; };

function drawCharts(c, recent) {
    const perSecond = list => list.map(n => n / recent.step_s), ended = perSecond(recent.ended), failed = perSecond(recent.failed);
    const top = bars(c.load.svg, [ended, failed]), highest = lines(c.latency.svg, [recent.p50_ms, recent.p99_ms]);
    const any = recent.p99_ms.some(v => v !== null), p50 = last(recent.p50_ms), p99 = last(recent.p99_ms);
    say(c.load.top, ended.some(n => n) ? 'top ' + rate(top) : 'none');
    say(c.load.now, rate(ended[ended.length - 1]) + ' now');
    say(c.latency.top, any ? 'top ' + ms(highest) : 'none');
    say(c.latency.now, 'last p50 ' + ms(p50) + ', p99 ' + ms(p99));
    attr(c.load.svg, 'aria-label', 'Requests per second over five minutes: at most ' + rate(top) + ', now ' + rate(ended[ended.length - 1]));
    attr(c.latency.svg, 'aria-label', any ? 'Latency over five minutes: at most ' + ms(highest) + ', last p50 ' + ms(p50) + ', p99 ' + ms(p99) : 'Latency: none in five minutes');
}

// ---------------------------------------------------------------- cards

const cards = new Map();
let made = 0;

// What the user folded or unfolded against the rule, kept by the browser: a card that is unfolded stays so; one that is folded while
// something is wrong stays so until that is over.
let folds = {};
try {
    folds = JSON.parse(localStorage.getItem('trunkline.folds')) || {};
} catch {
    // without storage, choices last as long as the page
}

function choose(key, choice) {
    if (choice)
        folds[key] = choice;
    else
        delete folds[key];
    try {
        localStorage.setItem('trunkline.folds', JSON.stringify(folds));
    } catch {
        // as above
    }
}

function setFolded(c, folded) {
    c.box.classList.toggle('folded', folded);
    attr(c.fold, 'aria-expanded', !folded);
}

function turn(c) {
    const folded = !c.box.classList.contains('folded');
    choose(c.key, folded === !c.wrong ? null : folded ? 'folded' : 'open');
    setFolded(c, folded);
}

// A card that is being used is not folded away.
function keepFold(c) {
    if (!c.wrong && folds[c.key] === 'folded')
        choose(c.key, null);
    const folded = folds[c.key] ? folds[c.key] === 'folded' : !c.wrong;
    if (!folded || !c.box.contains(document.activeElement) && !c.box.matches(':hover') || c.fresh)
        setFolded(c, folded);
    c.fresh = false;
}

function show(key) {
    const c = cards.get(key);
    if (!c)
        return;
    if (c.box.classList.contains('folded'))
        turn(c);
    c.box.scrollIntoView({block: 'start'});
    c.fold.focus({preventScroll: true});
}

const EXITS = [['Exit', ''], ['State', ''], ['Open', 'n'], ['Busy', 'n'], ['Waiting', 'n'], ['Failed', 'n'], ['Weight', 'n'], ['Held for', 'n']];
const ENDPOINTS = [['Endpoint', ''], ['State', ''], ['Gets', ''], ['First byte', 'n'], ['Open', 'n'], ['Busy', 'n'], ['Waiting', 'n']];

// A table that an upstream has or not; hidden while it has no row.
function makeParts(c, field, label, columns) {
    const head = make('tr', null, ...columns.map(([text, kind]) => make('th', {scope: 'col', class: kind}, text)));
    return make('div', {class: 'scroll since', 'data-field': field, hidden: '', tabindex: '0', role: 'region', 'aria-label': label + ' of ' + c.name},
                make('table', null, make('thead', null, head), make('tbody')));
}

function drawParts(box, columns, rows) {
    box.hidden = !rows.length;
    fillTable(box.querySelector('tbody'), rows, columns);
}

const partState = p => p.state === 'open' ? 'circuit open' : p.state;

// The ways out of an upstream that has several.
function drawExits(c, exits) {
    drawParts(c.exits, EXITS, exits.map(e => [e.name, partState(e), count(e.connections.open), count(e.connections.active), count(e.queue.waiting), count(e.connections.failed),
                                              e.limits.weight_used === null ? '–' : count(e.limits.weight_used), e.limits.held_ms ? span(Math.ceil(e.limits.held_ms / 1000)) : '–']));
}

// The hosts that are this exchange, where there are several.
function drawEndpoints(c, endpoints) {
    drawParts(c.endpoints, ENDPOINTS, endpoints.map(e => [e.name, partState(e), [e.orders && 'orders', e.public && 'public'].filter(Boolean).join(', ') || '–', ms(e.ttfb_ms),
                                                          count(e.connections.open), count(e.connections.active), count(e.queue.waiting)]));
}

function makeButtons(c) {
    c.acts = make('div', {class: 'acts'});
    c.buttons = {};
    for (const verb of ['pause', 'resume', 'freeze', 'drain', 'reconnect']) {
        const b = c.buttons[verb] = make('button', {type: 'button', class: 'act', 'data-field': verb, 'data-verb': verb});
        b.addEventListener('click', () => command(c.name, b));
        c.acts.append(b);
    }
    return c.acts;
}

function setButton(c, key, verb, label, asks) {
    const b = c.buttons[key];
    b.hidden = !label;
    b.dataset.verb = verb;
    b.dataset.asks = asks || '';
    say(b, label || '');
    attr(b, 'aria-label', label + ' ' + c.name);
}

function drawButtons(c, u) {
    const stopped = u.state === 'paused' || u.state === 'draining', held = u.limits.holds.length || u.limits.held_ms;
    setButton(c, 'pause', 'pause', stopped ? '' : 'Pause', 'pause');
    setButton(c, 'resume', 'resume', stopped ? 'Resume' : held ? 'End holds' : u.state === 'open' ? 'Try to connect' : '', !stopped && held ? 'release' : '');
    setButton(c, 'freeze', u.frozen ? 'unfreeze' : 'freeze', u.frozen ? 'Unfreeze' : 'Freeze', u.frozen ? 'unfreeze' : 'freeze');
    setButton(c, 'drain', 'drain', u.state === 'draining' ? '' : 'Drain', 'drain');
    setButton(c, 'reconnect', 'reconnect', 'Reconnect', 'reconnect');
}

function makeCard(u, number) {
    const c = {name: u.name, key: id(u), fresh: true, wrong: false};
    c.fold = make('button', {type: 'button', class: 'fold', 'aria-expanded': 'true', 'aria-controls': 'b' + number}, u.name);
    c.fold.addEventListener('click', () => turn(c));
    c.state = make('span', {class: 'state', 'data-field': 'state'});
    c.origin = make('span', {class: 'soft', 'data-field': 'about'});
    c.pool = make('div', {class: 'pool', role: 'img'});
    c.legend = make('p', {class: 'soft legend'});
    c.counts = {};
    for (const [key, word] of [['idle', 'idle'], ['active', 'active'], ['connecting', 'connecting'], ['waiting', 'requests waiting']]) {
        c.counts[key] = make('span', {'data-field': 'connections.' + key});
        c.legend.append(make('span', null, make('i', {class: 'cell ' + key, 'aria-hidden': 'true'}), c.counts[key], ' ' + word), ' ');
    }
    c.cap = make('span');
    c.legend.append(c.cap);
    c.figures = make('p', {class: 'figures past', 'data-field': 'figures'});
    c.latency = chart('Latency: p50 (solid) and p99 (dashed)', 'p50', 'p99');
    c.load = chart('Requests per second (failed ones in red)', 'ended', 'failed');
    const dl = make('dl');
    c.values = values(dl, [['total', 'Requests'], ['success', 'Success rate'], ['reuse', 'Reuse ratio'], ['saved', 'Handshakes saved'],
                           ['stale', 'Stale responses'], ['hits', 'From the store'], ['held', 'Delayed or refused by a limit'], ['weight', 'Weight used'],
                           ['unknown', 'Orders of unknown fate'], ['duplicates', 'Copies of orders'], ['clock', 'Our clock'], ['certificate', 'Certificate'], ['traffic', 'Sent, received'], ['holds', 'Holds'], ['errors', 'Errors']]);
    for (const key of ['holds', 'errors'])
        c.values[key].parentNode.className = 'wide';
    c.exits = makeParts(c, 'exits', 'Exits', EXITS);
    c.endpoints = makeParts(c, 'endpoints', 'Endpoints', ENDPOINTS);
    c.box = make('section', {class: 'card', 'aria-labelledby': 'u' + number, 'data-upstream': u.name},
                 make('div', {class: 'top'}, make('h2', {id: 'u' + number}, c.fold), c.state, c.origin),
                 make('div', {class: 'more', id: 'b' + number}, u.listed ? makeButtons(c) : '', c.pool, c.legend, c.figures,
                      make('div', {class: 'grid'}, c.load.box, c.latency.box), make('h3', {class: 'since'}, 'Since the start'), dl, c.exits, c.endpoints));
    return c;
}

function drawPool(c, u) {
    const k = u.connections, wait = u.queue.waiting, max = Math.max(k.max, k.open), cells = Math.min(max, MOST_CELLS);
    const shown = n => n && Math.max(1, Math.round(n * cells / max));
    const kinds = [];
    for (const kind of ['active', 'idle', 'connecting'])
        for (let i = shown(k[kind]); i-- && kinds.length < cells;)
            kinds.push(kind);
    while (kinds.length < cells)
        kinds.push('free');
    for (let i = Math.min(wait, 40); i--;)
        kinds.push('waiting');
    fill(c.pool, kinds.map((kind, i) => 'cell ' + kind + (kind === 'waiting' && kinds[i - 1] !== 'waiting' ? ' first' : '')), () => make('span'), (e, kind) => attr(e, 'class', kind));
    for (const kind of ['idle', 'active', 'connecting'])
        say(c.counts[kind], count(k[kind]));
    say(c.counts.waiting, count(wait));
    say(c.cap, 'at most ' + plural(k.max, 'connection'));
    attr(c.pool, 'aria-label', k.open + ' connections of ' + k.max + ' at most: ' + k.idle + ' idle, ' + k.active + ' active, ' + k.connecting + ' connecting; ' + wait + ' requests waiting');
}

// The handshakes that one connection per request would have needed, less those that were made.
const saved = u => u.origin.startsWith('https:') ? Math.max(0, u.latency_ms.queue.count - u.connections.handshakes) : 0;
const sum = (list, of) => list.reduce((n, u) => n + of(u), 0);

function aboutWords(u) {
    return (u.state === 'up' ? '' : 'since ' + clock(new Date(u.since * 1000)) + ': ' + u.reason + ' – ') + u.origin + (u.listed ? '' : ' (no upstream block)') +
        (u.tls_verify ? '' : ' – certificate NOT verified') + (u.state !== 'open' && u.breaker !== 'closed' ? ' – circuit breaker ' + spaced(u.breaker) : '') +
        (u.frozen_bots.length ? ' – frozen bots: ' + u.frozen_bots.join(', ') : '');
}

function figureWords(u) {
    const l = u.last_5m;
    return 'Last five minutes: ' + (l.requests ? plural(l.requests, 'request') + ', ' + rate(l.per_second) + ' · ' + share(l.error_rate) + ' failed · p50 ' + ms(l.p50_ms) + ', p99 ' + ms(l.p99_ms) +
        (l.sent ? ' · ' + share(l.reused / l.sent) + ' on open connections' : '') : 'no request');
}

function drawCard(c, u) {
    const r = u.requests, v = c.values, l = u.limits, errors = Object.entries(r.errors), [word] = stateWords(u), kind = rank(u);
    c.wrong = kind !== 'fine';
    keepFold(c);
    c.box.classList.toggle('stopped', isStopped(u));
    say(c.state, word);
    attr(c.state, 'title', 'since ' + clock(new Date(u.since * 1000)) + (u.reason ? ': ' + u.reason : ''));
    attr(c.state, 'class', 'state ' + u.state);
    say(c.origin, aboutWords(u));
    if (c.buttons)
        drawButtons(c, u);
    drawPool(c, u);
    drawExits(c, u.exits);
    drawEndpoints(c, u.endpoints);
    say(c.figures, figureWords(u));
    if (u.recent)
        drawCharts(c, u.recent);
    say(v.total, count(r.total));
    say(v.success, share(r.success_rate, 2));
    say(v.reuse, u.latency_ms.queue.count ? share(u.connections.reused / u.latency_ms.queue.count, 2) : '–');
    say(v.saved, u.origin.startsWith('https:') ? count(saved(u)) : '–');
    say(v.stale, count(u.cache.stale));
    say(v.hits, count(u.cache.hits + u.cache.collapsed));
    say(v.held, count(l.rate_held + l.rate_refused));
    say(v.holds, holdWords(u, true).join('; ') || 'none');
    say(v.weight, l.weight_used === null ? '–' : count(l.weight_used) + (l.weight_limit ? ' of ' + count(l.weight_limit) : ''));
    say(v.clock, clockWords(u.clock));
    v.clock.classList.toggle('alarm', clockIsOff(u.clock));
    say(v.certificate, u.certificate_days === null ? '–' : plural(Math.floor(u.certificate_days), 'day') + ' left');
    v.certificate.classList.toggle('alarm', u.certificate_days !== null && u.certificate_days < 7);
    say(v.unknown, count(r.unknown));
    v.unknown.classList.toggle('alarm', r.unknown > 0);
    say(v.duplicates, count(r.duplicates));
    say(v.traffic, bytes(u.bytes.sent) + ', ' + bytes(u.bytes.received));
    say(v.errors, errors.length ? errors.map(([name, n]) => name + ' × ' + count(n)).join(', ') : 'none');
}
