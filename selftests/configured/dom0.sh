#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What /etc/xen/cmm.conf and their own configurations say of domains: it is checked, counts whenever a domain
# is attached, and does what it says. Who is protected is no donor. What there is to say of a domain is listed.

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

# created SAYS: carol, whose own configuration says that.
created() {
	sed -i '/^cmm/d' /etc/xen/carol.cfg
	echo "cmm = \"$1\"" >>/etc/xen/carol.cfg
	! xl domid carol 2>/dev/null || xl destroy carol
	xl create -q /etc/xen/carol.cfg && guest -t 120 carol true
}
# lists NAME TEXT: what is listed of a domain has that in it.
lists() {
	cmm-attach --list | grep "^[0-9]* *$1 " | tee /tmp/listed | grep -F -- "$2" || { cat /tmp/listed; return 1; }
}
says_nonsense() {
	cmm-attach carol 2>&1 | grep -F 'the configuration of carol: there is no "wait"'
}
# says_json TEXT: of what is listed for programs.
says_json() {
	cmm-attach --list --json >/tmp/json
	grep -F -- "$1" /tmp/json || { cat /tmp/json; return 1; }
}

# breaks: carol's front-end, of which nobody is in, does not say what it speaks.
breaks() {
	front=/local/domain/$(xl domid carol)/device/cmm/0
	xenstore-write "$front/state" 3
	eventually 10 lists carol "versions is missing"
}

plan 31
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

echo "carol floor=16M" >$CONF
check "carol says that she wants no device" created no
check "all others have one" cmm-attach --all
check "she has none" fails_with '' xenstore-exists "/local/domain/$(xl domid carol)/device/cmm/0"
check "the list says why" lists carol "its configuration says no"
check "carol says what she wants" created "weight=5 floor=32M"
check "she is attached" cmm-attach --all
check "the list says that nobody is there" lists carol "xen-cmmfront is not loaded in it"
guest -t 60 carol insmod /modules/xen-cmmfront.ko
check "she is connected" connected carol 20
check "what she says comes before the file" equals "32768 5" echo "$(back carol floor_kb) $(back carol weight)"
check "carol says nonsense, which is found" created "wait=100"
check "... and said" says_nonsense
check "her device fails, and the list says of what" breaks
back bob protected 1
check "the list says that bob is protected" lists bob protected
cmm-attach --detach carol
check "the list says that she was detached" lists carol "detached by hand"
check "programs can read the list" says_json '"name":"alice","frontend":"connected","backend":"connected","borrowed_kb":0,"lent_kb":0,'
rmmod xen_cmmback
cmm-attach carol
check "the list says that there is no back-end" lists carol "xen-cmmback is not loaded"
finish
