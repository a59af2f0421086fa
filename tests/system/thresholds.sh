#!/bin/bash
# What is proven is applied unasked only above what cupel.conf asks for: of gain
# and of confidence each alone, then of both. Speaks TAP.
. tests/support/sandbox.sh
. tests/support/campaign.sh

cd "$work" || exit 1
serve
small small
commit small
cd small || exit 1

asks() { # SETTINGS: what became of a gain of 75 %, and what is on the branch
	sed -i "s/^improve .*/improve { $1 }/" cupel.conf
	git -c user.name=test -c user.email=test@localhost commit -qam "$1"
	local before=$(git rev-parse HEAD)
	"$cupel" improve --mode auto --seed 1 --json >../report 2>../said
	if grep -q 'too noisy to decide by' ../said; then
		skip "$1" "$(<../said)"
		return 1
	fi
	[ -s ../report ] || sed 's/^/# /' ../said
	became=$(jq -c '[.change, .decision.verdict, .status, .not_applied]' ../report)
	commits=$(git rev-list --count "$before..HEAD")
}
asks 'gain = 80' && is 'a gain below the one asked for' "$became$commits" \
	'["count: 30000 to 7500","accept","approved","gain-too-small"]0'
asks 'gain = 40  confidence = 0.9999' && is 'a confidence below the one asked for' \
	"$became$commits" '["count: 30000 to 7500","accept","approved","not-confident"]0'
is 'nothing is changed' "$(grep -c COUNT=30000 spin.sh)$(git status --porcelain)" 1
asks 'gain = 40  confidence = 0.9' && is 'control: above both' "$became$commits" \
	'["count: 30000 to 7500","accept","applied",null]1'
done_testing
