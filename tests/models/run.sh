#!/usr/bin/env bash
# Checks the models in this folder exhaustively with spin: each must hold as it is, and must be
# refuted with each of its faults (BUG=1…) put in. The states, results and functions that a model
# shares with the code must still be there. Prints a line for each, "PASS: …" or "FAIL: …", and
# exits with 77 if spin is missing. Needs spin and a C compiler; a minute on one core.
set -uo pipefail
export LC_ALL=C
cd "$(dirname "$0")" || exit 1
src=$(cd ../../src && pwd)
command -v spin >/dev/null || {
    echo 'skipped: spin is not installed'
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

verdict() { # PASS|FAIL WORDS…
    echo "$1: ${*:2}"
    [ "$1" = PASS ] || failed=1
}

# searched MODEL BUG: generates the verifier, runs it, and leaves what it prints in $work/out.
searched() {
    rm -rf "$work/run"
    mkdir "$work/run"
    cp "$1" "$work/run/model.pml"
    (cd "$work/run" && spin -DBUG="$2" -a model.pml && ${CC:-cc} -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c &&
        ./pan -m100000) >"$work/out" 2>&1
}

# holds MODEL: all interleavings were searched, and no assertion failed.
holds() {
    local states
    searched "$1" 0
    states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$work/out")
    if grep -q 'errors: 0$' "$work/out" && ! grep -q 'not completed\|max search depth too small' "$work/out"; then
        verdict PASS "$1 holds in all of its $states states"
    else
        verdict FAIL "$1 does not hold"
        grep -m 3 'assertion\|error' "$work/out"
    fi
}

refuted() { # MODEL BUG
    searched "$1" "$2"
    if grep -q 'assertion violated' "$work/out"; then
        verdict PASS "$1 with BUG=$2 is refuted: $(sed -n "s/^.*BUG=$2: \(.*\)$/\1/p" "$1" | sed 's, \*/$,,')"
    else
        verdict FAIL "$1 with BUG=$2 is not refuted"
    fi
}

# named MODEL: what has a name of the code is in the code.
named() {
    local word missing=()
    while read -r word; do
        grep -rqw "$word" "$src" || missing+=("$word")
    done < <(grep -oE '\b(FETCH|ATTEMPT|SENT)_[A-Z]+\b|\bdelivery_[a-z_]+\b|\b(on_lost|attempt_begin)\b' "$1" | sort -u)
    if [ ${#missing[@]} = 0 ]; then
        verdict PASS "the names in $1 are those of the code"
    else
        verdict FAIL "$1 has names that the code does not have: ${missing[*]}"
    fi
}

for model in *.pml; do
    named "$model"
    holds "$model"
    while read -r bug; do
        refuted "$model" "$bug"
    done < <(grep -oE 'BUG == [0-9]+' "$model" | grep -oE '[0-9]+' | sort -nu)
done
exit $failed
