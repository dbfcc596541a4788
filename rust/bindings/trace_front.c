// SPDX-License-Identifier: GPL-2.0

#include <linux/types.h>

#define XEN_CMM_FRONT
#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include <trace/events/xen_cmm.h>
