# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What can happen to a domain while memory moves, made to happen, and how it is
# mended. Needs cmm.sh and ledger.sh. A fault is a function of a domain's name, and
# leaves the domain as it likes: gone, paused, disconnected.

# memory_of NAME: what its toolstack gives it, in MiB.
memory_of() { sed -n 's/^memory = //p' "/etc/xen/$1.cfg"; }

# image_of NAME: an image of a domain alike, to bring it back from sooner than it boots.
image_of() { sed -n 's|^type = "\(.*\)"|/tmp/\1.image|p' "/etc/xen/$1.cfg"; }

# keep_image NAME: of a domain that is well. Another of the same type and sizes can be
# made from it, too.
keep_image() {
	mount -o remount,size=90% /tmp
	xl save "$1" "$(image_of "$1")" && revive "$1"
}

revive() {
	if [ -e "$(image_of "$1")" ]; then
		xl restore "/etc/xen/$1.cfg" "$(image_of "$1")" && adopt "$1"
	else
		xl create -q "/etc/xen/$1.cfg"
	fi
}

exists() { xl domid "$1" >/dev/null 2>&1; }

# run NAME: it may not have been paused.
run() { xl unpause "$1" 2>/dev/null || :; }

destroyed() { xl destroy "$1"; }
unloaded() { run "$1"; guest -t 60 "$1" rmmod xen_cmmfront; }
resized() { xl mem-set "$1" $(($(memory_of "$1") - 16)); }

# Whoever is paused goes on long after it was waited for.
late() {
	driver donor_timeout_ms 200
	sleep 1
}

# Whoever reads the ring next finds noise; Dom0 has something to write. The device must
# then be taken away, and given again.
corrupted() {
	faulty=$(xl domid "$1")
	faulty_ref=$(ring_ref)
	./scribble "$faulty" "$faulty_ref" || return 1
	run "$1"
	back "$1" weight 100
	eventually 10 severed && detached "$1"
}
ring_ref() { xenstore-read "/local/domain/$faulty/device/cmm/0/ring-ref"; }
severed() {
	[ "$(xenstore-read "/local/domain/0/backend/cmm/$faulty/0/state")" != 4 ] ||
		[ "$(ring_ref)" != "$faulty_ref" ]
}

# Taken away by the toolstack: it settles first.
detached() {
	run "$1"
	cmm-attach --detach "$1" && guest -t 60 "$1" 'until [ ! -e /sys/bus/xen/devices/cmm-0 ]; do sleep 0.1; done'
}

saved() {
	run "$1"
	xl save "$1" /tmp/saved && xl restore /tmp/saved
	status=$?
	rm -f /tmp/saved
	[ $status -eq 0 ] && adopt "$1"
}

# adopt NAME: the agent in a restored domain goes on, and does not say that it is ready.
adopt() {
	dir=/run/guest/$(xl domid "$1")
	mkdir "$dir"
	mkfifo "$dir/in"
	setsid guestd "${dir##*/}" "$1" </dev/null >/dev/null 2>&1 &
	touch "$dir/ready"
}

# These befall everybody, whatever the name.
back_end_reloaded() { rmmod xen_cmmback && insmod /modules/xen-cmmback.ko; }

# A new domain takes nearly all of Xen's free memory, what has been given included.
domain_built() {
	memory=$(($(xl info free_memory) - 8))
	sed -i "s/^memory.*/memory = $memory/; s/^maxmem.*/maxmem = $memory/" /etc/xen/newcomer.cfg
	xl create -q /etc/xen/newcomer.cfg
}

# mend NAME: it is there, runs, has its size, and is connected.
mend() {
	exists "$1" || revive "$1" || return 1
	run "$1"
	mended=$(xl domid "$1")
	target=$(xenstore-read "/local/domain/$mended/memory/target")
	[ "$target" -eq $(($(memory_of "$1") * 1024)) ] || xl mem-set "$1" "$(memory_of "$1")" || return 1
	! is_connected "$mended" || return 0
	guest -t 120 "$1" "[ -d /sys/module/xen_cmmfront ] || insmod /modules/xen-cmmfront.ko $FRONT_PARAMS" || return 1
	xenstore-exists "/local/domain/0/backend/cmm/$mended" || cmm-attach "$mended" >/dev/null
	eventually 20 is_connected "$mended"
}
is_connected() { [ "$(ledger "$1" state)" = connected ]; }

# settle NAME: its own request, if it has made one, is answered, with memory or with a reason
# that there is for having none; it gives back what it borrowed; what it lent comes back; and
# nothing else keeps it busy.
settle() {
	# shellcheck disable=SC2016 # for the DomU's shell
	guest -t 60 "$1" '
		again() {
			tries=$((tries - 1))
			[ $tries -gt 0 ] || { echo "$*"; exit 1; }
			sleep 0.1
		}
		tries=100
		while [ -e /run/asked ] && [ ! -s /run/answer ]; do again "no answer"; done
		[ ! -s /run/answer ] || grep -qx 0 /run/answer ||
			grep -E "temporarily unavailable|timed out|No such device" /run/said >/dev/null ||
			{ echo "the answer: $(cat /run/answer), $(cat /run/said)"; exit 1; }
		rm -f /run/asked /run/answer
		[ ! -e /run/busy ] || kill "$(cat /run/busy)" 2>/dev/null
		rm -f /run/busy
		cd /sys/bus/xen/devices/cmm-0 || exit 1
		while read -r debt <borrowed_kb && [ "$debt" -gt 0 ]; do
			echo "$debt" >release_kb || again "keeps $debt KiB"
		done
		while read -r lent <lent_kb && [ "$lent" -gt 0 ]; do again "has lent $lent KiB"; done'
}
