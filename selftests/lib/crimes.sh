# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What mallory does, whose front-end is cmm-hostile. Needs cmm.sh.

# meet_mallory: she is there, with a good front-end so far.
meet_mallory() {
	mallory=$(xl domid mallory) || return 1
	back_dir=/local/domain/0/backend/cmm/$mallory/0
	crime_node=/local/domain/$mallory/data/crime
	xenstore-write "$crime_node" none
	guest -t 60 mallory 'rmmod xen_cmmfront 2>/dev/null; insmod /modules/cmm-hostile.ko'
}

back_state() { xenstore-read "$back_dir/state"; }
sent_away() { case $(back_state) in 5 | 6) ;; *) back_state; return 1 ;; esac }
connects() { case $(back_state) in 4 | 5 | 6) ;; *) back_state; return 1 ;; esac }
no_crime() { ! xenstore-exists "$crime_node"; }

# begin CRIME[+CRIME]: on a fresh device.
begin() {
	echo "lab-mark-$1" >/dev/kmsg
	cmm-attach --detach "$mallory" >/dev/null 2>&1
	eventually 10 no_crime && xenstore-write "$crime_node" "$1" &&
		cmm-attach "$mallory" >/dev/null && eventually 10 connects
}
