// ccxt: proxyUrl is prepended to every URL; signed parts of a request are not changed.
const ccxt = require('ccxt');

async function main() {
    const exchange = new ccxt.binance({
        proxyUrl: (process.env.TRUNKLINE || 'http://127.0.0.1:8642') + '/',
        apiKey: process.env.API_KEY,
        secret: process.env.API_SECRET,
        options: {fetchMarkets: {types: ['spot']}, fetchCurrencies: false, fetchMargins: false},
    });
    console.log((await exchange.fetchTicker('BTC/USDT')).last);
    if (exchange.apiKey)
        console.log((await exchange.createOrder('BTC/USDT', 'market', 'buy', 0.01)).id);
}

main();
