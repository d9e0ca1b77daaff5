"""aiohttp: set the proxy for each request, and write URLs with http://."""
import asyncio
import os

import aiohttp

TRUNKLINE = os.environ.get('TRUNKLINE', 'http://127.0.0.1:8642')


async def main():
    async with aiohttp.ClientSession(raise_for_status=True, timeout=aiohttp.ClientTimeout(10)) as session:
        url = 'http://api.binance.com/api/v3/ticker/price?symbol=BTCUSDT'
        async with session.get(url, proxy=TRUNKLINE) as answer:
            print((await answer.json())['price'])

asyncio.run(main())
