# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What suites ask of Dom0's books, in debugfs. Sizes are in KiB. A domain goes by
# its id here: looking it up each time would be the slowest part.

LEDGER=/sys/kernel/debug/xen-cmm/ledger

# ledger DOMID COLUMN
ledger() {
	awk -v dom="$1" -v want="$2" '
		$1 == "dom" { for (i = 1; i <= NF; i++) if ($i == want) column = i; next }
		column && $1 == dom { print $column }' $LEDGER
}

# books DOMID...: what must be as before once all is settled: each domain's size,
# cap, balance, and what is under way; the pool; and whether the books balance.
books() {
	awk -v doms="$*" '
		$1 == "dom" { for (i = 1; i <= NF; i++) at[$i] = i; next }
		$1 == "pool" || $1 == "books" { all = all "\n" $0; next }
		{ row[$1] = $at["size"] " " $at["max"] " " $at["balance"] " " $at["in-flight"] " " $at["asked"] }
		END {
			n = split(doms, dom, " ")
			for (i = 1; i <= n; i++)
				print row[dom[i]]
			print substr(all, 2)
		}' $LEDGER
}

# books_are WANT DOMID...
books_are() {
	cmm_want=$1
	shift
	cmm_found=$(books "$@")
	[ "$cmm_found" = "$cmm_want" ] || {
		echo "want:"
		echo "$cmm_want"
		echo "found:"
		cat $LEDGER
		return 1
	}
}

balanced() { grep '^books balanced$' $LEDGER; }

# caps_right DOMID...: is each cap what the toolstack sets (its target and 1 MiB),
# and what Dom0 has to add to that?
caps_right() {
	for cmm_dom in "$@"; do
		cmm_target=$(xenstore-read "/local/domain/$cmm_dom/memory/target") &&
			equals $((cmm_target + 1024 + $(ledger "$cmm_dom" balance) + \
				$(ledger "$cmm_dom" in-flight))) ledger "$cmm_dom" max || return 1
	done
}
