# SPDX-License-Identifier: GPL-2.0
#
# Counts results, lines of KTAP or of cargo, and prints "passed failed skipped".
# status is the suite's exit status. What a plan announced and nobody reported
# has failed, and so has a suite that ended badly without naming a failure, or
# that reported nothing.

{ sub(/\r$/, "") }

/^1\.\.[0-9]+/ {
	planned += substr($1, 4)
	if (/# *SKIP/)
		skipped++
}
/^ok [0-9]+.*# *SKIP/ { reported++; skipped++; next }
/^ok [0-9]/ { reported++; passed++ }
/^not ok [0-9]/ { reported++; failed++ }

/^test .* \.\.\. ok$/ { passed++ }
/^test .* \.\.\. FAILED$/ { failed++ }
/^test .* \.\.\. ignored/ { skipped++ }

END {
	if (planned > reported)
		failed += planned - reported
	if (status == 4 && !passed && !failed)
		skipped = skipped ? skipped : 1
	else if (!failed && (status != 0 || !(passed + skipped)))
		failed = 1
	print passed + 0, failed + 0, skipped + 0
}
