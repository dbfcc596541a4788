// SPDX-License-Identifier: GPL-2.0

//! Sysfs attributes of a driver's devices, and of the driver.
//!
//! A driver lists its [`Knob`]s in constants. [`Groups`] makes the C structures of them when the
//! driver is registered, so that the driver core creates and removes the files itself: they appear
//! after a device was probed, and the last reader or writer is gone before it is unbound.
//!
//! C header: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)

use crate::bindings;
use core::fmt;
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    str::CStr, //
};

/// Writes the value of an attribute.
pub type Show<Dev, Data> = fn(&Dev, &Data, &mut Text<'_>) -> Result;

/// Takes a new value of an attribute, without the newline that ends it.
pub type Store<Dev, Data> = fn(&Dev, &Data, &str) -> Result;

/// One attribute: a file with one value.
///
/// `Dev` is the device and `Data` the private data the two functions get.
pub struct Knob<Dev, Data> {
    name: &'static CStr,
    show: Option<Show<Dev, Data>>,
    store: Option<Store<Dev, Data>>,
}

impl<Dev, Data> Knob<Dev, Data> {
    /// A value that can only be read (mode 0444).
    pub const fn read_only(name: &'static CStr, show: Show<Dev, Data>) -> Self {
        Self {
            name,
            show: Some(show),
            store: None,
        }
    }

    /// A value that root can change (mode 0644).
    pub const fn read_write(
        name: &'static CStr,
        show: Show<Dev, Data>,
        store: Store<Dev, Data>,
    ) -> Self {
        Self {
            name,
            show: Some(show),
            store: Some(store),
        }
    }

    /// A command that root can give (mode 0200).
    pub const fn write_only(name: &'static CStr, store: Store<Dev, Data>) -> Self {
        Self {
            name,
            show: None,
            store: Some(store),
        }
    }

    fn mode(&self) -> u16 {
        match (self.show.is_some(), self.store.is_some()) {
            (true, true) => 0o644,
            (false, true) => 0o200,
            _ => 0o444,
        }
    }
}

/// The text of an attribute while it is being written: one page at most.
pub struct Text<'a> {
    buf: &'a mut [u8],
    used: usize,
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = self.used.checked_add(s.len()).ok_or(fmt::Error)?;
        self.buf
            .get_mut(self.used..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(s.as_bytes());
        self.used = end;
        Ok(())
    }
}

/// `show` of a C attribute, as the driver core calls it.
///
/// What the arguments are differs between devices and drivers, which the type forgets.
pub(crate) type RawShow = unsafe extern "C" fn();

/// `store` of a C attribute, likewise.
pub(crate) type RawStore = unsafe extern "C" fn();

/// A C attribute and the knob it stands for.
///
/// `struct device_attribute` and `struct driver_attribute` are laid out alike, and differ in the
/// types of their functions only.
#[repr(C)]
pub(crate) struct RawAttribute<Dev: 'static, Data: 'static> {
    attr: bindings::attribute,
    show: RawShow,
    store: RawStore,
    knob: &'static Knob<Dev, Data>,
}

impl<Dev: 'static, Data: 'static> RawAttribute<Dev, Data> {
    /// The knob of a C attribute.
    ///
    /// # Safety
    ///
    /// `attr` must be an attribute of a filled `Groups<Dev, Data>`.
    pub(crate) unsafe fn knob(attr: *mut bindings::device_attribute) -> &'static Knob<Dev, Data> {
        // SAFETY: By the safety requirements, and `attr` is at the beginning.
        unsafe { (*attr.cast::<Self>()).knob }
    }
}

const _: () = {
    use bindings::{
        device_attribute,
        driver_attribute, //
    };
    use core::mem::{
        offset_of,
        size_of, //
    };
    type Ours = RawAttribute<(), ()>;
    assert!(offset_of!(Ours, show) == offset_of!(device_attribute, __bindgen_anon_1));
    assert!(offset_of!(Ours, store) == offset_of!(device_attribute, __bindgen_anon_2));
    assert!(offset_of!(Ours, knob) == size_of::<device_attribute>());
    assert!(offset_of!(Ours, show) == offset_of!(driver_attribute, show));
    assert!(offset_of!(Ours, store) == offset_of!(driver_attribute, store));
};

