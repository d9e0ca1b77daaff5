// ------------------------------------------------------------ questions

const QUESTIONS = {
    pause: ['Pause', 'New requests wait until it is resumed; those that may not wait so long are refused, unsent. Requests in progress continue.'],
    drain: ['Drain', 'Requests in progress continue, new ones are refused, unsent, until it is resumed, and its connections are closed.'],
    reconnect: ['Reconnect', 'Each connection is replaced as soon as it carries no request. Requests may have to wait for new ones.'],
    freeze: ['Freeze', 'No order is sent until it is unfrozen, and orders that wait are refused. Cancels and reads pass.'],
    unfreeze: ['Unfreeze', 'Orders are sent again.'],
    release: ['End the holds of', 'The exchange asked for this wait. Requests that come too early can prolong a ban.']
};

// Resolves to whether the answer was yes. ESC and Cancel, which has the focus, say no.
function confirmed(verb, name) {
    const [word, words] = QUESTIONS[verb], box = $('ask');
    if (box.open)
        return Promise.resolve(false);
    say($('ask-title'), word + ' ' + name + '?');
    say($('ask-words'), words);
    say($('yes'), verb === 'release' ? 'End the holds' : word);
    box.showModal();
    $('no').focus();
    return new Promise(resolve => { answer = resolve; });
}

let answer = () => {};
function conclude(yes) {
    $('ask').close();
    answer(yes);
}

$('no').addEventListener('click', () => conclude(false));
$('yes').addEventListener('click', () => conclude(true));
// By ESC. The event may come late, when the next question is open: it is not the answer to that.
$('ask').addEventListener('close', () => { if (!$('ask').open) answer(false); });

async function command(name, button) {
    const asks = button.dataset.asks, verb = button.dataset.verb;
    if (asks && !await confirmed(asks, name))
        return;
    button.disabled = true;
    await fetch('/upstreams/' + encodeURIComponent(name) + '/' + verb, {method: 'POST', signal: AbortSignal.timeout(PATIENCE)})
        .then(async r => say($('said'), r.ok ? name + ': ' + verb + ' done' + tunnelWords(r) : name + ': ' + verb + ' refused: ' + (await r.text()).trim()))
        .catch(() => say($('said'), name + ': ' + verb + ' failed: trunkline does not respond'));
    button.disabled = false;
    button.focus();
    poll();
}

// What a freeze cannot stop, or may not outlive a restart.
const tunnelWords = r => (r.headers.get('Trunkline-Open-Tunnels') ? '; open tunnels, which orders may still pass: ' + r.headers.get('Trunkline-Open-Tunnels') : '') +
    (r.headers.get('Trunkline-Saved') === 'no' ? '; NOT saved: a restart would forget it' : '');
