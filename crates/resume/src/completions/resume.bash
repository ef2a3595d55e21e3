# Completes command lines of `resume`, by asking it. To be sourced by bash.
_resume() {
    local line=${COMP_LINE:0:COMP_POINT} current prefix candidate
    local -a words=()
    # The line and not COMP_WORDS, which is cut at `:` and `=` as well.
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    current=${words[${#words[@]} - 1]}
    # What stands before the last of those is on the line already and is left as it is.
    prefix=
    [[ $current == *[:=]* ]] && prefix=${current%"${current##*[:=]}"}
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        case $candidate in
        :files | :directories)
            compopt -o filenames 2>/dev/null
            local -a found=()
            local kind=-f
            [[ $candidate == :directories ]] && kind=-d
            mapfile -t found < <(compgen "$kind" -- "${current##*=}")
            COMPREPLY+=("${found[@]}")
            ;;
        *) COMPREPLY+=("${candidate#"$prefix"}") ;;
        esac
    done < <(command resume internal-complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _resume resume
