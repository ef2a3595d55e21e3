#compdef resume
# Completes command lines of `resume`, by asking it. To be sourced behind `compinit`, or kept as `_resume` on `fpath`.
_resume() {
    local -a before values shown
    local line value files
    before=("${(@Q)words[2,CURRENT-1]}")
    for line in "${(@f)$(command resume internal-complete -- "${before[@]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
        value=${line%%$'\t'*}
        case $value in
        '') ;;
        :files) files=_files ;;
        :directories) files='_files -/' ;;
        *)
            values+=("$value")
            shown+=("${line/$'\t'/  -- }")
            ;;
        esac
    done
    # The values as they are: a name may hold a `:`, at which _describe would cut it.
    (( $#values )) && compadd -l -d shown -- "${values[@]}"
    if [[ -n $files ]]; then
        [[ $PREFIX == --*=* ]] && compset -P '*='
        ${=files}
    fi
    (( $#values )) || [[ -n $files ]]
}
if [[ ${funcstack[1]} == _resume ]]; then
    _resume "$@"
else
    compdef _resume resume
fi
