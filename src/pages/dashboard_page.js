// ------------------------------------------------------ the page as a whole

// The table begins with what is wrong; the cards keep their order, so that no button moves away.
function drawUpstreams(all) {
    const order = new Map(all.map((u, i) => [u, i])), ranks = new Map(all.map(u => [u, RANKS.indexOf(rank(u))]));
    const usual = (a, b) => b.listed - a.listed || (a.listed ? order.get(a) - order.get(b) : b.requests.total - a.requests.total);
    const shown = [...all].sort((a, b) => ranks.get(a) - ranks.get(b) || usual(a, b)).slice(0, MOST_SHOWN), ids = new Set(shown.map(id));
    for (const map of [cards, rows])
        for (const key of map.keys())
            if (!ids.has(key))
                map.delete(key);
    for (const u of shown) {
        if (!rows.has(id(u))) {
            rows.set(id(u), makeRow(u));
            cards.set(id(u), makeCard(u, ++made));
        }
        drawRow(rows.get(id(u)), u);
        drawCard(cards.get(id(u)), u);
    }
    arrange($('table').tBodies[0], shown.map(u => rows.get(id(u)).tr));
    arrange($('upstreams'), [...shown].sort(usual).map(u => cards.get(id(u)).box));
    $('none').hidden = all.length > 0;
    $('table').hidden = !all.length;
    $('more').hidden = all.length <= shown.length;
    say($('more'), 'and ' + (all.length - shown.length) + ' more: see /stats');
}

const TILES = [['requests', 'Requests'], ['failed', 'Failed'], ['p99', 'Slowest p99'], ['unknown', 'Orders of unknown fate'], ['reused', 'On open connections'], ['wait', 'Longest wait in the queue'],
               ['stale', 'Stale responses'], ['clients', 'Clients, now']];
const tiles = {};
for (const [key, label] of TILES) {
    tiles[key] = make('b', {'data-field': key});
    tiles[key].total = make('span', {class: 'soft', 'data-field': key + '.total'});
    $('tiles').append(make('li', null, make('span', {class: 'soft'}, label), tiles[key], tiles[key].total));
}

function tile(key, value, total, alarm) {
    say(tiles[key], value);
    say(tiles[key].total, total);
    tiles[key].classList.toggle('alarm', !!alarm);
}

const highest = (list, of) => list.reduce((top, u) => of(u) > (top ? of(top) : 0) ? u : top, null);

function drawTiles(s) {
    const l = s.last_5m, r = s.requests, all = s.upstreams, unknown = sum(all, u => u.requests.unknown);
    const slow = highest(all, u => u.last_5m.p99_ms), longest = highest(all, u => u.queue.max_wait_ms), waiting = sum(all, u => u.queue.waiting);
    tile('requests', rate(l.per_second), count(l.requests) + ' of ' + count(r.total) + ' in total');
    tile('failed', share(l.error_rate), count(l.failed) + ' of ' + count(r.failed) + ' in total', l.error_rate >= .01);
    tile('p99', slow ? ms(slow.last_5m.p99_ms) : '–', slow ? slow.name : 'no response');
    tile('unknown', count(l.unknown), count(unknown) + ' in total', unknown > 0);
    tile('reused', l.sent ? share(l.reused / l.sent) : '–', plural(sum(all, saved), 'handshake') + ' saved in total');
    tile('wait', longest ? ms(longest.queue.max_wait_ms) : '–', (longest ? longest.name + '; ' : '') + count(waiting) + ' waiting now');
    tile('stale', count(l.stale), count(sum(all, u => u.cache.stale)) + ' in total');
    tile('clients', count(s.clients.open), count(s.clients.accepted) + ' in total' + (s.clients.rejected ? ', ' + count(s.clients.rejected) + ' refused' : ''));
}

// What is wrong with the daemon itself.
function noticeWords(s) {
    const found = [], j = s.order_journal, f = s.state_file, b = s.budget_store;
    if (s.draining)
        found.push('trunkline is shutting down.');
    if (j.state === 'failing')
        found.push('The order journal cannot be written since ' + span(now - j.since) + ': ' + j.error + '. ' + plural(j.refused, 'order') + ' refused, ' + count(j.missed) + ' sent without a line.');
    if (f.error)
        found.push('The state file cannot be written: ' + f.error + '. A restart would lose what changed.');
    if (f.damage)
        found.push('The state file was damaged at the start (' + f.damage + '): everything was frozen.');
    if (s.reload.succeeded === false)
        found.push('The last reload, ' + ago(now - s.reload.at) + ', failed: the configuration before it is in effect. The log says why.');
    if (b && b.state === 'outage')
        found.push('The budget store does not answer, ' + span(now - b.since) + (b.reason ? ': ' + b.reason : '') + '. Each upstream is on this trunkline\'s share.');
    if (s.frozen_bots.length)
        found.push('Frozen bots: ' + s.frozen_bots.join(', ') + '.');
    return found;
}

function drawNotices(s) {
    const found = noticeWords(s);
    $('notices').hidden = !found.length;
    fill($('notices'), found, () => make('li'), say);
}

function makeError() {
    return make('li', null, make('div', {class: 'between'}, make('b'), make('span', {class: 'soft n'})), make('div', null, make('span'), make('b', {class: 'alarm'})), make('div', {class: 'soft'}));
}

