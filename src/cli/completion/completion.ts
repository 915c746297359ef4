// The completion of command lines in bash, zsh and fish.
import { Argument, Command } from 'commander';

/** The hidden command of completion scripts: `passthru __complete WORD…` prints candidates for the last word. */
export const COMPLETE = '__complete';

/** `passthru completion SHELL`. */
export function completionCommand(): Command {
  return new Command('completion')
    .description("Print a shell's completion script, for commands, options, nodes, methods and their arguments")
    .addArgument(new Argument('<shell>', 'shell').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', HELP)
    .action((shell: string) => {
      process.stdout.write(SCRIPTS[shell]!);
    });
}

/** bash also splits words at = and :, so parts without a blank between them are joined. */
const BASH = `_passthru() {
  local line=\${COMP_LINE:0:COMP_POINT} words=() word rest candidate before
  for word in "\${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    rest=\${line#"\${line%%[![:space:]]*}"}
    if [[ \${#words[@]} -gt 0 && -n $word && $rest == "$line" ]]; then
      words[\${#words[@]}-1]+=$word
    else
      words+=("$word")
    fi
    line=\${rest#"$word"}
  done
  # The part of the last word before the one that bash completes.
  before=\${COMP_WORDS[COMP_CWORD]}
  [[ $before == [=:]* ]] && before=
  before=\${words[\${#words[@]}-1]%"$before"}
  COMPREPLY=()
  while IFS= read -r candidate; do
    candidate=\${candidate%%$'\\t'*}
    COMPREPLY+=("\${candidate#"$before"}")
    [[ $candidate == *= ]] && compopt -o nospace
  done < <("\${words[0]}" ${COMPLETE} "\${words[@]:1}" 2>/dev/null)
}
complete -o default -F _passthru passthru
`;

const ZSH = `#compdef passthru
_passthru() {
  local -a words_of candidates keys
  local line entry
  words_of=("\${(@Q)words[2,CURRENT]}")
  for line in "\${(@f)$("\${words[1]}" ${COMPLETE} "\${words_of[@]}" 2>/dev/null)}"; do
    [[ -z $line ]] && continue
    entry="\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}"
    if [[ $line == *=$'\\t'* ]]; then keys+=("$entry"); else candidates+=("$entry"); fi
  done
  (( $#keys )) && _describe 'argument' keys -S ''
  (( $#candidates )) && _describe 'passthru' candidates
  (( $#keys + $#candidates )) || _files
}
compdef _passthru passthru
`;

const FISH = `function __passthru_complete
    set -l words (commandline -opc)
    $words[1] ${COMPLETE} $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c passthru -f -a '(__passthru_complete)'
`;

const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };

const HELP = `
In the shell's start-up file:
  source <(passthru completion bash)       bash
  source <(passthru completion zsh)        zsh, after compinit
  passthru completion fish | source        fish`;
