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
    --url)
        return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    check | config | doctor) ;;
    stats) options='-c --url --json --help' ;;
    pause | resume | reconnect | drain) options='-c --url --help' ;;
    *)
        options='-c -v --help --version'
        [ "$COMP_CWORD" -gt 1 ] || options="check config stats pause resume reconnect drain doctor $options"
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _trunkline trunkline
