// ccxt: an order, and what to do when createOrder() throws. The option maxRetriesOnFailure is 0 by default: leave it so, since
// it repeats orders too, each signed anew.
import crypto from 'node:crypto';

import ccxt from 'ccxt';

const exchange = new ccxt.binance({
    proxyUrl: (process.env.TRUNKLINE || 'http://127.0.0.1:8642') + '/',
    apiKey: process.env.API_KEY,
    secret: process.env.API_SECRET,
    timeout: 20000, // longer than total_timeout (9s), so that trunkline's verdict comes first
    options: {maxRetriesOnFailure: 0, fetchMarkets: {types: ['spot']}, fetchCurrencies: false, fetchMargins: false},
});

// The order may be at the exchange: asks for it by the id that we gave it.
async function find(clientOrderId) {
    for (const wait of [200, 1000, 3000]) {
        await exchange.sleep(wait);
        try {
            return `found ${(await exchange.fetchOrder(undefined, 'BTC/USDT', {clientOrderId})).id}`;
        } catch {
            continue;
        }
    }
    return 'not found';
}

async function place(clientOrderId) {
    await exchange.loadMarkets();
    exchange.last_response_headers = undefined;
    try {
        return `placed ${(await exchange.createOrder('BTC/USDT', 'limit', 'buy', 0.01, 64000, {clientOrderId})).id}`;
    } catch (e) {
        const sent = exchange.last_response_headers?.['Trunkline-Sent']; // trunkline's own answers have it
        if (sent === 'no')
            return 'not sent'; // may be placed again, signed anew, if it is still wanted
        if (sent || e instanceof ccxt.NetworkError)
            return find(clientOrderId); // partial, yes, a copy (409), or the exchange does not know either
        return `refused ${e.message}`;
    }
}

console.log(await place(crypto.randomUUID().replaceAll('-', '')));
