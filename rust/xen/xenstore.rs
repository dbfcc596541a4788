// SPDX-License-Identifier: GPL-2.0

//! Xenstore: the tree of strings in which domains and their toolstack meet.
//!
//! All of it may sleep.
//!
//! C header: [`include/xen/xenbus.h`](srctree/include/xen/xenbus.h)

use crate::bindings;
use core::{
    marker::PhantomPinned,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    fmt,
    prelude::*,
    str::{
        CStr,
        CString, //
    },
    types::Opaque, //
};

/// Several reads and writes that take place together or not at all.
///
/// A transaction that is dropped is aborted.
pub struct Transaction {
    id: u32,
    open: bool,
}

/// No transaction.
const NIL: u32 = 0;

const fn raw(id: u32) -> bindings::xenbus_transaction {
    bindings::xenbus_transaction { id }
}

impl Transaction {
    /// Begins a transaction.
    pub fn start() -> Result<Self> {
        let mut transaction = raw(NIL);
        // SAFETY: `transaction` may be written.
        to_result(unsafe { bindings::xenbus_transaction_start(&mut transaction) })?;
        Ok(Self {
            id: transaction.id,
            open: true,
        })
    }

    /// Runs `body` in a transaction until nobody interferes.
    ///
    /// # Errors
    ///
    /// What `body` returns, and xenstore's own errors.
    pub fn run(mut body: impl FnMut(&Self) -> Result) -> Result {
        loop {
            let transaction = Self::start()?;
            body(&transaction)?;
            match transaction.commit() {
                Err(err) if err == EAGAIN => continue,
                result => return result,
            }
        }
    }

    /// Makes the changes visible.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if somebody else changed what this transaction has used: begin anew.
    pub fn commit(mut self) -> Result {
        self.open = false;
        // SAFETY: The transaction is open, and is not used again.
        to_result(unsafe { bindings::xenbus_transaction_end(raw(self.id), false) })
    }

    /// As [`exists()`], as part of the transaction.
    pub fn exists(&self, dir: &CStr, node: &CStr) -> bool {
        exists_in(self.id, dir, node)
    }

    /// As [`write()`], as part of the transaction.
    pub fn write(&self, dir: &CStr, node: &CStr, value: fmt::Arguments<'_>) -> Result {
        write_in(self.id, dir, node, value)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.open {
            // SAFETY: The transaction is open, and is not used again.
            unsafe { bindings::xenbus_transaction_end(raw(self.id), true) };
        }
    }
}

fn write_in(transaction: u32, dir: &CStr, node: &CStr, value: fmt::Arguments<'_>) -> Result {
    let value = CString::try_from_fmt(value)?;
    // SAFETY: All strings are valid for the call.
    to_result(unsafe {
        bindings::xenbus_write(
            raw(transaction),
            dir.as_char_ptr(),
            node.as_char_ptr(),
            value.as_char_ptr(),
        )
    })
}

/// Writes `dir/node`.
pub fn write(dir: &CStr, node: &CStr, value: fmt::Arguments<'_>) -> Result {
    write_in(NIL, dir, node, value)
}

/// The value of a node, freed when dropped.
pub struct Value {
    text: NonNull<u8>,
    len: usize,
}

impl Value {
    /// The value as text.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is not UTF-8.
    pub fn as_str(&self) -> Result<&str> {
        // SAFETY: `xenbus_read` returned `len` bytes at `text`, and `self` owns them.
        let bytes = unsafe { core::slice::from_raw_parts(self.text.as_ptr(), self.len) };
        core::str::from_utf8(bytes).map_err(|_| EINVAL)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: `text` came from `xenbus_read`, which allocates with `kmalloc`.
        unsafe { bindings::kfree(self.text.as_ptr().cast()) };
    }
}

