# SPDX-License-Identifier: GPL-2.0
#
# Draws what `cmm-latency columns` wrote of transfers on a busy CPU. Give the directory:
# gnuplot -e "out='DIR'". Columns: case guest path scheduler hogs size p50 p90 p99 max malloc
# (KiB and ns).

set terminal svg size 800,520 font "sans,13" background "white"
set key left top
set grid lc rgb "#dddddd"
set rmargin 6
set format y "%.0f"
columns = out . "/columns"

set logscale y
set ylabel "time to memory in hand (microseconds)"

interference(scheduler, path, size, value) = sprintf( \
	"< awk '$1 == \"interference\" && $4 == \"%s\" && $3 == \"%s\" && $6 == %d { print $5, %s / 1000 }' %s", \
	scheduler, path, size, value, columns)
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

# Of each setting, with as many others as there can be.
setting(scheduler, value) = sprintf( \
	"< awk '$1 == \"interference\" && $4 ~ /^%s(-|$)/ && $3 == \"cold\" && $6 == 2048 && $5 == 4 { print $4, %s / 1000 }' %s", \
	scheduler, value, columns)
set xrange [*:*]
set yrange [1000:*]
set xtics rotate by 30 right
unset xlabel
set style data histograms
set style fill solid 0.6
do for [scheduler in "credit credit2"] {
	set output out . "/settings-" . scheduler . ".svg"
	set title "2 MiB from a donor beside four busy domains, scheduler " . scheduler
	plot setting(scheduler, "$7") using 2:xtic(1) title "median", \
		setting(scheduler, "$9") using 2 title "p99"
}
