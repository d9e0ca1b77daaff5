# bash completion for trunkline(8)
_trunkline() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local options='-c --help'
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
    --url | --host)
        return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    check | config | doctor) ;;
    stats) options='-c --url --json --watch --help' ;;
    pause | resume | reconnect | drain) options='-c --url --help' ;;
    ca) [ "$COMP_CWORD" -eq 2 ] && options='init --help' || options='--dir --host --help' ;;
    *)
        options='-c -v --help --version'
        [ "$COMP_CWORD" -gt 1 ] || options="check config stats pause resume reconnect drain doctor ca $options"
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _trunkline trunkline
