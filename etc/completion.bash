# bash completion for trunkline(8)

# Sets `daemon` and `file`: the options -c and --url that were typed. (COMP_WORDS would split a URL.)
_trunkline_options() {
    local i value
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    for ((i = 2; i < ${#words[@]}; i++)); do
        value=${words[i + 1]/#\~/$HOME}
        case ${words[i]} in
        -c) daemon=(-c "$value") file=(-c "$value") ;;
        --url) daemon=(--url "$value") ;;
        --url=*) daemon=("${words[i]}") ;;
        esac
    done
}

# The names of the upstreams: those of the running daemon to which -c or --url refers, otherwise
# those of the configuration.
_trunkline_upstreams() {
    local words daemon=() file=()
    _trunkline_options
    { [ "${words[1]}" != doctor ] && "${words[0]}" stats --json "${daemon[@]}" 2>/dev/null |
        grep -o '"name":"[a-z0-9-]*","origin":"[^"]*","listed":true' | cut -d '"' -f 4 | grep .; } ||
        "${words[0]}" config "${file[@]}" 2>/dev/null | sed -n 's/^upstream \([a-z0-9-]*\) {.*/\1/p'
}

# The names of the bots: those that the running daemon has seen, and those of the configuration.
_trunkline_bots() {
    local words daemon=() file=()
    _trunkline_options
    "${words[0]}" stats --json "${daemon[@]}" 2>/dev/null |
        grep -o '"[A-Za-z0-9._-]*":{"requests":[0-9]*,"failed":[0-9]*,"weight":[0-9]*}' | cut -d '"' -f 2
    "${words[0]}" config "${file[@]}" 2>/dev/null | sed -n 's/^bot "*\([A-Za-z0-9._-]*\)"* {.*/\1/p'
}

_trunkline() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local options='-c --help'
    local commands='check config help stats top requests orders pause resume reconnect drain freeze unfreeze reload doctor ca'
    case $before in
    -c)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --dir)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    --upstream)
        mapfile -t COMPREPLY < <(compgen -W "$(_trunkline_upstreams)" -- "$word")
        return
        ;;
    --sort)
        mapfile -t COMPREPLY < <(compgen -W 'age state sent upstream line bot client method target protocol active reqs idle address open busy wait req/s err/s p50 p99 opened/s unknown' -- "$word")
        return
        ;;
    --bot)
        mapfile -t COMPREPLY < <(compgen -W "$(_trunkline_bots)" -- "$word")
        return
        ;;
    --url | --host | --since)
        return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    check | config) ;;
    doctor) options="$(_trunkline_upstreams) $options" ;;
    stats) options='-c --url --json --watch --rare --all --help' ;;
    orders)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -W '--unknown --open --since --upstream --json -c --help' -- "$word")
        return
        ;;
    top) options='requests connections upstreams -c --url --sort --upstream --once --help' ;;
    help) options="$commands $("${COMP_WORDS[0]}" help --directives 2>/dev/null) --directives --help" ;;
    requests) options='-c --url --upstream --json --watch --help' ;;
    pause | resume | reconnect | drain) options="$(_trunkline_upstreams) --all -c --url --help" ;;
    freeze | unfreeze) options="$(_trunkline_upstreams) --all --bot -c --url --help" ;;
    reload) options='-c --url --help' ;;
    ca) [ "$COMP_CWORD" -eq 2 ] && options='init --help' || options='--dir --host --help' ;;
    *)
        options='-c -v --help --version'
        [ "$COMP_CWORD" -gt 1 ] || options="$commands $options"
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _trunkline trunkline
