#!/bin/sh
# Runs the integration tests against the built daemon, $TRUNKLINE_BIN; make check
# calls it. Arguments go to pytest; without any all tests run, several for each core
# where xdist is there, for they mostly wait. Debian's own python3 comes first: that is
# where apt put pytest, whatever other python3 is on the path. Fifteen minutes at most.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

for python in /usr/bin/python3 python3; do
    "$python" -c 'import pytest' 2>/dev/null && break
    python=
done
if [ -z "$python" ]; then
    echo 'pytest is missing (Debian: apt install python3-pytest)'
    exit 77
fi
[ -x "${TRUNKLINE_BIN:?is not set: the binary to test}" ] || {
    echo "$TRUNKLINE_BIN is not an executable"
    exit 99
}

if [ $# = 0 ] && "$python" -c 'import xdist' 2>/dev/null; then
    set -- -n "$((3 * $(nproc)))"
fi
export PYTHONDONTWRITEBYTECODE=1
exec timeout -k 10 900 "$python" -m pytest -p no:cacheprovider -q -rfEs --tb=short --rootdir "$here" \
    "$@" "$here" "$here/../docs"
