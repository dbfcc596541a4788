/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads. The kernel's own bindings hold nothing of Xen, so the
 * Xen headers are bound here; everything they refer to (struct device, struct
 * page, ...) is taken from the `kernel` crate, see rust/xen/bindings.rs.
 */
#include <xen/xen.h>
#include <xen/balloon.h>
#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/mem-reservation.h>
#include <xen/xenbus.h>
#include <xen/interface/event_channel.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/memory.h>
#include <xen/interface/xen.h>
#include <xen/interface/io/xenbus.h>
#include "helpers.h"
#include "helpers_out_of_tree.h"
#include "helpers_x86.h"

#define XEN_CMM_FRONT
#define XEN_CMM_BACK
#include <trace/events/xen_cmm.h>
