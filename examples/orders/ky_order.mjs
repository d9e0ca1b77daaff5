// ky sends GET, PUT, HEAD, DELETE, OPTIONS and TRACE again, twice by default: retry = 0 switches that off.
import ky from 'ky';

import {URL, headers, place} from './verdict.mjs';

console.log(await place(async body => {
    const answer = await ky.post(URL, {body, headers, retry: 0, throwHttpErrors: false, timeout: 20000});
    return {status: answer.status, sent: answer.headers.get('Trunkline-Sent'), text: await answer.text()};
}));
