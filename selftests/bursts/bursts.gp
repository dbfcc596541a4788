# SPDX-License-Identifier: GPL-2.0
#
# Draws what burst-report wrote to the directory "dir".

set encoding utf8
set terminal svg size 900,540 font 'sans,13' background '#ffffff'
colour(i) = word('#4c72b0 #dd8452 #55a868 #c44e52 #8172b3 #937860 #da8bc3 #8c8c8c #ccb974 #64b5cd #000000', i)
blocks(file) = int(system(sprintf("grep -c '^\"' '%s'", file)))
title_of(file, i) = system(sprintf("grep '^\"' '%s' | tr -d '\"' | sed -n %dp", file, i))
set grid lc rgb '#dddddd'

heights = dir.'/heights'
set output dir.'/heights.svg'
set title 'Rises: how high, and how long they took'
set xlabel 'ms'
set ylabel 'MiB'
set logscale xy
set xrange [1:20000]
set yrange [4:2000]
set key outside right
plot for [i=1:blocks(heights)] heights index i-1 every ::1 with points pt 7 ps 0.6 lc rgb colour(i) \
		title title_of(heights, i), \
	x / 10 with lines dt 2 lc rgb '#666666' title '100 MiB/s', \
	x with lines dt 3 lc rgb '#666666' title '1 000 MiB/s'

times = dir.'/times'
set output dir.'/times.svg'
set title 'How long a rise allows until the headroom is used up'
set xlabel 'ms since it shows'
set ylabel '% of the rises allow less'
unset logscale y
set xrange [0.1:20000]
set yrange [0:100]
plot for [i=1:blocks(times)] times index i-1 every ::1 with steps lw 2 lc rgb colour(i) \
	title 'headroom '.title_of(times, i)

set output dir.'/savings.svg'
set title 'Memory that a host saves if its domains share it'
set xlabel 'domains'
set ylabel '% of the sum of their peaks'
set logscale x 2
set xrange [1.8:70]
set yrange [0:100]
savings = dir.'/savings'
plot for [i=1:blocks(savings)] savings index i-1 every ::1 using 1:2:3:4 with yerrorlines lw 2 pt 7 \
	lc rgb colour(i) title title_of(savings, i)
unset key

needs = dir.'/needs'
count = blocks(needs)
unset logscale
set output dir.'/needs.svg'
set terminal svg size 900,140*count font 'sans,11' background '#ffffff'
set multiplot layout count,1
set xrange [0:*]
set yrange [0:*]
unset ylabel
unset xlabel
do for [i=1:count] {
	set title title_of(needs, i).': MiB needed, over seconds' offset 0,-0.7
	plot needs index i-1 every ::1 with steps lw 1 lc rgb colour(i)
}
unset multiplot
