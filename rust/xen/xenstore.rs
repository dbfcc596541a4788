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
    sync::Arc,
    types::Opaque, //
};

/// Several reads and writes that take place together or not at all.
///
/// A transaction that is dropped is aborted. One that is forgotten keeps the domain from being
/// suspended.
///
/// # Invariants
///
/// While `open`, `id` is a transaction that was started and has not been ended.
///
/// # Examples
///
/// ```
/// use kernel::{device::Bound, fmt, prelude::*};
/// use xen::{xenbus::Device, xenstore::Transaction};
///
/// /// Says two things that are worth nothing alone.
/// fn publish(dev: &Device<Bound>, page: u32, port: u32) -> Result {
///     Transaction::run(|transaction| {
///         transaction.write(dev.node(), c"page-ref", fmt!("{page}"))?;
///         transaction.write(dev.node(), c"event-channel", fmt!("{port}"))
///     })
/// }
/// ```
pub struct Transaction {
    id: u32,
    open: bool,
}

/// No transaction.
const NIL: u32 = 0;

/// How often a transaction is run: whoever interferes with each of so many does nothing else.
const TRIES: u32 = 100;

const fn raw(id: u32) -> bindings::xenbus_transaction {
    bindings::xenbus_transaction { id }
}

impl Transaction {
    /// Begins a transaction.
    ///
    /// # Errors
    ///
    /// Xenstore's own.
    pub fn start() -> Result<Self> {
        let mut transaction = raw(NIL);
        // SAFETY: `transaction` is there for the call, and may be written.
        to_result(unsafe { bindings::xenbus_transaction_start(&mut transaction) })?;
        // INVARIANT: It has just been started.
        Ok(Self {
            id: transaction.id,
            open: true,
        })
    }

    /// Runs `body` in a transaction until nobody interferes, or somebody has a hundred times.
    ///
    /// # Errors
    ///
    /// What `body` returns, and xenstore's own errors: `EAGAIN` if somebody interfered each time.
    pub fn run(mut body: impl FnMut(&Self) -> Result) -> Result {
        for _ in 0..TRIES {
            let transaction = Self::start()?;
            body(&transaction)?;
            match transaction.commit() {
                Err(err) if err == EAGAIN => (),
                result => return result,
            }
        }
        pr_warn!("of {TRIES} transactions of xenstore's none came through\n");
        Err(EAGAIN)
    }

    /// Makes the changes visible.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if somebody else changed what this transaction has used: begin anew.
    pub fn commit(mut self) -> Result {
        // INVARIANT: It is ended, whatever comes of it, and `drop` will leave it alone.
        self.open = false;
        // SAFETY: By the type invariants the transaction is open; this ends it, and it is not used
        // again.
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
            // SAFETY: By the type invariants the transaction is open; this ends it, and nobody can
            // use it again.
            unsafe { bindings::xenbus_transaction_end(raw(self.id), true) };
        }
    }
}

fn write_in(transaction: u32, dir: &CStr, node: &CStr, value: fmt::Arguments<'_>) -> Result {
    let value = CString::try_from_fmt(value)?;
    // SAFETY: All are C strings that are there for the call. The transaction is none, or open: its
    // owner is borrowed for the call.
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
///
/// # Errors
///
/// `ENOMEM`, and xenstore's own: `EACCES` if this domain may not write there.
pub fn write(dir: &CStr, node: &CStr, value: fmt::Arguments<'_>) -> Result {
    write_in(NIL, dir, node, value)
}

/// The value of a node, freed when dropped.
///
/// # Invariants
///
/// `text` are `len` bytes from `kmalloc`, owned by this value.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, str::CStr};
/// use xen::xenstore;
///
/// fn is_on(dir: &CStr) -> Result<bool> {
///     match xenstore::read(dir, c"switch")?.as_str()? {
///         "on" => Ok(true),
///         "off" => Ok(false),
///         _ => Err(EINVAL),
///     }
/// }
/// ```
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
        // SAFETY: By the type invariants there are `len` bytes at `text`, and nobody changes them
        // while `self`, which owns them, is borrowed.
        let bytes = unsafe { core::slice::from_raw_parts(self.text.as_ptr(), self.len) };
        core::str::from_utf8(bytes).map_err(|_| EINVAL)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: By the type invariants `text` came from `kmalloc`, and is ours to free.
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
    // SAFETY: Both are C strings that are there for the call, as is `len`, which may be written.
    // The transaction is none.
    let text = from_err_ptr(unsafe {
        bindings::xenbus_read(raw(NIL), dir.as_char_ptr(), node.as_char_ptr(), &mut len)
    })?;
    // INVARIANT: `xenbus_read` has allocated `len` bytes with `kmalloc`, and leaves them to us.
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
    // SAFETY: Both are C strings that are there for the call. The transaction is none, or open: its
    // owner is borrowed for the call.
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

/// Is told of changes below a node. [`Watch`] has an example of its use.
///
/// Who borrows is refused: somebody may forget a watch, which calls it when what it borrows is gone.
///
/// ```compile_fail,E0478
/// use xen::xenstore::Watcher;
///
/// struct Borrows<'a>(&'a u32);
///
/// impl Watcher for Borrows<'_> {
///     fn changed(&self) {}
/// }
/// ```
pub trait Watcher: Send + Sync + 'static {
    /// Something at or below the watched node has changed, or the watch has just been set. One
    /// call may stand for many changes, and comes after the last of them.
    ///
    /// Runs in the one thread that serves all watches: never wait for another domain here. The
    /// watch may be dropped in here.
    fn changed(&self);
}

