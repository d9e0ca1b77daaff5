// got sends GET, PUT, HEAD, DELETE, OPTIONS and TRACE again, twice by default: retry.limit = 0 switches that off.
import got from 'got';

import {URL, headers, place} from './verdict.mjs';

console.log(await place(async body => {
    const answer = await got.post(URL, {body, headers, retry: {limit: 0}, throwHttpErrors: false, timeout: {request: 20000}});
    return {status: answer.statusCode, sent: answer.headers['trunkline-sent'], text: answer.body};
}));