/// The attribute groups of a driver, as the driver core wants them.
///
/// # Invariants
///
/// Once filled, `group.attrs` points into `list`, which points into `attributes`, and none of them
/// is changed until [`Groups::clear`].
pub(crate) struct Groups<Dev: 'static, Data: 'static> {
    attributes: KVec<RawAttribute<Dev, Data>>,
    list: KVec<*mut bindings::attribute>,
    group: bindings::attribute_group,
    groups: [*const bindings::attribute_group; 2],
}

impl<Dev: 'static, Data: 'static> Groups<Dev, Data> {
    pub(crate) fn new() -> Self {
        Self {
            attributes: KVec::new(),
            list: KVec::new(),
            group: Default::default(),
            groups: [core::ptr::null(); 2],
        }
    }

    /// Makes the C structures of `knobs`, with the functions `calls` has for each. `self` must not
    /// move afterwards.
    pub(crate) fn fill(
        &mut self,
        knobs: &'static [Knob<Dev, Data>],
        calls: impl Fn(usize) -> Option<(RawShow, RawStore)>,
    ) -> Result {
        self.attributes = KVec::with_capacity(knobs.len(), GFP_KERNEL)?;
        self.list = KVec::with_capacity(knobs.len() + 1, GFP_KERNEL)?;

        for (i, knob) in knobs.iter().enumerate() {
            let (show, store) = calls(i).ok_or(ENOSPC)?;
            let attr = bindings::attribute {
                name: knob.name.as_char_ptr(),
                mode: knob.mode(),
            };
            self.attributes.push(
                RawAttribute {
                    attr,
                    show,
                    store,
                    knob,
                },
                GFP_KERNEL,
            )?;
        }

        for attribute in self.attributes.iter_mut() {
            self.list.push(&raw mut attribute.attr, GFP_KERNEL)?;
        }
        self.list.push(core::ptr::null_mut(), GFP_KERNEL)?;

        self.group.__bindgen_anon_2.attrs = self.list.as_mut_ptr();
        self.groups[0] = &raw const self.group;
        Ok(())
    }

    /// Frees the C structures. The driver must have been unregistered.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    pub(crate) fn as_ptr(&self) -> *mut *const bindings::attribute_group {
        self.groups.as_ptr().cast_mut()
    }
}

impl<Dev, Data> Knob<Dev, Data> {
    /// Carries out a read of the attribute.
    ///
    /// # Safety
    ///
    /// `buf` must be a page that may be written.
    pub(crate) unsafe fn read(&self, dev: &Dev, data: &Data, buf: *mut c_char) -> isize {
        // SAFETY: By the safety requirements.
        let buf = unsafe { core::slice::from_raw_parts_mut(buf.cast::<u8>(), PAGE_SIZE) };
        let mut text = Text { buf, used: 0 };

        match self.show.map(|show| show(dev, data, &mut text)) {
            Some(Ok(())) => text.used as isize,
            Some(Err(err)) => err.to_errno() as isize,
            None => EIO.to_errno() as isize,
        }
    }

    /// Carries out a write of the attribute.
    ///
    /// # Safety
    ///
    /// `buf` must hold `count` bytes.
    pub(crate) unsafe fn write(
        &self,
        dev: &Dev,
        data: &Data,
        buf: *const c_char,
        count: usize,
    ) -> isize {
        // SAFETY: By the safety requirements.
        let bytes = unsafe { core::slice::from_raw_parts(buf.cast::<u8>(), count) };

        let result = core::str::from_utf8(bytes)
            .map_err(|_| EINVAL)
            .and_then(|text| match self.store {
                Some(store) => store(dev, data, text.trim()),
                None => Err(EIO),
            });

        match result {
            Ok(()) => count as isize,
            Err(err) => err.to_errno() as isize,
        }
    }
}
