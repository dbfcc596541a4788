# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What dkms-build says, and what it asks the machine.

# fail SENTENCE: the last line of dkms's log.
fail() {
	echo "xen-cmm: error: $*" >&2
	exit 1
}

# version_of PACKAGE: empty when it is not installed.
version_of() {
	# shellcheck disable=SC2016 # dpkg-query's, not the shell's
	dpkg-query --show --showformat='${db:Status-Abbrev} ${Version}' "$1" 2>/dev/null | sed -n 's/^.i *//p'
}
