#!/bin/sh
# package.sh DEB: installs, upgrades, removes and purges the package in a sandbox
# with its own systemd. scripts/test runs it after scripts/package.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
deb=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
export PYTHONDONTWRITEBYTECODE=1
status=0
SANDBOX_BIND=$here/../..:$(dirname "$deb") bash "$here/sandbox" -t 200 env TRUNKLINE_DEB="$deb" \
    /usr/bin/python3 -m pytest -p no:cacheprovider -q -rfEs --tb=short --noconftest \
    --rootdir "$here" "$here/package_check.py" || status=$?
if [ $status = 125 ]; then
    echo 'skipped: no systemd of its own in namespaces (see above)'
    exit 77
fi
exit $status
