// What the programs for Node have in common: signing, and reading the verdict of an answer.
import crypto from 'node:crypto';

export const URL = (process.env.TRUNKLINE || 'http://127.0.0.1:8642') + '/binance/api/v3/order';
export const headers = {'X-MBX-APIKEY': process.env.API_KEY, 'Content-Type': 'application/x-www-form-urlencoded'};

export function signed(fields) {
    const query = new URLSearchParams({...fields, timestamp: Date.now()}).toString();
    return query + '&signature=' + crypto.createHmac('sha256', process.env.API_SECRET).update(query).digest('hex');
}

export function order(ownId) {
    return signed({symbol: 'BTCUSDT', side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: '0.01', price: '64000', newClientOrderId: ownId});
}

// The order may be at the exchange: asks for it by the id that we gave it.
async function find(ownId) {
    for (const wait of [200, 1000, 3000]) {
        await new Promise(done => setTimeout(done, wait));
        const answer = await fetch(URL + '?' + signed({symbol: 'BTCUSDT', origClientOrderId: ownId}), {headers});
        if (answer.ok)
            return `found ${(await answer.json()).orderId}`;
    }
    return 'not found';
}

// `post` sends the body and returns {status, sent, text}; whatever it throws, the order may be at the exchange. Its timeout
// must be longer than total_timeout (9s), so that trunkline's verdict comes first.
export async function place(post) {
    const ownId = crypto.randomUUID();
    let answer;
    try {
        answer = await post(order(ownId));
    } catch {
        return find(ownId);
    }
    const {status, sent, text} = answer; // sent: Trunkline-Sent, which trunkline's own answers have, 409 for a copy as well
    if (sent === 'no')
        return 'not sent'; // may be placed again, signed anew, if it is still wanted
    if (sent || status >= 500 || status === 408)
        return find(ownId); // partial, yes, or the exchange does not know either
    return status < 300 ? `placed ${JSON.parse(text).orderId}` : `refused ${text}`;
}
