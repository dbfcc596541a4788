# SPDX-License-Identifier: GPL-2.0
#
# Draws compare.tsv of the directory "dir": what was not met, and how often a program was killed, under each manager,
# for each type of domain and each load.

set encoding utf8
set terminal svg size 1000,640 font 'sans-serif,12' background '#ffffff'
set output dir.'/compare.svg'
set multiplot layout 2,2
set style data histogram
set style histogram cluster gap 1
set style fill solid
set grid y lc rgb '#dddddd'
set xtics rotate by -40 scale 0
set yrange [0:*]
set key top left
of(guest, load, column) = sprintf("< awk -F'\\t' '$1 == \"%s\" && $2 == %s { print $3 \"\\t\" $%s }' '%s/compare.tsv'", guest, load, column, dir)
# What there is: not every run has to be.
kept(what) = system(sprintf("awk -F'\\t' '%s' '%s/compare.tsv' | sort -u | tr '\\n' ' '", what, dir))
do for [column in '4 5'] {
	do for [guest in kept('{ print $1 }')] {
		set title guest.(column eq '4' ? ': what was not met of the demand, in %' : ': programs killed')
		plot for [load in kept(sprintf('$1 == "%s" { print $2 }', guest))] of(guest, load, column) using 2:xtic(1) \
			lc rgb (load eq '70' ? '#9ecae1' : load eq '85' ? '#4292c6' : '#c44e52') title load.' %'
	}
}