/// Reads `dir/node`.
///
/// # Errors
///
/// `ENOENT` if there is no such node.
pub fn read(dir: &CStr, node: &CStr) -> Result<Value> {
    let mut len = 0;
    // SAFETY: All strings are valid for the call, and `len` may be written.
    let text = from_err_ptr(unsafe {
        bindings::xenbus_read(raw(NIL), dir.as_char_ptr(), node.as_char_ptr(), &mut len)
    })?;
    Ok(Value {
        text: NonNull::new(text.cast()).ok_or(ENOMEM)?,
        len: len as usize,
    })
}

/// Reads `dir/node` as a number.
///
/// # Errors
///
/// `ENOENT` if there is no such node, `EINVAL` if it holds no number that fits.
pub fn read_number<T: core::str::FromStr>(dir: &CStr, node: &CStr) -> Result<T> {
    read(dir, node)?
        .as_str()?
        .trim()
        .parse()
        .map_err(|_| EINVAL)
}

fn exists_in(transaction: u32, dir: &CStr, node: &CStr) -> bool {
    // SAFETY: All strings are valid for the call.
    unsafe { bindings::xenbus_exists(raw(transaction), dir.as_char_ptr(), node.as_char_ptr()) != 0 }
}

/// Whether there is a node `dir/node`.
pub fn exists(dir: &CStr, node: &CStr) -> bool {
    exists_in(NIL, dir, node)
}

/// Writes `dir/node` if there is a `dir`: whoever has removed it does not find it made anew.
pub fn write_below(dir: &CStr, node: &CStr, value: fmt::Arguments<'_>) -> Result {
    Transaction::run(|transaction| {
        if transaction.exists(dir, c"") {
            transaction.write(dir, node, value)
        } else {
            Ok(())
        }
    })
}

/// Is told of changes below a node.
pub trait Watcher: Send + Sync {
    /// Something at or below the watched node has changed, or the watch has just been set.
    ///
    /// Runs in the one thread that serves all watches: never wait for another domain here.
    fn changed(&self);
}

/// A watch on a node, removed when dropped.
///
/// # Invariants
///
/// `watch` is registered, with a callback that finds `self` around it.
#[pin_data(PinnedDrop)]
pub struct Watch<T: Watcher> {
    #[pin]
    watch: Opaque<bindings::xenbus_watch>,
    node: CString,
    watcher: T,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A watch may be removed from any thread, and `T` may be dropped in any.
unsafe impl<T: Watcher> Send for Watch<T> {}

// SAFETY: Nothing of the C structure is accessible by reference.
unsafe impl<T: Watcher> Sync for Watch<T> {}

impl<T: Watcher> Watch<T> {
    /// Watches `node`; the first call comes at once.
    pub fn new(node: fmt::Arguments<'_>, watcher: T) -> impl PinInit<Self, Error> + use<'_, T> {
        try_pin_init!(&this in Self {
            watch: Opaque::new(bindings::xenbus_watch {
                callback: Some(Self::callback),
                ..Default::default()
            }),
            node: CString::try_from_fmt(node)?,
            watcher,
            _pin: PhantomPinned,
            _: {
                // SAFETY: All fields are initialised and stay where they are; the memory stays
                // valid until `drop`, which unregisters the watch.
                to_result(unsafe {
                    let this = this.as_ptr();
                    let watch = Opaque::cast_into(&raw const (*this).watch);
                    (*watch).node = (*this).node.as_char_ptr();
                    bindings::register_xenbus_watch(watch)
                })?;
            },
        })
    }

    /// # Safety
    ///
    /// Only for the watch in a `Self`.
    unsafe extern "C" fn callback(
        watch: *mut bindings::xenbus_watch,
        _path: *const c_char,
        _token: *const c_char,
    ) {
        // SAFETY: By the type invariants `watch` is the first field of a pinned `Self` that lives
        // until the watch is unregistered, which waits for running callbacks.
        let this = unsafe { &*kernel::container_of!(Opaque::cast_from(watch), Self, watch) };
        this.watcher.changed();
    }
}

#[pinned_drop]
impl<T: Watcher> PinnedDrop for Watch<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the watch is registered.
        unsafe { bindings::unregister_xenbus_watch(self.watch.get()) };
    }
}
