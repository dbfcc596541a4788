# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What suites do with domains, from Dom0. Sizes are in KiB.

# front NAME KNOB [VALUE]: reads or writes a knob of a DomU's front-end.
front() {
	if [ $# -eq 2 ]; then
		guest -t 60 "$1" "cat /sys/bus/xen/devices/cmm-0/$2"
	else
		guest -t 60 "$1" "echo '$3' >/sys/bus/xen/devices/cmm-0/$2"
	fi
}

# back NAME KNOB [VALUE]: reads or writes a knob of Dom0 for a domain.
back() {
	cmm_knob=/sys/bus/xen-backend/devices/cmm-$(xl domid "$1")-0/$2
	if [ $# -eq 2 ]; then
		cat "$cmm_knob"
	else
		echo "$3" >"$cmm_knob"
	fi
}

# driver KNOB [VALUE]: reads or writes a knob of the back-end's driver.
driver() {
	cmm_knob=$(echo /sys/bus/xen-backend/drivers/*cmm*/"$1")
	if [ $# -eq 1 ]; then
		cat "$cmm_knob"
	else
		echo "$2" >"$cmm_knob"
	fi
}

# sizes: Xen's own word, "NAME KIB" for each domain and for (free): domains to the
# page, free memory to the MiB.
sizes() {
	xentop -b -i 1 -f | awk '
		/^ *NAME / { for (i = 1; i <= NF; i++) if ($i == "MEM(k)") column = i; next }
		NF > column { print $1, $column }'
	echo "(free) $(($(xl info free_memory) * 1024))"
}

size_of() { sizes | awk -v name="$1" '$1 == name { print $2 }'; }

# total: all domains and Xen's free memory. Constant, to the MiB, while no domain
# is made or destroyed, whatever moves.
total() { sizes | awk '{ sum += $2 } END { print sum }'; }

# mem NAME FIELD: a line of the DomU's /proc/meminfo.
mem() { guest -t 60 "$1" "awk '/^$2:/ { print \$2 }' /proc/meminfo"; }

# within A B TOLERANCE
within() {
	cmm_difference=$(($1 - $2))
	[ ${cmm_difference#-} -le "$3" ]
}

# eventually SECONDS COMMAND...: until COMMAND succeeds; shows what it said last. PATIENCE times
# as long under a kernel that is slow.
eventually() {
	cmm_tries=$(($1 * 5 * ${PATIENCE:-1}))
	shift
	until cmm_said=$("$@" 2>&1); do
		cmm_tries=$((cmm_tries - 1))
		[ $cmm_tries -gt 0 ] || {
			echo "did not come true: $*"
			[ -z "$cmm_said" ] || echo "$cmm_said"
			return 1
		}
		sleep 0.2
	done
}

# equals WANT COMMAND...: does COMMAND print WANT?
equals() {
	cmm_want=$1
	shift
	cmm_found=$("$@")
	[ "$cmm_found" = "$cmm_want" ] || {
		echo "$*: want '$cmm_want', found '$cmm_found'"
		return 1
	}
}

# fails_with TEXT COMMAND...: COMMAND must fail and say TEXT.
fails_with() {
	cmm_want=$1
	shift
	if cmm_found=$("$@" 2>&1); then
		echo "succeeded, and should have failed with '$cmm_want': $*"
		return 1
	fi
	case $cmm_found in
	*"$cmm_want"*) ;;
	*)
		echo "$*: want an error with '$cmm_want', found '$cmm_found'"
		return 1
		;;
	esac
}

# has_spare NAME KIB: has the domain said that it could spare that much?
has_spare() {
	cmm_found=$(back "$1" available_kb)
	[ "$cmm_found" -ge "$2" ] || { echo "$1 can spare $cmm_found KiB, want $2"; return 1; }
}

connected() { cmm-attach --wait $((${2:-10} * ${PATIENCE:-1})) "$1"; }
