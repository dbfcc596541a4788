// SPDX-License-Identifier: GPL-2.0

//! The commands of `/dev/cmm`, as numbers: what `tools/cmm-client/xen_cmm.h` says to programs in C.

/// `CMM_ASK`: KiB wanted, the deadline in us, KiB that came, why not more.
pub const ASK: u32 = 0xc020_d501;

/// `CMM_GIVE_BACK`: KiB to give back, KiB that went back.
pub const GIVE_BACK: u32 = 0xc010_d502;

/// `CMM_HELD`: KiB that this asker holds.
pub const HELD: u32 = 0x8008_d503;
