#!/bin/sh
# The sample configuration is one that trunkline takes; so is its table of
# defaults once the comment signs are gone.
set -eu
sample=$(cd "$(dirname "$0")" && pwd)/../etc/trunkline.conf
table=$(mktemp)
trap 'rm -f "$table"' EXIT
"${TRUNKLINE_BIN:?}" check -c "$sample"
sed -e '1,/^# ---- every directive/d' -e 's/^# \{0,1\}//' "$sample" >"$table"
grep -q '^max_clients = ' "$table"
"$TRUNKLINE_BIN" check -c "$table"
