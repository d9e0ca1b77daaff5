// superagent sends nothing again unless .retry() is called. Do not call it for orders: it repeats POST as well.
import superagent from 'superagent';

import {URL, headers, place} from './verdict.mjs';

console.log(await place(async body => {
    const answer = await superagent.post(URL).set(headers).send(body).timeout(20000).ok(() => true).buffer(true);
    return {status: answer.status, sent: answer.headers['trunkline-sent'], text: answer.text};
}));
