# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The entry `xen`: Debian's hypervisor, built with what is in hypervisor/. Its source is Debian's
# source package: the mirror's, or the one that XEN_SOURCE names by its .dsc file.

xen_name() {
	local source=()
	[ -z "${XEN_SOURCE:-}" ] || source=("$XEN_SOURCE")
	printf 'xen-%s-%s\n' "$XEN" "$({ root_name; cat -- "${source[@]:-/dev/null}"; } |
		hash_of - "$LIB"/{xen-inside,download.sh} "$TOP"/hypervisor/{insert,*.[ch]})"
}

# Finds the files that belong to XEN_SOURCE.
check_xen_source() {
	[ -z "${XEN_SOURCE:-}" ] || [[ $XEN_SOURCE == *.dsc && -f $XEN_SOURCE ]] ||
		die "XEN_SOURCE is the .dsc file of Debian's source package of Xen, not '$XEN_SOURCE'"
}

make_xen() {
	local partial=$1 file
	mkdir -p -- "$partial/download"
	if [ -n "${XEN_SOURCE:-}" ]; then
		sed -n '/^Files:/,/^[^ ]/s/^ [0-9a-f]* [0-9]* //p' "$XEN_SOURCE" | while read -r file; do
			cp -- "$(dirname -- "$XEN_SOURCE")/$file" "$partial/download"
		done
	fi
	inside "building Xen $XEN with what is in hypervisor/ (about two minutes)" "$LIB/xen-inside" "$@"
	[ ! -e "$partial/lacking" ] || die "$(cat -- "$partial/lacking")"
}
