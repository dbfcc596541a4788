#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What /etc/xen/cmm.conf says of domains: it is checked, counts whenever a domain is attached, and
# does what it says. Who is protected is no donor.

. ../lib/ktap.sh
. ../lib/cmm.sh

CONF=/etc/xen/cmm.conf
BOB=00000000-0000-4000-8000-000000000002
AMOUNT=16384

# limits NAME: its knobs.
limits() { echo "$(back "$1" floor_kb) $(back "$1" ceiling_kb) $(back "$1" weight) $(back "$1" protected)"; }

attached() { cmm-attach "$1" && connected "$1"; }
again() { cmm-attach --detach "$1" && attached "$1"; }
reload() {
	rmmod xen_cmmback && insmod /modules/xen-cmmback.ko && connected alice 20 && connected bob 20
}
refuses() { fails_with 'Resource temporarily unavailable' front alice request_kb "$AMOUNT"; }

plan 15
cat >$CONF <<-END
	alice  floor=64M ceiling=384M
	bob    wait=100
	carol  floor=2G ceiling=1G
END
check "a wrong name is found" fails_with "$CONF:2: there is no \"wait\"" cmm-attach --check
check "a floor above a ceiling is found" fails_with "$CONF:3: the floor is above the ceiling" cmm-attach --check

cat >$CONF <<-END
	# Sizes are numbers with a unit.
	alice   floor=64M ceiling=393216K  weight=7
	$BOB    protected=yes
END
check "what is right is right" cmm-attach --check
check "alice is attached" attached alice
check "bob is attached" attached bob
check "a domain called by its name has its limits" equals "65536 393216 7 0" limits alice
check "one called by its UUID is protected" equals 1 back bob protected
eventually 15 has_spare bob $AMOUNT >/dev/null
check "a protected domain is no donor" refuses
check "... and says why" equals no-donor front alice last_reason
check "the back-end is loaded again" reload
check "... and knows that bob is protected" equals 1 back bob protected
check "bob is not protected any more" back bob protected 0
eventually 15 has_spare bob $AMOUNT >/dev/null
check "bob gives" front alice request_kb $AMOUNT
front alice release_kb $AMOUNT

# More than it may have: none of that can be kept.
echo "alice floor=64G weight=9" >$CONF
check "alice is attached again" again alice
check "limits that cannot be kept are ignored" equals "65536 $(($(xenstore-read "/local/domain/$(xl domid alice)/memory/static-max"))) 100 0" limits alice
finish
