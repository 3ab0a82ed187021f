# SPDX-License-Identifier: GPL-3.0-or-later
# fish completion for patronusctl: the program itself knows its words (patronusctl complete).

function __patronusctl_complete
        set -l words (commandline --tokenize --current-process --cut-at-cursor)
        set -l word (commandline --current-token --cut-at-cursor)
        set -l lines (command $words[1] complete -- $words[2..-1] "$word" 2>/dev/null)

        if test "$lines[1]" = ":files"
                __fish_complete_path "$word"
        else
                string join -- \n $lines
        end
end

complete --command patronusctl --no-files --arguments "(__patronusctl_complete)"
