# SPDX-License-Identifier: GPL-2.0
# Draws DIRECTORY/decisions.json: gnuplot -e "dir='DIRECTORY'" decisions.gp
set terminal svg size 960,900 font 'sans-serif,13' background '#ffffff'
set output dir.'/decisions.svg'
set datafile separator ','
set title 'The worst time of one event, by the number of domains'
set xlabel 'domains'
set logscale xy
set xrange [8:12000]
set xtics ('10' 10, '100' 100, '1 000' 1000, '10 000' 10000)
set ytics ('10 ns' 10, '100 ns' 100, '1 µs' 1e3, '10 µs' 1e4, '100 µs' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8, '1 s' 1e9)
set grid ytics lc rgb '#dddddd'
set key below Left reverse maxcols 4 samplen 2 font ',11'
# What an event and a lane may take at most, in ns.
set arrow from 8,2e4 to 12000,2e4 nohead dt 2 lw 2 lc rgb '#999999'
set label 'an event' at 8.5,2.4e4 tc rgb '#777777'
set arrow from 8,2e5 to 12000,2e5 nohead dt 2 lw 2 lc rgb '#999999'
set label 'a lane' at 8.5,2.4e5 tc rgb '#777777'
in = dir.'/decisions.json'
count = int(system("cut -d'\"' -f4 ".in." | uniq | wc -l"))
name(i) = system(sprintf("cut -d'\"' -f4 %s | uniq | sed -n %dp", in, i))
# Lanes, what the toolstack and the administrator do, and all else are told apart by their lines.
kind(i) = strstrt(name(i), 'lane') == 1 ? 3 : strstrt(name(i), 'knob') == 1 ? 4 : 1
of(i) = sprintf("< grep -F '\"%s\"' %s | sed -E 's/.*\"domains\":([0-9]+).*\"worst_ns\":([0-9]+).*/\\1,\\2/'", name(i), in)
plot for [i=1:count] of(i) using 1:2 with linespoints lw 1.5 dt kind(i) pt 1 + i % 13 ps 0.6 lc i title name(i)
