# SPDX-License-Identifier: GPL-2.0
#
# Draws what the scenario wrote to the directory "dir".

set encoding utf8
set terminal svg size 900,560 font 'sans-serif,13' background '#ffffff'
set output dir.'/burst.svg'
set datafile separator "\t"
set multiplot layout 2,1
set lmargin 9
set rmargin 3
set grid lc rgb '#dddddd'
set xrange [0:12]
set yrange [0:500]
set ytics 100
set ylabel 'MiB'
set key top right
said(name) = system(sprintf("awk '/killed/ { print \"the program is killed\"; next } \
	{ printf \"it ends after %%.2f s; the longest wait for a page was %%.1f ms\", $1 / 1e6, $2 / 1e3 }' '%s/%s.said'", dir, name))
set title 'With xen-cmm: '.said('cmm')
plot dir.'/cmm.tsv' every 3 using 1:2 with filledcurves x1 fc rgb '#c6dbef' title 'what the domain has', \
	'' every 3 using 1:3 with lines lw 2 lc rgb '#c44e52' title 'what it uses'
set title 'With a balancer that looks once a second: '.said('polled')
set xlabel 'seconds; a program begins at 1 to fill 320 MiB, 100 MiB a second'
plot dir.'/polled.tsv' every 3 using 1:2 with filledcurves x1 fc rgb '#d9d9d9' title 'what the domain has', \
	'' every 3 using 1:3 with lines lw 2 lc rgb '#c44e52' title 'what it uses'
