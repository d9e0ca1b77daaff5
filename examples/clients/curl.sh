#!/bin/sh
# curl, in the three ways that ride on the pool.
set -eu
trunkline=${TRUNKLINE:-http://127.0.0.1:8642}

# the upstream's name before the path
curl -sSf "$trunkline/binance/api/v3/ticker/price?symbol=BTCUSDT"
echo
# the whole URL behind trunkline's
curl -sSf "$trunkline/https://api.binance.com/api/v3/ticker/price?symbol=BTCUSDT"
echo
# a proxy, and the URL with http://; between trunkline and the exchange it is TLS
curl -sSf -x "$trunkline" 'http://api.binance.com/api/v3/ticker/price?symbol=BTCUSDT'
echo