function drawError(li, e) {
    const [first, second, detail] = li.children;
    say(first.children[0], e.upstream === null ? 'no upstream' : e.upstream);
    say(first.children[1], ago(now - e.at));
    say(second.children[0], (e.error === null ? 'response of the exchange' : spaced(e.error)) + (e.count > 1 ? ' × ' + count(e.count) : '') + (e.status === null ? '' : ' · ' + e.status) + ' · ' + (e.sent === 'no' ? 'sent: no' : ''));
    say(second.children[1], e.sent === 'no' ? '' : 'sent: ' + e.sent);
    say(detail, e.detail);
}

let errors = [];
function drawErrors() {
    $('no-errors').hidden = errors.length > 0;
    $('errors').hidden = !errors.length;
    fill($('errors'), errors, makeError, drawError);
}

// What a bot uses of each upstream that limits it: "binance: weight 120 of 400, held 2, refused 1".
function limitsOf(name, upstreams) {
    const own = upstreams.flatMap(u => u.limits.bots.filter(b => b.bot === name && (b.weight_limit || b.weight_used || b.held || b.refused)).map(b => [u.name, b]));
    return own.map(([upstream, b]) => upstream + ': weight ' + count(b.weight_used) + (b.weight_limit ? ' of ' + count(b.weight_limit) : '') +
        (b.held ? ', held ' + count(b.held) : '') + (b.refused ? ', refused ' + count(b.refused) : '')).join('; ');
}

const BOTS = [['Bot', ''], ['Requests', 'n'], ['Failed', 'n'], ['Weight', 'n'], ['Limits, this minute', 'words']];
for (const [label, kind] of BOTS)
    $('bots').querySelector('thead tr').append(make('th', {scope: 'col', class: kind}, label));

function drawBots(bots, upstreams) {
    const rows = Object.entries(bots).sort((a, b) => b[1].weight - a[1].weight || b[1].requests - a[1].requests);
    $('bots').hidden = !rows.length;
    fillTable($('bots').querySelector('tbody'), rows.map(([name, b]) => [name, count(b.requests), count(b.failed), count(b.weight), limitsOf(name, upstreams)]), BOTS);
}

// How many there are of each kind, worst first: ["1 down", "1 frozen", "6 up"].
function kindCounts(all) {
    const words = all.map(u => { const kind = rank(u); return kind === 'stopping' ? u.state : /^(noted|fine)$/.test(kind) ? 'up' : kind; });
    return ['down', 'failing', 'frozen', 'held', 'paused', 'draining', 'up'].map(word => [words.filter(w => w === word).length, word])
        .filter(([n]) => n).map(([n, word]) => count(n) + ' ' + word);
}

// The title of the page has the worst of it; while the journal fails, orders may be refused everywhere.
function drawVerdict(s) {
    const counts = kindCounts(s.upstreams), worst = counts.length && !counts[0].endsWith(' up') ? counts[0] : '';
    const failing = s.order_journal.state === 'failing' && !worst.endsWith(' down') ? 'journal failing' : worst;
    say($('verdict'), [counts.join(', '), ...(counts.length ? ['figures of the last five minutes'] : [])].join(' · '));
    document.title = (failing ? failing + ' · ' : '') + 'trunkline';
}

function draw(s) {
    now = s.process.started + s.uptime_s;
    if (s.recent_errors)
        steps.clear();
    for (const u of s.upstreams)
        if (u.recent)
            steps.set(id(u), u.recent);
    say($('daemon'), s.version + ' · ' + (s.draining ? 'draining' : 'up') + ' for ' + span(s.uptime_s) + ' · process ' + s.pid + ' · ' + (s.config || 'built-in defaults') +
        (s.budget_store ? ' · budget store ' + s.budget_store.state + (s.budget_store.reason ? ': ' + s.budget_store.reason : '') : ''));
    if (s.recent_errors)
        errors = s.recent_errors;
    drawNotices(s);
    drawUpstreams(s.upstreams);
    drawErrors();
    drawTiles(s);
    drawBots(s.bots, s.upstreams);
    drawVerdict(s);
}

// --------------------------------------------------------------- refreshing

let timer = 0, tick = 0, failed = -1, pid = 0, gone = null, asking = false;

// Charts advance every five seconds. Errors are requested only when there are new ones.
async function look() {
    let s = await ask(tick % 5 === 0 ? '/stats?recent' : '/stats');
    if (s.pid !== pid)
        steps.clear();
    if (!s.recent_errors && (s.pid !== pid || s.requests.failed !== failed))
        s = await ask('/stats?recent');
    pid = s.pid;
    failed = s.requests.failed;
    tick++;
    return s;
}

async function ask(path) {
    const r = await fetch(path, {cache: 'no-store', signal: AbortSignal.timeout(PATIENCE)});
    if (!r.ok)
        throw new Error('status ' + r.status);
    return r.json();
}

function tellGone(since) {
    gone = since;
    $('gone').hidden = gone === null;
    document.body.classList.toggle('gone', gone !== null);
    if (gone !== null)
        document.title = 'not responding · trunkline';
    say($('gone'), gone === null ? '' : 'trunkline has not answered since ' + clock(gone) + '. The numbers below are old. Retrying every second.');
}

async function poll() {
    if (asking)
        return;
    asking = true;
    clearTimeout(timer);
    const s = await look().catch(() => null);
    asking = false;
    timer = setTimeout(poll, document.hidden ? 5 * EVERY : EVERY);
    if (s === null)
        tick = 0;
    if ((s === null) !== (gone !== null))
        tellGone(s === null ? new Date() : null);
    if (s !== null)
        draw(s);
}

document.addEventListener('visibilitychange', () => { if (!document.hidden) poll(); });
poll();
