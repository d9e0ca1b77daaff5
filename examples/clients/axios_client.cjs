// axios: set a base URL, and use paths as in the documentation of the exchange.
const axios = require('axios');

const binance = axios.create({
    baseURL: (process.env.TRUNKLINE || 'http://127.0.0.1:8642') + '/binance',
    proxy: false, // requests reach trunkline by the base URL
    timeout: 10000,
});

binance.get('/api/v3/ticker/price', {params: {symbol: 'BTCUSDT'}}).then(answer => console.log(answer.data.price));
