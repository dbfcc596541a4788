# SPDX-License-Identifier: GPL-2.0
#
# Draws what `cmm-latency columns` wrote. Give the directory: gnuplot -e "out='DIR'".
# Columns: case guest path scheduler hogs size p50 p90 p99 max malloc part (KiB and ns).

set terminal svg noenhanced size 800,520 font "sans,13" background "white"
set key left top
set grid lc rgb "#dddddd"
set rmargin 6
set format y "%.0f"
columns = out . "/columns"

pick(case, guest, path, size, value) = sprintf( \
	"< awk '$1 == \"%s\" && $2 == \"%s\" && $3 == \"%s\" { print %s, %s }' %s", \
	case, guest, path, size, value, columns)
by_size(case, guest, path) = pick(case, guest, path, "$6", "$7 / 1000")

set logscale xy
set xlabel "size (KiB)"
set ylabel "median time to memory in hand (microseconds)"
do for [guest in "pv pvh"] {
	set output out . "/size-" . guest . ".svg"
	set title "Memory from another domain, and from the own kernel (" . guest . ")"
	plot pick("transfer", guest, "cold", "$6", "$11 / 1000") with linespoints lw 3 lc rgb "black" title "malloc + touch", \
		by_size("transfer", guest, "cold") with linespoints lw 2 title "cold: a donor is asked", \
		by_size("transfer", guest, "reserve") with linespoints lw 2 title "from the reserve", \
		by_size("transfer", guest, "credit") with linespoints lw 2 title "on credit", \
		by_size("transfer", guest, "bare") with linespoints lw 2 dt 2 title "bare loop, both parts", \
		by_size("transfer", guest, "balloon") with linespoints lw 2 title "stock balloon, perfect balancer", \
		by_size("transfer", guest, "mem-set") with linespoints lw 2 title "stock balloon, xl mem-set", \
		by_size("transfer", guest, "target_kb") with linespoints lw 2 title "stock balloon, target_kb in both"
}

# Where the time goes: a stack for each way. Only the phases a size has are drawn.
phase(guest, size, part) = sprintf( \
	"< awk 'BEGIN { n = split(\"cold reserve credit bare\", p); for (i = 1; i <= n; i++) v[p[i]] = 0 } \
	$1 == \"phases\" && $2 == \"%s\" && $6 == %s && $12 == \"%s\" { v[$3] = $7 / 1000 } \
	END { for (i = 1; i <= n; i++) print p[i], v[p[i]] }' %s", guest, size, part, columns)
parts = "call ask event-hop decide donor-hop donor-wake-up allocate unmap release offer offer-hop " \
	. "caps grant-hop wake-up frames populate map free tell"
# Blue: the requester's; orange: Dom0's; green: the donor's; grey: on the way.
colours = "dddddd c6dbef aaaaaa fdae6b 999999 c7e9c0 74c476 31a354 006d2c a1d99b 888888 " \
	. "e6550d 777777 9ecae1 6baed6 3182bd 08519c 756bb1 bcbddc"
colour(i) = int(sprintf("0x%s", word(colours, i)))
unset logscale
set style data histograms
set style histogram rowstacked
set style fill solid 0.8 border lc rgb "white"
set boxwidth 0.7
set key outside right invert
set rmargin 22
set xlabel "way"
set ylabel "time (microseconds)"
set format x "%s"
do for [guest in "pv pvh"] {
	do for [size in "64 2048"] {
		set output out . "/phases-" . guest . "-" . size . ".svg"
		set title "Where the time goes: " . size . " KiB, " . guest
		plot for [i = 1:words(parts)] phase(guest, size, word(parts, i)) \
			using 2:xtic(1) lc rgb colour(i) title word(parts, i)
	}
}
