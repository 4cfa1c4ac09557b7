#!/bin/bash
# The completion script of bash gives what davit answers, also where bash cuts words at '=' and ':'.
#
#   test-completion.sh DAVIT
set -u
PATH=$(dirname "$(realpath "$1")"):$PATH
cd "$(mktemp -d)" || exit 1
trap 'rm -r "$PWD"' EXIT
: >file-one
eval "$(davit completion bash)"
compopt() { :; } # only known while completing
number=0 status=0

# gives LINE EXPECTED...: the candidates for the end of the line
gives() {
	local line=$1
	shift
	COMP_LINE=$line COMP_POINT=${#line}
	_davit
	number=$((number + 1))
	if [ "${COMPREPLY[*]}" = "$*" ]; then
		echo "ok $number - '$line' gives: $*"
	else
		echo "not ok $number - '$line' gives: $*"
		echo "#   got: ${COMPREPLY[*]}"
		status=1
	fi
}

gives "davit versi" version
gives "davit volume ins" inspect
gives "davit --log-level=inf" info
gives "davit --log-level inf" info
gives "davit --root fil" file-one
gives "davit --root=fil" file-one
gives "davit completion " bash zsh fish
gives "davit version --form" --format
gives "davit nonesuch " ""
for shell in zsh fish; do
	if command -v $shell >/dev/null; then
		number=$((number + 1))
		if davit completion $shell | $shell -n; then
			echo "ok $number - the script of $shell is one"
		else
			echo "not ok $number - the script of $shell is one"
			status=1
		fi
	fi
done
echo "1..$number"
exit $status