/// A watch on a node, removed when dropped.
///
/// # Invariants
///
/// `watch` is registered, with a callback that finds `self` around it.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::atomic::{Atomic, Relaxed}};
/// use xen::xenstore::{Watch, Watcher};
///
/// /// Counts how often the toolstack wants another size.
/// struct Target(Atomic<u32>);
///
/// impl Watcher for Target {
///     fn changed(&self) {
///         self.0.add(1, Relaxed);
///     }
/// }
///
/// fn watch() -> Result<Pin<KBox<Watch<Target>>>> {
///     let target = Target(Atomic::new(0));
///     KBox::pin_init(Watch::new(format_args!("memory/target"), target), GFP_KERNEL)
/// }
/// ```
#[pin_data(PinnedDrop)]
pub struct Watch<T: Watcher> {
    #[pin]
    watch: Opaque<bindings::xenbus_watch>,
    node: CString,
    watcher: Arc<T>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A watch may be removed by any thread, and `T` may be dropped in any.
unsafe impl<T: Watcher> Send for Watch<T> {}

// SAFETY: A reference to it is good for nothing: nobody gets at the C structure or at `T` by one.
unsafe impl<T: Watcher> Sync for Watch<T> {}

impl<T: Watcher> Watch<T> {
    /// Watches `node`; the first call comes at once. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and xenstore's own.
    pub fn new(node: fmt::Arguments<'_>, watcher: T) -> impl PinInit<Self, Error> + use<'_, T> {
        try_pin_init!(&this in Self {
            watch: Opaque::new(bindings::xenbus_watch {
                will_handle: Some(Self::will_handle),
                callback: Some(Self::callback),
                ..Default::default()
            }),
            node: CString::try_from_fmt(node)?,
            watcher: Arc::new(watcher, GFP_KERNEL)?,
            _pin: PhantomPinned,
            _: {
                let this = this.as_ptr();
                // SAFETY: The field is initialised, and in `this`.
                let watch = Opaque::cast_into(unsafe { &raw const (*this).watch });
                // SAFETY: Both fields are initialised, and nobody else uses them yet. The node's
                // name is in memory of its own, which `this` owns.
                unsafe { (*watch).node = (*this).node.as_char_ptr() };
                // INVARIANT: If this fails there is no `Self`.
                //
                // SAFETY: The watch is complete, with a callback for that of a `Self`, and it and
                // its node stay valid and in place until `drop`, which unregisters it.
                to_result(unsafe { bindings::register_xenbus_watch(watch) })?;
            },
        })
    }

    /// Whether to queue an event: only if none is queued, for one says as much as many, and whoever
    /// may write below the node decides how many there are.
    ///
    /// An event is no longer pending when `callback` begins, so that what is written afterwards is
    /// heard of.
    ///
    /// # Safety
    ///
    /// Only for a watch that is registered.
    unsafe extern "C" fn will_handle(
        watch: *mut bindings::xenbus_watch,
        _path: *const c_char,
        _token: *const c_char,
    ) -> bool {
        // SAFETY: By the safety requirements the watch is valid. The number is changed meanwhile,
        // as a whole, by the thread that serves watches: it takes an event off, and handles it
        // after that.
        unsafe { (&raw const (*watch).nr_pending).read_volatile() == 0 }
    }

    /// # Safety
    ///
    /// Only for the watch in a pinned `Self`.
    unsafe extern "C" fn callback(
        watch: *mut bindings::xenbus_watch,
        _path: *const c_char,
        _token: *const c_char,
    ) {
        // SAFETY: By the safety requirements `watch` is that of a pinned `Self`.
        let this = unsafe { kernel::container_of!(Opaque::cast_from(watch), Self, watch) };
        // What unregisters the watch waits for this, unless it is done in here: then `this` goes
        // during the call, and the watcher does not.
        //
        // SAFETY: The watch is registered still, so that `this` is there, and all of it is
        // initialised.
        let watcher = unsafe { (*this).watcher.clone() };
        watcher.changed();
    }
}

#[pinned_drop]
impl<T: Watcher> PinnedDrop for Watch<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the watch is registered. After this no callback begins,
        // and one that runs in another thread has ended.
        unsafe { bindings::unregister_xenbus_watch(self.watch.get()) };
    }
}
