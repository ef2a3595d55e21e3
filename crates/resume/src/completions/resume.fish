# Completes command lines of `resume`, by asking it. To be kept as completions/resume.fish in fish's folder.
function __resume_complete
    set -l before (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    # Of `--cwd=/us` the shell completes what is behind the `=`.
    set -l option (string match --regex '^--[^=]*=' -- "$current")
    set -l path (string replace --regex '^--[^=]*=' '' -- "$current")
    for line in (command resume internal-complete -- $before[2..] "$current" 2>/dev/null)
        switch $line
            case ':files'
                printf "$option%s\n" (__fish_complete_path "$path")
            case ':directories'
                printf "$option%s\n" (__fish_complete_directories "$path" '')
            case '*'
                printf '%s\n' $line
        end
    end
end
complete --command resume --no-files --arguments '(__resume_complete)'
