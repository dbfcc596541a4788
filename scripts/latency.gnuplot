# SPDX-License-Identifier: GPL-2.0
#
# Draws what `cmm-latency columns` wrote. Give the directory: gnuplot -e "out='DIR'".
# Columns: case guest path scheduler hogs size p50 p90 p99 max malloc (KiB and ns).

set terminal svg size 800,520 font "sans,13" background "white"
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
		by_size("transfer", guest, "mem-set") with linespoints lw 2 title "stock balloon, xl mem-set"
}

interference(scheduler, path, size, value) = sprintf( \
	"< awk '$1 == \"interference\" && $4 == \"%s\" && $3 == \"%s\" && $6 == %d { print $5, %s / 1000 }' %s", \
	scheduler, path, size, value, columns)
unset logscale x
set xrange [-0.3:4.3]
set xtics 1
set xlabel "other domains burning the CPU"
do for [scheduler in "credit credit2"] {
	set output out . "/interference-" . scheduler . ".svg"
	set title "Transfers on a busy CPU, scheduler " . scheduler . ": median (line) and p99 (dashed)"
	plot interference(scheduler, "cold", 2048, "$7") with linespoints lw 2 lc 1 title "cold, 2 MiB", \
		interference(scheduler, "cold", 2048, "$9") with linespoints lw 2 dt 2 lc 1 notitle, \
		interference(scheduler, "reserve", 2048, "$7") with linespoints lw 2 lc 2 title "reserve, 2 MiB", \
		interference(scheduler, "reserve", 2048, "$9") with linespoints lw 2 dt 2 lc 2 notitle, \
		interference(scheduler, "credit", 64, "$7") with linespoints lw 2 lc 3 title "credit, 64 KiB", \
		interference(scheduler, "credit", 64, "$9") with linespoints lw 2 dt 2 lc 3 notitle
}
