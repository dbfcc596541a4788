// SPDX-License-Identifier: GPL-2.0
/* Crate xen's, for this module. */
#include "../../rust/bindings/helpers.c"
#include "../../rust/bindings/helpers_out_of_tree.c"
#include "../../rust/bindings/helpers_x86.c"
