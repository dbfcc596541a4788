# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The emulator that the lab runs in: emulator-inside says why it is built here.

emulator_name() {
	printf 'emulator-%s-%s\n' "$SUITE" "$(root_name | hash_of - "$LIB"/{emulator-inside,next-rip.h,download.sh})"
}

make_emulator() {
	inside "building QEMU for the lab (about two minutes)" "$LIB/emulator-inside" "$@"
}
