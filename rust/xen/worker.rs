// SPDX-License-Identifier: GPL-2.0

//! A kernel thread that does one thing whenever it is wanted.
//!
//! For what must also be done when there is no memory: a workqueue of the kernel's might have to
//! make a thread first.
//!
//! C header: [`include/linux/kthread.h`](srctree/include/linux/kthread.h)

use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    prelude::*,
    types::Opaque, //
};

/// Does something. [`Worker`] has an example of its use.
///
/// Who borrows is refused: somebody may forget a worker, which calls it when what it borrows is gone.
///
/// ```compile_fail,E0478
/// use xen::worker::Work;
///
/// struct Borrows<'a>(&'a u32);
///
/// impl Work for Borrows<'_> {
///     fn work(&self) -> Option<u64> {
///         None
///     }
/// }
/// ```
pub trait Work: Send + Sync + 'static {
    /// Somebody wants it done, or it wants so itself. May sleep. Returns in how many ns it is to be
    /// called again even if nobody wants that.
    fn work(&self) -> Option<u64>;
}

/// A kernel thread that does a `T`'s work, until it is dropped: not by the `T`, for that waits for
/// the thread.
///
/// # Invariants
///
/// `thread` runs [`Self::run`] on `shared`, until it is stopped.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::atomic::{Atomic, Relaxed}};
/// use xen::worker::{Work, Worker};
///
/// /// Counts to three, a second apart, whenever it is wanted.
/// struct Counter(Atomic<u32>);
///
/// impl Work for Counter {
///     fn work(&self) -> Option<u64> {
///         self.0.add(1, Relaxed);
///         (self.0.load(Relaxed) % 3 != 0).then_some(1_000_000_000)
///     }
/// }
///
/// fn begin() -> Result<Worker<Counter>> {
///     let worker = Worker::new(c"my-driver-counter", Counter(Atomic::new(0)))?;
///     worker.want();
///     Ok(worker)
/// }
/// ```
pub struct Worker<T: Work> {
    thread: NonNull<bindings::task_struct>,
    shared: KBox<Shared<T>>,
}

/// What the thread and those who want something of it share.
struct Shared<T> {
    /// Not 0 if somebody wants it done. C's, which accesses it as a whole.
    wanted: Opaque<u32>,
    target: T,
}

// SAFETY: A kernel thread may be woken and stopped by any other, and what is in the box may be
// dropped in any.
unsafe impl<T: Work> Send for Worker<T> {}

// SAFETY: By a reference the thread is woken, which may be done at once, and `T` used, which is
// `Sync`.
unsafe impl<T: Work> Sync for Worker<T> {}

impl<T: Work> Worker<T> {
    /// Starts the thread. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINTR`, if the caller is killed meanwhile.
    pub fn new(name: &'static CStr, target: T) -> Result<Self> {
        let wanted = Opaque::new(0);
        let shared = KBox::new(Shared { wanted, target }, GFP_KERNEL)?;
        let data = core::ptr::from_ref(&*shared).cast_mut().cast();
        // SAFETY: `run` takes a pointer to a `Shared<T>`, and what is in the box stays where it is
        // until the thread has been stopped, in `drop`. The name is a C string, and is copied.
        let thread = from_err_ptr(unsafe {
            bindings::xen_helper_run_thread(Some(Self::run), data, name.as_char_ptr())
        })?;
        // INVARIANT: The thread runs, and is stopped in `drop` only.
        Ok(Self {
            thread: NonNull::new(thread).ok_or(ENOMEM)?,
            shared,
        })
    }

    /// Has the work done soon, once more if it is being done. In any context.
    pub fn want(&self) {
        // SAFETY: By the type invariants the thread is there, and the number is its.
        unsafe {
            bindings::xen_helper_want_work(self.thread.as_ptr(), self.shared.wanted.get());
        }
    }

    /// What does the work.
    pub fn target(&self) -> &T {
        &self.shared.target
    }

    /// # Safety
    ///
    /// `data` must point to a `Shared<T>` that outlives the thread this is called in.
    unsafe extern "C" fn run(data: *mut c_void) -> c_int {
        // SAFETY: By the safety requirements `data` points there as long as this thread is, and is
        // shared: `T` is `Sync`, and the number is C's.
        let shared = unsafe { &*data.cast::<Shared<T>>() };
        let mut again = None;
        // SAFETY: This is a kernel thread that holds no lock, and the number is shared with `want`
        // alone.
        while unsafe {
            bindings::xen_helper_wait_for_work(shared.wanted.get(), again.unwrap_or(u64::MAX))
        } {
            again = shared.target.work();
        }
        0
    }
}

impl<T: Work> Drop for Worker<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the thread runs, and this stops it for the first time. It
        // waits for `run`, which uses the box.
        unsafe { bindings::kthread_stop(self.thread.as_ptr()) };
    }
}
