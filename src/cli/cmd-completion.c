/* davit completion: prints the script that connects a shell with `davit __complete`. */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* bash splits words at '=' and ':', so the words are cut anew from the line, and what stands in
 * front of the last such character is taken off the answers. */
static const char bash_script[] =
	"# bash completion for davit\n"
	"_davit() {\n"
	"	local line=${COMP_LINE:0:COMP_POINT} word prefix= answer\n"
	"	local -a words\n"
	"	read -ra words <<<\"$line\"\n"
	"	[[ $line == *[[:space:]] ]] && words+=('')\n"
	"	word=${words[${#words[@]}-1]}\n"
	"	[[ $word == *[=:]* ]] && prefix=${word%\"${word##*[=:]}\"}\n"
	"	COMPREPLY=()\n"
	"	while IFS= read -r answer; do\n"
	"		if [[ $answer == :files ]]; then\n"
	"			compopt -o filenames\n"
	"			while IFS= read -r answer; do COMPREPLY+=(\"$answer\"); done \\\n"
	"				< <(compgen -f -- \"${word#\"$prefix\"}\")\n"
	"		else\n"
	"			answer=${answer%%$'\\t'*}\n"
	"			COMPREPLY+=(\"${answer#\"$prefix\"}\")\n"
	"		fi\n"
	"	done < <(\"${words[0]}\" __complete \"${words[@]:1}\" 2>/dev/null)\n"
	"	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
	"	return 0\n"
	"}\n"
	"complete -F _davit davit\n";

static const char zsh_script[] =
	"#compdef davit\n"
	"# zsh completion for davit\n"
	"_davit() {\n"
	"	local -a answers candidates\n"
	"	local answer word\n"
	"	answers=(\"${(@f)$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" "
	"2>/dev/null)}\")\n"
	"	for answer in $answers; do\n"
	"		if [[ $answer == :files ]]; then\n"
	"			compset -P '*='\n"
	"			_files\n"
	"		elif [[ $answer == *$'\\t'* ]]; then\n"
	"			word=${answer%%$'\\t'*}\n"
	"			candidates+=(\"${word//:/\\\\:}:${answer#*$'\\t'}\")\n"
	"		elif [[ -n $answer ]]; then\n"
	"			candidates+=(\"${answer//:/\\\\:}\")\n"
	"		fi\n"
	"	done\n"
	"	(( $#candidates )) && _describe davit candidates\n"
	"}\n"
	"if [[ $funcstack[1] == _davit ]]; then\n"
	"	_davit \"$@\"\n"
	"else\n"
	"	compdef _davit davit\n"
	"fi\n";

static const char fish_script[] =
	"# fish completion for davit\n"
	"function __davit_complete\n"
	"	set -l words (commandline -opc)\n"
	"	set -l word (commandline -ct)\n"
	"	for answer in ($words[1] __complete $words[2..-1] \"$word\" 2>/dev/null)\n"
	"		if test \"$answer\" = :files\n"
	"			__fish_complete_path (string replace -r '^--[^=]*=' '' -- "
	"\"$word\")\n"
	"		else\n"
	"			echo $answer\n"
	"		end\n"
	"	end\n"
	"end\n"
	"complete -c davit -f -a '(__davit_complete)'\n";

static const struct {
	const char *shell;
	const char *script;
} scripts[] = {
	{ "bash", bash_script },
	{ "zsh", zsh_script },
	{ "fish", fish_script },
};

static int completion(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		if (strcmp(argv[0], scripts[i].shell) == 0) {
			fputs(scripts[i].script, stdout);
			return EXIT_OK;
		}
	return err_set(err, EINVAL, "no completion for shell '%s'; known are bash, zsh and fish",
		       argv[0]);
}

const struct command command_completion = {
	.names = "completion",
	.summary = "Print the completion script of a shell",
	.description =
		"The script asks davit itself what may stand where the cursor is: commands,\n"
		"options, their values, and the names of containers, images and volumes.",
	.examples = "source <(davit completion bash)\n"
		    "davit completion zsh > ~/.zfunc/_davit\n"
		    "davit completion fish > ~/.config/fish/completions/davit.fish",
	.operands = "bash|zsh|fish",
	.min_operands = 1,
	.max_operands = 1,
	.operand_choices = "bash|zsh|fish",
	.run = completion,
};
