// Node's built-in fetch: put the name of the upstream before the path.
const trunkline = process.env.TRUNKLINE || 'http://127.0.0.1:8642';

const answer = await fetch(`${trunkline}/binance/api/v3/ticker/price?symbol=BTCUSDT`);
if (!answer.ok)
    throw new Error(`${answer.status}: ${await answer.text()}`);
console.log((await answer.json()).price);
