#!/bin/sh
# curl, in three ways that use the pool.
set -eu
trunkline=${TRUNKLINE:-http://127.0.0.1:8642}

# the name of the upstream before the path
curl -sSf "$trunkline/binance/api/v3/ticker/price?symbol=BTCUSDT"
echo
# the complete URL after trunkline's
curl -sSf "$trunkline/https://api.binance.com/api/v3/ticker/price?symbol=BTCUSDT"
echo
# a proxy, and the URL with http://; trunkline uses TLS to the exchange
curl -sSf -x "$trunkline" 'http://api.binance.com/api/v3/ticker/price?symbol=BTCUSDT'
echo
