"""A WebSocket feed: put the name of the upstream before the path. It gets a TLS connection of its own."""
import asyncio
import json
import os

import websockets

TRUNKLINE = os.environ.get('TRUNKLINE', 'http://127.0.0.1:8642').replace('http:', 'ws:')


async def main():
    async with websockets.connect(f'{TRUNKLINE}/binance-stream/ws/btcusdt@bookTicker') as feed:
        for _ in range(3):
            quote = json.loads(await feed.recv())
            print(quote['b'], quote['a'])

asyncio.run(main())
