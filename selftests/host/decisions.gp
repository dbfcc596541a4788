# SPDX-License-Identifier: GPL-2.0
# Draws DIRECTORY/decisions.csv: gnuplot -e "dir='DIRECTORY'" decisions.gp
set terminal svg size 760,460 font 'sans-serif,13' background '#ffffff'
set output dir."/decisions.svg"
set datafile separator ','
set title 'What the coordinator takes for a request, by the number of domains'
set xlabel 'domains'
set ylabel 'median, and 99 of 100 (whisker)'
set logscale xy
set xrange [7:14000]
set xtics ('10' 10, '100' 100, '1 000' 1000, '10 000' 10000)
set ytics ('100 ns' 100, '1 µs' 1000, '10 µs' 10000, '100 µs' 100000, '1 ms' 1000000)
set yrange [50:2000000]
set grid ytics lc rgb '#dddddd'
set key top left Left reverse
paths = 'cold late reserve credit'
titles = '"from a donor" "from a second donor, the first being late" "from the reserve" "on credit"'
colours = '#c44e52 #dd8452 #4c72b0 #55a868'
in = dir.'/decisions.csv'
plot for [i=1:4] in every ::1 \
	using (column(2) * (1 + 0.03 * i)):(strcol(1) eq word(paths, i) ? column(3) : NaN):(column(3)):(column(4)) \
	with yerrorbars pt 0 lc rgb word(colours, i) notitle, \
	for [i=1:4] '< grep ^'.word(paths, i).', '.in \
	using (column(2) * (1 + 0.03 * i)):3 \
	with linespoints lw 2 pt 7 ps 0.6 lc rgb word(colours, i) title word(titles, i)
