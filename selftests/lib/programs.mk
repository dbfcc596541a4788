# SPDX-License-Identifier: GPL-2.0
#
# How a suite builds the programs of this directory: static, for the lab's domains.

%: ../lib/%.rs
	rustc -O -C target-feature=+crt-static -C strip=symbols -D warnings -o $@ $<

%: ../lib/%.c
	$(CC) -static -O1 -Wall -Wextra -Werror -o $@ $<
