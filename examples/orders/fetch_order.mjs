// Node's fetch, and undici's: neither sends a POST again. Use no RetryAgent and no `interceptors.retry` for orders: they retry
// PUT and DELETE by default, and POST if it is listed in `methods`.
import {URL, headers, place} from './verdict.mjs';

console.log(await place(async body => {
    const answer = await fetch(URL, {method: 'POST', body, headers, signal: AbortSignal.timeout(20000)});
    return {status: answer.status, sent: answer.headers.get('Trunkline-Sent'), text: await answer.text()};
}));
