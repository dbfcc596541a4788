# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The entry `xen`: the hypervisor, built with Debian's configuration and with what is in hypervisor/.
# Its source is Debian's source package: the mirror's, or the one that XEN_SOURCE names by its .dsc
# file. XEN_SOURCE may also name a tree of Xen's, or a tarball of one.

# Of a tree, what a hypervisor is made of.
readonly XEN_PARTS=(Config.mk config xen)

# What stands for the source in the entry's name: what is in it, wherever it is.
xen_source_id() {
	case ${XEN_SOURCE:-} in
	'') ;;
	*/) XEN_SOURCE=${XEN_SOURCE%/} xen_source_id ;;
	*)
		if [ -d "$XEN_SOURCE" ]; then
			(cd -- "$XEN_SOURCE" && find "${XEN_PARTS[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
		else
			cat -- "$XEN_SOURCE"
		fi
		;;
	esac
}

xen_name() {
	printf 'xen-%s-%s\n' "$XEN" "$({ root_name; xen_source_id; } |
		hash_of - "$LIB"/{xen-inside,download.sh} "$TOP"/hypervisor/{insert,*.[ch]})"
}

# Refuses an XEN_SOURCE that no hypervisor can be made of.
check_xen_source() {
	local part
	case ${XEN_SOURCE:-} in
	'') return ;;
	*.dsc | *.tar | *.tar.* | *.tgz) [ ! -f "$XEN_SOURCE" ] || return 0 ;;
	*)
		for part in "${XEN_PARTS[@]}"; do
			[ -e "$XEN_SOURCE/$part" ] || die "XEN_SOURCE, '$XEN_SOURCE', has no $part" \
				"It is a tree of Xen's source, a tarball of one, or the .dsc file of Debian's source package."
		done
		return
		;;
	esac
	die "XEN_SOURCE: there is no file '$XEN_SOURCE'"
}

# Puts the source where xen-inside looks for it.
bring_xen_source() {
	local partial=$1 file
	case ${XEN_SOURCE:-} in
	'') ;;
	*.dsc)
		sed -n '/^Files:/,/^[^ ]/s/^ [0-9a-f]* [0-9]* //p' "$XEN_SOURCE" | while read -r file; do
			cp -- "$(dirname -- "$XEN_SOURCE")/$file" "$partial/download"
		done
		;;
	*)
		mkdir -- "$partial/source"
		if [ -d "$XEN_SOURCE" ]; then
			(cd -- "$XEN_SOURCE" && cp -r --preserve=mode,timestamps -- "${XEN_PARTS[@]}" "$partial/source")
		else
			cp -- "$XEN_SOURCE" "$partial/source.tar"
		fi
		;;
	esac
}

make_xen() {
	local partial=$1
	mkdir -p -- "$partial/download"
	bring_xen_source "$partial"
	inside "building Xen $XEN with what is in hypervisor/ (about two minutes)" "$LIB/xen-inside" "$@"
	[ ! -e "$partial/lacking" ] || die "$(cat -- "$partial/lacking")"
}
