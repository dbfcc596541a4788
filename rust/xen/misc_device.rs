// SPDX-License-Identifier: GPL-2.0

//! A device in `/dev` for programs, each open file of which is somebody of its own.
//!
//! The `kernel` crate's has no `poll`, and differs between the series. Commands are those of
//! `_IOWR()` and its like: what they carry is a structure of 64-bit words, copied in once, and
//! copied out again.
//!
//! C header: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h)

use crate::bindings;
use core::{
    marker::{
        PhantomData,
        PhantomPinned, //
    },
    mem::size_of, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    fs::File,
    prelude::*,
    sync::{
        poll::{
            PollCondVar,
            PollTable, //
        },
        Arc, //
    },
    types::Opaque,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// What [`OpenFile::poll`] returns if there is something urgent.
pub use kernel::bindings::POLLPRI;

/// The most words that a command may carry.
pub const MOST_WORDS: usize = 8;

/// Opens files of a [`MiscDevice`], which has an example of its use.
pub trait Opener: Send + Sync + 'static {
    /// What is behind an open file.
    type File: OpenFile;

    /// A program opens the device. May sleep.
    ///
    /// # Errors
    ///
    /// What `open` is to fail with.
    fn open(&self) -> Result<Pin<KBox<Self::File>>>;
}

/// What is behind an open file, dropped when the last process that has it has closed it: in whatever
/// context that process ends, which may sleep. [`MiscDevice`] has an example of its use.
pub trait OpenFile: Send + Sync + 'static {
    /// The commands that there are. Any other is refused with `ENOTTY`.
    const COMMANDS: &'static [u32];

    /// A program gives a command. `words` are what it carries: what is left in them comes back, if
    /// the command is one that reads. Processes and threads may be in here at once. May sleep.
    ///
    /// # Errors
    ///
    /// What `ioctl` is to fail with. Nothing comes back then.
    fn command(&self, command: u32, words: &mut [u64]) -> Result;

    /// What a program may wait for (`POLLIN`, ...) has come to pass, of what is said here. Before it
    /// looks, it lets `waiter` listen to what tells when that changes.
    fn poll(&self, waiter: &Waiter<'_>) -> u32;
}

/// Somebody who waits for what [`OpenFile::poll`] tells. [`MiscDevice`] has an example of its use.
pub struct Waiter<'a> {
    file: &'a File,
    table: PollTable<'a>,
}

impl Waiter<'_> {
    /// Is to be woken when `changed` is notified.
    pub fn listen(&self, changed: &PollCondVar) {
        self.table.register_wait(self.file, changed);
    }
}

/// A device `/dev/NAME` for root, gone when dropped. Files that are open then stay open, and keep the
/// module from being unloaded.
///
/// # Invariants
///
/// `device` is registered, with operations that find `self` around it when a file is opened.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::{atomic::{Atomic, Relaxed}, Arc}};
/// use xen::misc_device::{MiscDevice, OpenFile, Opener, Waiter};
///
/// /// `_IOR('x', 1, __u64)`.
/// const NEXT: u32 = 0x8008_7801;
///
/// /// Each who opens it may count.
/// struct Counters;
///
/// struct Counter(Atomic<u64>);
///
/// impl Opener for Counters {
///     type File = Counter;
///
///     fn open(&self) -> Result<Pin<KBox<Counter>>> {
///         Ok(KBox::pin(Counter(Atomic::new(0)), GFP_KERNEL)?)
///     }
/// }
///
/// impl OpenFile for Counter {
///     const COMMANDS: &'static [u32] = &[NEXT];
///
///     fn command(&self, _command: u32, words: &mut [u64]) -> Result {
///         if let [next] = words {
///             *next = self.0.fetch_add(1, Relaxed);
///         }
///         Ok(())
///     }
///
///     fn poll(&self, _waiter: &Waiter<'_>) -> u32 {
///         0
///     }
/// }
///
/// fn begin() -> Result<Pin<KBox<MiscDevice<Counters>>>> {
///     let counters = Arc::new(Counters, GFP_KERNEL)?;
///     KBox::pin_init(MiscDevice::new(c"my-counters", counters), GFP_KERNEL)
/// }
/// ```
#[pin_data(PinnedDrop)]
pub struct MiscDevice<T: Opener> {
    #[pin]
    device: Opaque<bindings::miscdevice>,
    opener: Arc<T>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A device may be deregistered by any thread, and `T` may be dropped in any.
unsafe impl<T: Opener> Send for MiscDevice<T> {}

// SAFETY: A reference is good for nothing.
unsafe impl<T: Opener> Sync for MiscDevice<T> {}

impl<T: Opener> MiscDevice<T> {
    /// Makes `/dev/NAME`, which root may open. May sleep.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is one of that name, `ENOMEM`, `EBUSY` if there are too many devices.
    pub fn new(name: &'static CStr, opener: Arc<T>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            opener,
            // INVARIANT: If this fails there is no `Self`.
            device <- Opaque::try_ffi_init(move |device: *mut bindings::miscdevice| {
                let filled = bindings::miscdevice {
                    minor: bindings::MISC_DYNAMIC_MINOR as c_int,
                    name: name.as_char_ptr(),
                    fops: Operations::<T>::ALL,
                    mode: 0o600,
                    ..pin_init::zeroed()
                };
                // SAFETY: `device` is valid for writes, and nobody else knows of it yet.
                unsafe { device.write(filled) };
                // SAFETY: The device is complete, and its name and operations are there for ever. It
                // is pinned, and deregistered before it goes. Who opens it finds the opener, which has
                // been initialised.
                to_result(unsafe { bindings::misc_register(device) })
            }),
            _pin: PhantomPinned,
        })
    }
}

