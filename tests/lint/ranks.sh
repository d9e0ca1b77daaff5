#!/usr/bin/env bash
# Tests scripts/lint-ranks: each of its rules is violated in a small generated source tree, and
# the script must report it. Run by make lint.
set -euo pipefail
export LC_ALL=C
lint=$(cd "$(dirname "$0")/../.." && pwd)/scripts/lint-ranks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0

# file PATH LINE…: writes the file, and creates its directory.
file() {
    local path=$1
    shift
    mkdir -p "$(dirname "$path")"
    printf '%s\n' "$@" >"$path"
}

# module FOLDER/NAME INCLUDE…: writes NAME.c with these includes, and NAME.h without any.
module() {
    local name=$1
    shift
    file "src/$name.h" '/* A module. */'
    file "src/$name.c" "#include \"$name.h\"" "$@" 'void f(void)' '{' '}'
}

# A tree without violations: two folders, three modules, each with a test.
good_tree() {
    rm -rf src tests scripts
    mkdir -p scripts
    module base/list
    module net/loop '#include "base/list.h"'
    module net/dns '#include "net/loop.h"' '#include <uv.h>'
    file tests/unit/check_list.c '/* a test */'
    file tests/unit/check_loop.c '/* a test */'
    file tests/unit/check_dns_cache.c '/* a test */'
}

# judged WHAT [WORDS]: expects that lint-ranks fails on the tree and prints WORDS or, without
# WORDS, that it succeeds and prints nothing.
judged() {
    local said status=0
    said=$("$lint" "$work" 2>&1) || status=$?
    if [ $# = 1 ]; then
        [ $status = 0 ] && [ -z "$said" ] && return
        printf '%s: should pass, but: %s\n' "$1" "$said"
    else
        [ $status != 0 ] && grep -qF "$2" <<<"$said" && return
        printf '%s: should say "%s", but: %s\n' "$1" "$2" "${said:-nothing}"
    fi
    failed=1
}

good_tree
judged 'a good tree'

good_tree
file src/base/list.h '#include "net/loop.h"'
judged 'an upward include' 'src/base/list.h: includes net/loop.h, against the ranks'

good_tree
file src/base/list.h '#include <net/loop.h>'
judged 'an upward include in angle brackets' 'src/base/list.h: includes net/loop.h, against the ranks'

good_tree
file src/net/dns.h '#include "loop.h"'
judged 'an include without a folder' 'includes "loop.h", which is no file under src'

good_tree
module attic/junk
file src/attic/junk.h '#include "base/list.h"'
judged 'a folder without a rank' 'its folder has no rank'

good_tree
file src/net/loop.h '#include "net/dns.h"'
file src/net/dns.h '#include "net/loop.h"'
judged 'a circle of files' 'include circle:'

good_tree
file src/net/loop.c '#include "net/loop.h"' '#include "net/dns.h"' 'void f(void)' '{' '}'
judged 'a circle of modules' 'net: dns loop'
module net/worker '#include "net/dns.h"'
file tests/unit/check_worker.c '/* a test */'
file src/net/loop.c '#include "net/loop.h"' '#include "net/worker.h"' 'void f(void)' '{' '}'
judged 'a circle of three modules' 'net: dns loop worker'

good_tree
file src/net/dns.def 'ROW(one)'
file src/net/loop.h '#include "net/dns.def"'
judged 'a table of a module that depends on this one'

good_tree
file src/net/dns_internal.h '/* for some */'
judged 'an internal header' 'src/net/dns_internal.h: a header that only some may include'

good_tree
rm tests/unit/check_loop.c
judged 'a module without a test' 'src/net/loop.c: no test'
file tests/untested.txt $'src/net/loop.c\tcheck_dns_cache turns it'
judged 'a module without a test, and why'
file tests/untested.txt $'src/net/loop.c\t'
judged 'a row without a reason' 'src/net/loop.c: no reason'
file tests/untested.txt $'src/net/loop.c\tcheck_nothing turns it'
judged 'a reason that names a test which is not there' 'there is no check_nothing'

good_tree
file tests/untested.txt $'src/net/dns.c\ttoo hard'
judged 'a row of a module that has a test' 'src/net/dns.c: it has a test'
file tests/untested.txt $'src/net/gone.c\ttoo hard'
judged 'a row of no module' 'src/net/gone.c: there is no such module'

good_tree
module net/dns_cache
judged 'a test of the module with the longer name' 'src/net/dns.c: no test'

good_tree
file src/net/percent.h 'static inline void g(void)' '{' '}'
judged 'a header with code but without a test' 'src/net/percent.h: no test'
file src/net/percent.h 'void g(void);'
judged 'a header without code'

exit $failed
