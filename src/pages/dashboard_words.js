'use strict';
const EVERY = 1000, PATIENCE = 4000, MOST_SHOWN = 24, MOST_CELLS = 48, IDLE_S = 60, SVG = 'http://www.w3.org/2000/svg';
const $ = id => document.getElementById(id);

// ---------------------------------------------------------------- words

const whole = new Intl.NumberFormat('en-US', {maximumFractionDigits: 0});
const count = n => whole.format(n);
const plural = (n, word) => count(n) + ' ' + word + (n === 1 ? '' : 's');
// Truncated, not rounded: 100 % means all.
function share(x, digits = 1) {
    if (x === null || !isFinite(x))
        return '–';
    const d = x <= 0 || x >= 1 ? 0 : x < .01 ? 2 : digits;
    return x > 0 && x < .0001 ? '< 0.01 %' : (Math.floor(x * 100 * 10 ** d + 1e-6) / 10 ** d).toFixed(d) + ' %';
}
const bytes = n => { let u = 0; while (n >= 1000 && u < 4) { n /= 1000; u++; } return (u ? n.toFixed(1) : n) + '\u00a0' + ['B', 'kB', 'MB', 'GB', 'TB'][u]; };

// Of n per second; what is seldom, per minute.
const rate = n => n === 0 ? '0/s' : n >= 1 ? (n >= 10 ? count(n) : n.toFixed(1)) + '/s' : (n * 60).toFixed(n * 60 < 10 ? 1 : 0) + '/min';

function ms(x) {
    if (x === null || x === undefined)
        return '–';
    if (x >= 1000)
        return (x / 1000).toFixed(x < 10000 ? 2 : 1) + ' s';
    return x.toFixed(x < 1 ? 2 : x < 10 ? 1 : 0) + ' ms';
}

function span(s) {
    const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
    return d ? d + ' d ' + h + ' h' : h ? h + ' h ' + m + ' min' : m ? m + ' min' : Math.max(0, Math.floor(s)) + ' s';
}

const ago = s => s < 2 ? 'now' : span(s) + ' ago';
const clock = at => at.toLocaleTimeString('en-GB');
const spaced = name => name.replaceAll('_', ' ');

// ------------------------------------------------------------- elements

// Sets text as text, never as HTML. Unchanged elements are not touched.
function say(e, text) {
    text = String(text);
    if (e.textContent !== text)
        e.textContent = text;
}

function attr(e, name, value) {
    value = String(value);
    if (e.getAttribute(name) !== value)
        e.setAttribute(name, value);
}

function make(tag, attributes, ...inside) {
    const e = /^(svg|path)$/.test(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const name in attributes || {})
        e.setAttribute(name, attributes[name]);
    e.append(...inside);
    return e;
}

// A list of labelled values: {key: element} below `parent`.
function values(parent, pairs) {
    const found = {};
    for (const [key, label] of pairs) {
        found[key] = make('dd', {'data-field': key});
        parent.append(make('div', null, make('dt', null, label), found[key]));
    }
    return found;
}

// Gives a list one element for each of `rows`; `makeRow` makes one, `draw` fills it.
function fill(list, rows, makeRow, draw) {
    while (list.children.length > rows.length)
        list.lastElementChild.remove();
    rows.forEach((row, i) => {
        if (!list.children[i])
            list.append(makeRow());
        draw(list.children[i], row);
    });
}

// The same for the body of a table, from texts; `columns` are [label, class].
function fillTable(body, rows, columns) {
    fill(body, rows, () => make('tr', null, ...columns.map(([label, kind]) => make('td', {class: kind, 'data-label': label}))), (tr, texts) => texts.forEach((text, i) => say(tr.cells[i], text)));
}

// Puts `elements` in this order; none is touched that is in its place, and the focus stays where it is.
function arrange(parent, elements) {
    const focused = document.activeElement;
    elements.forEach((e, i) => {
        if (parent.children[i] !== e)
            parent.insertBefore(e, parent.children[i] || null);
    });
    while (parent.children.length > elements.length)
        parent.lastElementChild.remove();
    if (focused !== document.activeElement && parent.contains(focused))
        focused.focus({preventScroll: true});
}
