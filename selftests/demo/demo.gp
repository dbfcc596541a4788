# SPDX-License-Identifier: GPL-2.0
#
# Draws what the scenario wrote to the directory "dir".

set encoding utf8
set terminal svg size 900,760 font 'sans-serif,12' background '#ffffff'
set output dir.'/demo.svg'
set datafile separator "\t"
set multiplot layout 4,1
set lmargin 9
set rmargin 3
set grid lc rgb '#dddddd'
set xrange [0:60]
set yrange [0:450]
set ytics 100
set ylabel 'MiB'
domains = 'web db build media'
do for [domain in domains] {
	set title domain offset 0,-0.7
	if (domain eq 'media') { set xlabel 'seconds' }
	plot dir.'/'.domain.'.tsv' every 3 using 1:2 with filledcurves x1 fc rgb '#c6dbef' title 'what it has', \
		'' every 3 using 1:3 with lines lw 2 lc rgb '#c44e52' title 'what it uses'
}
