// ---------------------------------------------------------------- table

const COLUMNS = [['name', 'Upstream'], ['what', 'State'], ['rate', 'Rate'], ['rate', 'Errors'], ['rate', 'p50'], ['rate', 'p99'], ['queue', 'Queue'], ['hold', 'Holds'], ['unknown', 'Unknown orders']];
const KEYS = ['name', 'what', 'rate', 'errors', 'p50', 'p99', 'queue', 'holds', 'unknown'];
const isNumber = key => /^(rate|queue|unknown)$/.test(key);
const rows = new Map();

for (const [key, label] of COLUMNS)
    $('table').tHead.rows[0].append(make('th', {scope: 'col', role: 'columnheader', class: key + (isNumber(key) ? ' n' : '')}, label));

function makeRow(u) {
    const r = {tr: make('tr', {role: 'row', 'data-row': u.name})};
    COLUMNS.forEach(([key, label], i) => {
        const name = key === 'name', kind = key + (isNumber(key) ? ' n' : '') + (key === 'rate' ? ' past' : '');
        r[KEYS[i]] = make(name ? 'th' : 'td', {class: kind, role: name ? 'rowheader' : 'cell', 'data-cell': KEYS[i], ...(i > 1 ? {'data-label': label} : {}), ...(name ? {scope: 'row'} : {})});
        r.tr.append(r[KEYS[i]]);
    });
    r.link = make('a', {href: '#'}, u.name);
    r.link.addEventListener('click', e => { e.preventDefault(); show(id(u)); });
    r.name.append(r.link);
    r.state = make('span', {class: 'state'});
    r.rest = make('span');
    r.notes = make('span', {class: 'note alarm'});
    r.idle = make('span', {class: 'note soft'});
    r.age = make('span', {class: 'age'});
    r.what.append(r.state, r.rest, r.age, r.notes, r.idle);
    return r;
}

function drawRow(r, u) {
    const l = u.last_5m, [word, rest] = stateWords(u), held = holdWords(u), noted = notes(u), kind = rank(u);
    const quiet = !u.queue.waiting && !held.length && !u.requests.unknown;
    attr(r.tr, 'class', kind + (isStopped(u) ? ' stopped' : '') + (quiet ? ' quiet' : ''));
    say(r.state, word);
    attr(r.state, 'class', 'state ' + u.state);
    say(r.rest, rest + ', ');
    say(r.age, since(u));
    attr(r.what, 'title', 'since ' + clock(new Date(u.since * 1000)) + (u.reason ? ': ' + u.reason : ''));
    say(r.notes, noted.join(', '));
    r.notes.hidden = !noted.length;
    const idle = u.requests.last_at === null ? 'no request yet' : 'no request for ' + span(now - u.requests.last_at);
    say(r.idle, idle);
    r.idle.hidden = !isIdle(u);
    say(r.rate, rate(l.per_second));
    say(r.errors, share(l.error_rate));
    r.errors.classList.toggle('alarm', l.error_rate >= .01);
    say(r.p50, ms(l.p50_ms));
    say(r.p99, ms(l.p99_ms));
    say(r.queue, count(u.queue.waiting));
    attr(r.queue, 'title', 'longest wait for a connection in five minutes: ' + ms(u.queue.max_wait_ms));
    r.queue.classList.toggle('alarm', u.queue.waiting > 0 && isDown(u));
    say(r.holds, held.length ? held.slice(0, 3).join('\n') + (held.length > 3 ? '\nand ' + (held.length - 3) + ' more' : '') : '–');
    attr(r.holds, 'title', holdWords(u, true).join('\n'));
    say(r.unknown, count(u.requests.unknown));
    attr(r.unknown, 'title', u.last_5m.unknown + ' in the last five minutes; trunkline orders --unknown lists them, if there is a journal');
    r.unknown.classList.toggle('alarm', u.requests.unknown > 0);
}
