// SPDX-License-Identifier: GPL-2.0
/* Crate xen's, for this module. */
#include "../../rust/bindings/helpers.c"
