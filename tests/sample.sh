#!/bin/sh
# The sample configuration is one that trunkline takes; its table, once the
# comment signs are gone, is that of the built-in defaults and of a bot without limits.
set -eu
sample=$(cd "$(dirname "$0")" && pwd)/../etc/trunkline.conf
table=$(mktemp)
bare=$(mktemp)
trap 'rm -f "$table" "$bare"' EXIT
echo 'bot NAME { }' >"$bare"
"${TRUNKLINE_BIN:?}" check -c "$sample"
sed -e '1,/^# ---- every directive/d' -e 's/^# \{0,1\}//' "$sample" >"$table"
grep -q '^max_clients = ' "$table"
shown=$("$TRUNKLINE_BIN" config -c "$table")
[ "$shown" = "$("$TRUNKLINE_BIN" config -c "$bare")" ] || {
    echo 'the table in etc/trunkline.conf is not that of the defaults'
    exit 1
}
