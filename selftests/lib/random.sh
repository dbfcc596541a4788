# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Chance, which repeats: begins with $seed.

# random N: sets value to one of 0 to N - 1.
random() {
	seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
	value=$(((seed >> 8) % $1))
}

# pick WORD...: sets picked to one of them.
pick() {
	random $#
	shift "$value"
	# shellcheck disable=SC2034 # it is the caller's
	picked=$1
}
