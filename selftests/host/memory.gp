# SPDX-License-Identifier: GPL-2.0
# Draws DIRECTORY/totals.tsv and domains.tsv: gnuplot -e "dir='DIRECTORY'" memory.gp
totals = dir.'/totals.tsv'
domains = dir.'/domains.tsv'
set terminal svg size 1000,760 font 'sans-serif,12' background '#ffffff'
set output dir.'/memory.svg'
set datafile separator "\t"
stats totals using 1 skip 1 nooutput name 'time'
stats domains using 2 nooutput name 'row'
set multiplot
set lmargin at screen 0.1
set rmargin at screen 0.8
set xrange [0:time_max]

set tmargin at screen 0.95
set bmargin at screen 0.55
set title 'Who had how much memory when'
set ylabel 'GiB'
set yrange [0:*]
set format x ''
set key outside right center Left reverse invert
colours = '#4c72b0 #64b5cd #dd8452 #8c8c8c #c44e52 #8172b3 #000000'
upto(n) = sum [i=2:n] column(i)
plot for [c=8:2:-1] totals using 1:(upto(c)) with filledcurves x1 \
		lc rgb word(colours, c - 1) title columnheader(c), \
	totals using 1:(upto(9)) with lines lw 1 lc rgb '#999999' title 'free in Xen', \
	totals using 1:10 with lines lw 2 lc rgb '#55a868' title 'pool'

set tmargin at screen 0.5
set bmargin at screen 0.08
set title 'One row a domain: its size, as a part of the size it was created with'
set format x '%g'
set xlabel 'seconds of the simulated clock'
unset ylabel
set yrange [-0.5:row_max + 0.5]
# Each character's name beside the middle of its rows.
set ytics scale 0 ()
do for [character in 'well-behaved slow half-stuck stuck greedy dying lying'] {
	# Of a character that nobody is of there is no valid point, and nothing is set.
	its_records = 0
	stats domains using (strcol(4) eq character ? column(2) : NaN) nooutput name 'its'
	if (its_records > 0) { eval sprintf("set ytics add ('%s' %f)", character, (its_min + its_max) / 2) }
}
unset key
set palette defined (0 '#2166ac', 0.5 '#92c5de', 1 '#f7f7f7', 1.5 '#f4a582', 2 '#b2182b')
set cbrange [0:2]
set cbtics ('0' 0, '½' 0.5, '1' 1, '1½' 1.5, '2' 2)
plot domains using 1:2:3 with image
