// axios: a base URL, and paths as in the exchange's documentation.
const axios = require('axios');

const binance = axios.create({
    baseURL: (process.env.TRUNKLINE || 'http://127.0.0.1:8642') + '/binance',
    proxy: false, // it is the base URL that leads to trunkline
    timeout: 10000,
});

binance.get('/api/v3/ticker/price', {params: {symbol: 'BTCUSDT'}}).then(answer => console.log(answer.data.price));
