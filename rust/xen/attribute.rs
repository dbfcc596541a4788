// SPDX-License-Identifier: GPL-2.0

//! Sysfs attributes of a driver's devices, and of the driver.
//!
//! A driver lists its [`Attribute`]s in constants. [`Groups`] makes the C structures of them when
//! the driver is registered, so that the driver core creates and removes the files itself: they
//! appear after a device was probed, and the last reader or writer is gone before it is unbound.
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
///
/// # Examples
///
/// A level that can be read and set, for [`Driver::ATTRIBUTES`](crate::xenbus::Driver::ATTRIBUTES).
///
/// ```
/// use core::fmt::Write;
/// use kernel::{device::Bound, prelude::*, sync::atomic::{Atomic, Relaxed}};
/// use xen::{attribute::Attribute, xenbus::Device};
///
/// struct Lamp {
///     level: Atomic<u32>,
/// }
///
/// const ATTRIBUTES: &[Attribute<Device<Bound>, Lamp>] = &[Attribute::read_write(
///     c"level",
///     |_dev, lamp, text| writeln!(text, "{}", lamp.level.load(Relaxed)).map_err(|_| ENOSPC),
///     |_dev, lamp, text| {
///         lamp.level.store(text.parse().map_err(|_| EINVAL)?, Relaxed);
///         Ok(())
///     },
/// )];
/// ```
pub struct Attribute<Dev, Data> {
    name: &'static CStr,
    show: Option<Show<Dev, Data>>,
    store: Option<Store<Dev, Data>>,
}

impl<Dev, Data> Attribute<Dev, Data> {
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
            (true | false, false) => 0o444,
        }
    }
}

/// The text of an attribute while it is being written: one page at most. [`Attribute`] has an
/// example of its use.
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

/// A C attribute and what it stands for.
///
/// `struct device_attribute` and `struct driver_attribute` are laid out alike, and differ in the
/// types of their functions only.
#[repr(C)]
pub(crate) struct RawAttribute<Dev: 'static, Data: 'static> {
    attr: bindings::attribute,
    show: RawShow,
    store: RawStore,
    attribute: &'static Attribute<Dev, Data>,
}

impl<Dev: 'static, Data: 'static> RawAttribute<Dev, Data> {
    /// What a C attribute stands for.
    ///
    /// # Safety
    ///
    /// `attr` must be an attribute of a filled `Groups<Dev, Data>`.
    pub(crate) unsafe fn attribute(
        attr: *mut bindings::device_attribute,
    ) -> &'static Attribute<Dev, Data> {
        // SAFETY: By the safety requirements `attr` was made by `fill`, of a `Self` whose first
        // field it is, and which is valid and does not change as long as the groups are filled.
        unsafe { (*attr.cast::<Self>()).attribute }
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
    assert!(offset_of!(Ours, attribute) == size_of::<device_attribute>());
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
        // INVARIANT: It is not filled.
        Self {
            attributes: KVec::new(),
            list: KVec::new(),
            group: Default::default(),
            groups: [core::ptr::null(); 2],
        }
    }

    /// Makes the C structures of `attributes`, with the functions `calls` has for each. `self` must
    /// not move afterwards.
    pub(crate) fn fill(
        &mut self,
        attributes: &'static [Attribute<Dev, Data>],
        calls: impl Fn(usize) -> Option<(RawShow, RawStore)>,
    ) -> Result {
        self.attributes = KVec::with_capacity(attributes.len(), GFP_KERNEL)?;
        self.list = KVec::with_capacity(attributes.len() + 1, GFP_KERNEL)?;

        for (i, attribute) in attributes.iter().enumerate() {
            let (show, store) = calls(i).ok_or(ENOSPC)?;
            // A kernel with lockdep has more in there.
            #[allow(clippy::needless_update)]
            let mut attr = bindings::attribute {
                name: attribute.name.as_char_ptr(),
                mode: attribute.mode(),
                ..Default::default()
            };
            // SAFETY: It is an attribute that nobody uses yet.
            unsafe { bindings::xen_helper_attribute_init(&mut attr) };
            self.attributes.push(
                RawAttribute {
                    attr,
                    show,
                    store,
                    attribute,
                },
                GFP_KERNEL,
            )?;
        }

        for attribute in self.attributes.iter_mut() {
            self.list.push(&raw mut attribute.attr, GFP_KERNEL)?;
        }
        self.list.push(core::ptr::null_mut(), GFP_KERNEL)?;

        // INVARIANT: Both lists are complete, and only `clear` changes them.
        self.group.__bindgen_anon_2.attrs = self.list.as_mut_ptr();
        self.groups[0] = &raw const self.group;
        Ok(())
    }

    /// Frees the C structures. The driver must have been unregistered.
    pub(crate) fn clear(&mut self) {
        // INVARIANT: It is not filled any more.
        *self = Self::new();
    }

    pub(crate) fn as_ptr(&self) -> *mut *const bindings::attribute_group {
        self.groups.as_ptr().cast_mut()
    }
}

impl<Dev, Data> Attribute<Dev, Data> {
    /// Carries out a read of the attribute.
    ///
    /// # Safety
    ///
    /// `buf` must be a page that may be written.
    pub(crate) unsafe fn read(&self, dev: &Dev, data: &Data, buf: *mut c_char) -> isize {
        // SAFETY: By the safety requirements `buf` is a page that may be written, and nobody else
        // uses it during the call.
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
        // SAFETY: By the safety requirements `buf` holds `count` bytes, and nobody changes them
        // during the call.
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