#[pinned_drop]
impl<T: Opener> PinnedDrop for MiscDevice<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the device is registered. Who is opening it has opened it
        // when this returns, for both hold the lock of all such devices, and files that are open do
        // not look at it any more.
        unsafe { bindings::misc_deregister(self.device.get()) };
    }
}

extern "C" {
    /// The module that this is linked into, a `struct module`: it is not looked at here.
    static __this_module: u8;
}

/// What the kernel calls for files of a `MiscDevice<T>`.
struct Operations<T>(PhantomData<T>);

impl<T: Opener> Operations<T> {
    const ALL: &'static bindings::file_operations = &bindings::file_operations {
        // An open file keeps the module, which has these.
        owner: (&raw const __this_module).cast_mut().cast(),
        open: Some(Self::open),
        release: Some(Self::release),
        unlocked_ioctl: Some(Self::ioctl),
        #[cfg(CONFIG_COMPAT)]
        compat_ioctl: bindings::compat_ptr_ioctl,
        poll: Some(Self::poll),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Only for `file_operations` of a `MiscDevice<T>`.
    unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The kernel calls with a valid file.
        let private = unsafe { &raw mut (*file).private_data };
        // SAFETY: A file that is being opened has the device here, and nobody else has the file.
        let device = unsafe { private.read() }.cast::<bindings::miscdevice>();
        // SAFETY: By the safety requirements that is in a pinned `MiscDevice<T>`, which is there
        // until it has been deregistered, for which the kernel would wait.
        let this =
            unsafe { &*kernel::container_of!(Opaque::cast_from(device), MiscDevice<T>, device) };
        from_result(|| {
            let opened = this.opener.open()?;
            // SAFETY: The file is nobody else's yet, and what was in there is not looked at again. What
            // is in the box is not moved: it is used by reference, and dropped in place.
            unsafe { private.write(KBox::into_raw(Pin::into_inner_unchecked(opened)).cast()) };
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `file` must have been opened by [`Self::open`], and not been released.
    unsafe fn opened<'a>(file: *mut bindings::file) -> &'a T::File {
        // SAFETY: By the safety requirements the file has a box of ours there until it is released,
        // for which whoever is at it is waited for.
        unsafe { &*(*file).private_data.cast::<T::File>() }
    }

    /// # Safety
    ///
    /// Only for `file_operations` of a `MiscDevice<T>`.
    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The kernel calls with a file that was opened, once, when nobody is at it.
        drop(unsafe { KBox::from_raw((*file).private_data.cast::<T::File>()) });
        0
    }

    /// # Safety
    ///
    /// Only for `file_operations` of a `MiscDevice<T>`.
    unsafe extern "C" fn ioctl(
        file: *mut bindings::file,
        command: c_uint,
        argument: c_ulong,
    ) -> c_long {
        // SAFETY: The kernel calls with a file that is open as long as this runs.
        let opened = unsafe { Self::opened(file) };
        from_result(|| obey(opened, command, UserPtr::from_addr(argument)).map(|()| 0))
    }

    /// # Safety
    ///
    /// Only for `file_operations` of a `MiscDevice<T>`.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) -> bindings::__poll_t {
        // SAFETY: The kernel calls with a file that is open as long as this runs.
        let opened = unsafe { Self::opened(file) };
        let waiter = Waiter {
            // SAFETY: Likewise; nobody changes its position without a lock, for it has none.
            file: unsafe { File::from_raw_file(file) },
            // SAFETY: The table is none, or there for the call.
            table: unsafe { PollTable::from_raw(table) },
        };
        opened.poll(&waiter)
    }
}

/// Directions of what a command carries, and how large it is: as `_IOC()` has it.
const fn is_written(command: u32) -> bool {
    command >> 30 & 1 != 0
}

const fn is_read(command: u32) -> bool {
    command >> 31 != 0
}

const fn carries(command: u32) -> usize {
    (command >> 16 & 0x3fff) as usize
}

fn obey<F: OpenFile>(opened: &F, command: u32, user: UserPtr) -> Result {
    let (bytes, word) = (carries(command), size_of::<u64>());
    let mut words = [0; MOST_WORDS];
    let words = words.get_mut(..bytes / word).ok_or(ENOTTY)?;
    if bytes % word != 0 || !F::COMMANDS.contains(&command) {
        return Err(ENOTTY);
    }
    if is_written(command) {
        let mut reader = UserSlice::new(user, bytes).reader();
        for word in words.iter_mut() {
            *word = reader.read()?;
        }
    }
    opened.command(command, words)?;
    if is_read(command) {
        let mut writer = UserSlice::new(user, bytes).writer();
        for word in words.iter() {
            writer.write(word)?;
        }
    }
    Ok(())
}
