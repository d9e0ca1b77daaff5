#!/bin/sh
# Installs the build into a sandbox with its own systemd and tests it there as a
# service. Called by make check. Skipped, with the reason, without root privileges
# or namespaces, and for a build with sanitizers, which do not work with the unit's
# hardening. Arguments are passed to pytest.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${TRUNKLINE_BIN:?is not set: the binary to test}"
build=$(cd "$(dirname "$TRUNKLINE_BIN")" && pwd)

skip() {
    echo "skipped: $*"
    exit 77
}
[ -z "${TRUNKLINE_QUICK-}" ] || skip 'TRUNKLINE_QUICK is set'
/usr/bin/python3 -c 'import pytest' 2>/dev/null || skip 'no pytest (Debian: apt install python3-pytest)'
[ -f "$build/Makefile" ] || skip "$build is no build that could be installed"
! grep -q __asan_init "$TRUNKLINE_BIN" || skip 'the sanitizers need what the unit forbids'
grep -q '^Type=notify' "$build/systemd/trunkline.service" 2>/dev/null || skip 'built without systemd'
grep -q '^prefix = /usr$' "$build/Makefile" || skip 'the build is not for /usr'

export PYTHONDONTWRITEBYTECODE=1
status=0
SANDBOX_BIND=$here/../..:$build bash "$here/sandbox" -t 300 sh -c "
    make -s -C '$build' install-exec install-data >/dev/null &&
    exec /usr/bin/python3 -m pytest -p no:cacheprovider -q -rfEs --tb=short --rootdir '$here' $* '$here'" || status=$?
[ $status != 125 ] || skip 'no systemd of its own in namespaces (see above)'
exit $status
