// SPDX-License-Identifier: GPL-2.0
/* The module of the suite hostile, built here as well: both suites run at once. */
#include "../hostile/cmm-hostile.c"
