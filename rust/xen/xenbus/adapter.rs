// SPDX-License-Identifier: GPL-2.0

//! What stands between the C bus and a [`Driver`].

use super::{
    device::Device,
    driver::{
        Driver,
        Fate, //
    },
    register::register,
    state::XenbusState,
    unbinding,
    unregister::{
        unregister,
        Reserved, //
    }, //
};
use crate::{
    attribute::{
        Groups,
        RawAttribute,
        RawShow,
        RawStore, //
    },
    bindings,
    series::BoundInternal, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    pin::Pin,
    ptr::addr_of_mut, //
};
use kernel::{
    device,
    driver,
    error::from_result,
    prelude::*,
    types::Opaque,
    ThisModule, //
};

type DeviceGroups<T> = Groups<Device<device::Bound>, <T as Driver>::Data>;
type DeviceAttribute<T> = RawAttribute<Device<device::Bound>, <T as Driver>::Data>;
type DriverGroups<T> = Groups<(), <T as Driver>::Context>;

/// The C driver structure, and what has to live as long: what a registration keeps. The macro
/// [`module_xenbus_driver!`](crate::module_xenbus_driver) has an example of its use.
///
/// # Invariants
///
/// From a successful [`driver::RegistrationOps::register`] on, and until `unregister`, `context`
/// is a pointer from [`KBox::into_raw`], and something is `reserved`.
#[repr(C)]
pub struct RawDriver<T: Driver> {
    driver: bindings::xenbus_driver,
    unbinding: bindings::notifier_block,
    context: *mut T::Context,
    reserved: Option<Reserved>,
    device_groups: DeviceGroups<T>,
    driver_groups: DriverGroups<T>,
}

impl<T: Driver> Default for RawDriver<T> {
    fn default() -> Self {
        // INVARIANT: It is not registered yet.
        Self {
            driver: Default::default(),
            unbinding: Default::default(),
            context: core::ptr::null_mut(),
            reserved: None,
            device_groups: Groups::new(),
            driver_groups: Groups::new(),
        }
    }
}

/// Translates between the C bus and a [`Driver`]: the macro
/// [`module_xenbus_driver!`](crate::module_xenbus_driver) has an example of its use.
///
/// To drop a registration waits for the thread that serves all of xenbus: not to be done in there.
pub struct Adapter<T: Driver>(PhantomData<T>);

// SAFETY: `RawDriver` is `repr(C)` and begins with the `xenbus_driver`, which embeds a `struct
// device_driver` at the given offset. `T::Data` is what `probe_callback` stores.
unsafe impl<T: Driver> driver::DriverLayout for Adapter<T> {
    type DriverType = RawDriver<T>;
    type DriverData<'bound> = T::Data;
    const DEVICE_DRIVER_OFFSET: usize =
        offset_of!(RawDriver<T>, driver) + offset_of!(bindings::xenbus_driver, driver);
}

// SAFETY: `unregister` undoes what a successful `register` did, and one that fails undoes it
// itself.
unsafe impl<T: Driver> driver::RegistrationOps for Adapter<T> {
    unsafe fn register(
        reg: &Opaque<Self::DriverType>,
        name: &'static CStr,
        _module: &'static ThisModule,
    ) -> Result {
        let context = KBox::new(T::context()?, GFP_KERNEL)?;
        // SAFETY: `reg` is initialised, and nobody else knows of it yet.
        let raw = unsafe { &mut *reg.get() };
        // INVARIANT: The context is there until `release`: if this fails, or in `unregister`.
        raw.context = KBox::into_raw(context);

        let result = Self::fill(raw, name).and_then(|()| {
            // SAFETY: The driver is complete: its name, its ids and its callbacks live as long as
            // the module, and its attributes and itself stay pinned until `unregister`, where the
            // bus forgets the block that is beside it, too. A module is loaded in a process that
            // holds no device's lock.
            unsafe { register(&mut raw.driver, T::HALF, T::ID_TABLE, &mut raw.unbinding) }
        });
        match result {
            Ok(reserved) => {
                // SAFETY: Nobody else looks at that before `unregister`.
                unsafe { (*reg.get()).reserved = Some(reserved) };
                Ok(())
            }
            Err(err) => {
                // SAFETY: `reg` has a context, and is not registered.
                unsafe { Self::release(reg) };
                Err(err)
            }
        }
    }

    unsafe fn unregister(reg: &Opaque<Self::DriverType>) {
        // SAFETY: By the safety requirements `reg` is registered, and by the type invariants has a
        // context then.
        T::leave(unsafe { &*(*reg.get()).context });

        // SAFETY: By the safety requirements `reg` is registered, and nobody else looks at that.
        if let Some(reserved) = unsafe { (*reg.get()).reserved.take() } {
            // SAFETY: By the safety requirements `reg` is registered. A registration belongs to its
            // module, which is unloaded, or fails to load, in a process that holds no device's lock.
            unsafe { unregister(addr_of_mut!((*reg.get()).driver), reserved) };
            // SAFETY: The driver was registered with that block.
            unsafe {
                unbinding::forget(
                    addr_of_mut!((*reg.get()).driver),
                    addr_of_mut!((*reg.get()).unbinding),
                );
            }
        }

        // SAFETY: The driver core holds no reference to an unregistered driver, and its context is
        // there still.
        unsafe { Self::release(reg) };
    }
}

impl<T: Driver> Adapter<T> {
    /// Fills in what the bus reads of a driver.
    fn fill(raw: &mut RawDriver<T>, name: &'static CStr) -> Result {
        const { assert!(T::DRIVER_ATTRIBUTES.len() <= MAX_DRIVER_ATTRIBUTES) };

        raw.device_groups
            .fill(T::ATTRIBUTES, |_| Some(device_calls::<T>()))?;
        raw.driver_groups
            .fill(T::DRIVER_ATTRIBUTES, driver_calls_of::<T>)?;

        raw.unbinding.notifier_call = Some(Self::unbinding_callback);
        let drv = &mut raw.driver;
        drv.name = name.as_char_ptr();
        // A kernel that has the driver built in boots on half a minute after its devices should
        // have connected, rather than five.
        drv.not_essential = true;
        // Nobody unbinds a device by hand: that would take the device's lock, and then wait for
        // xenbus's thread, which may wait for the lock.
        drv.driver.suppress_bind_attrs = true;
        drv.probe = Some(Self::probe_callback);
        drv.otherend_changed = Some(Self::otherend_changed_callback);
        drv.resume = Some(Self::resume_callback);
        drv.remove = Some(Self::remove_callback);
        drv.driver.dev_groups = raw.device_groups.as_ptr();
        drv.driver.groups = raw.driver_groups.as_ptr();
        Ok(())
    }

    /// Frees what `register` made.
    ///
    /// # Safety
    ///
    /// `reg` must have a context, and must not be registered.
    unsafe fn release(reg: &Opaque<RawDriver<T>>) {
        // SAFETY: `reg` is not registered, so that the bus does not use it, and its one owner is in
        // here.
        let raw = unsafe { &mut *reg.get() };

        raw.device_groups.clear();
        raw.driver_groups.clear();

        // SAFETY: `reg` has a context, which by the type invariants came from `KBox::into_raw`, and
        // is not used again: no callback runs.
        drop(unsafe { KBox::from_raw(raw.context) });
        // INVARIANT: It is not registered any more.
        raw.context = core::ptr::null_mut();
    }

    /// # Safety
    ///
    /// `dev` must point to a device of this driver, for all of `'a`.
    unsafe fn context<'a>(dev: *mut bindings::xenbus_device) -> &'a T::Context {
        // SAFETY: By the safety requirements the device is valid and has this driver.
        let drv = unsafe { (*dev).dev.driver };
        // SAFETY: A driver that has devices is registered, and this one in a `RawDriver<T>`.
        unsafe { driver_context::<T>(drv) }
    }

    extern "C" fn probe_callback(
        dev: *mut bindings::xenbus_device,
        _id: *const bindings::xenbus_device_id,
    ) -> c_int {
        // SAFETY: The bus calls with a valid device, which has this driver from before it is
        // probed.
        let context = unsafe { Self::context(dev) };
        // INVARIANT (of `Device`): The bus has made the device, and calls with a valid one.
        //
        // SAFETY: The device is valid for the call, and the device core holds its lock while it
        // probes, which is what the context stands for.
        let dev = unsafe { &*dev.cast::<Device<device::CoreInternal<'_>>>() };

        from_result(|| {
            dev.as_ref().set_drvdata(T::probe(dev, context))?;
            Ok(0)
        })
    }

    extern "C" fn otherend_changed_callback(
        dev: *mut bindings::xenbus_device,
        state: bindings::xenbus_state,
    ) {
        // SAFETY: The bus calls with a valid device, and only while this driver is bound to it: the
        // watch is registered after `probe` and unregistered, with a barrier, before `remove`.
        let context = unsafe { Self::context(dev) };
        // INVARIANT (of `Device`): The bus has made the device, and calls with a valid one.
        //
        // SAFETY: The device is valid for the call, and bound, as shown above.
        let bound = unsafe { &*dev.cast::<Device<BoundInternal>>() };
        // SAFETY: The device was probed and not removed yet, so `probe_callback` has set the data,
        // which has that type, and nobody has taken it.
        let data = unsafe { bound.as_ref().drvdata_borrow::<T::Data>() };

        if T::otherend_changed(bound, context, data, XenbusState::from_raw(state))
            == Fate::Unregister
        {
            // SAFETY: The device is valid, and registered, for the bus unregisters devices in this
            // same thread only. No borrow of its data lives on.
            unsafe { bindings::device_unregister(addr_of_mut!((*dev).dev)) };
        }
    }

    extern "C" fn resume_callback(dev: *mut bindings::xenbus_device) -> c_int {
        // INVARIANT (of `Device`): The bus has made the device, and calls with a valid one.
        //
        // SAFETY: The bus resumes valid devices, and those with a driver only. Whoever resumes one
        // (`device_resume`) holds the device's lock, without which no driver is unbound. The one
        // exception is C's: in the domain that xenstored runs in, front-ends are resumed by a work
        // item that takes no lock, when that domain has been asleep.
        let bound = unsafe { &*dev.cast::<Device<BoundInternal>>() };
        // SAFETY: The device is bound, so `probe_callback` has set the data, which has that type.
        let data = unsafe { bound.as_ref().drvdata_borrow::<T::Data>() };

        from_result(|| T::resume(bound, data).map(|()| 0))
    }

    /// # Safety
    ///
    /// Only for the block in a registered `RawDriver<T>`, for an event of a device of its bus.
    unsafe extern "C" fn unbinding_callback(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        dev: *mut c_void,
    ) -> c_int {
        let dev = dev.cast::<bindings::device>();
        // SAFETY: By the safety requirements the block is in such a `RawDriver`, and the device is
        // valid, and locked if it is about to be unbound, so that its driver does not change.
        let (raw, is_ours) = unsafe {
            let raw = kernel::container_of!(block, RawDriver<T>, unbinding);
            let ours = addr_of_mut!((*raw).driver.driver);
            (raw, unbinding::is_unbinding(event) && (*dev).driver == ours)
        };
        if is_ours {
            // SAFETY: All devices of that bus are embedded in a `xenbus_device`.
            let dev = unsafe { kernel::container_of!(dev, bindings::xenbus_device, dev) };
            // INVARIANT (of `Device`): Only the bus makes a `xenbus_device`, and this is a valid one.
            //
            // SAFETY: The device is valid for the call, and the device core holds its lock while it
            // unbinds, which is what the context stands for.
            let dev = unsafe { &*dev.cast::<Device<device::CoreInternal<'_>>>() };
            // SAFETY: The driver is about to be unbound, and so has been bound: `probe_callback` has
            // set the data, which has that type; the device core takes it after this.
            let data = unsafe { dev.as_ref().drvdata_borrow::<T::Data>() };
            // SAFETY: By the type invariants the context is valid while the driver is registered.
            T::unbinding(dev, unsafe { &*(*raw).context }, data);
        }
        bindings::NOTIFY_OK as c_int
    }

    extern "C" fn remove_callback(dev: *mut bindings::xenbus_device) {
        // SAFETY: The bus removes valid devices only, from the driver that has probed them.
        let context = unsafe { Self::context(dev) };
        // INVARIANT (of `Device`): The bus has made the device, and calls with a valid one.
        //
        // SAFETY: The device is valid for the call, and the device core holds its lock while it
        // removes, which is what the context stands for.
        let dev = unsafe { &*dev.cast::<Device<device::CoreInternal<'_>>>() };
        // SAFETY: `probe_callback` succeeded and has set the data, which has that type; the device
        // core takes it after this.
        let data = unsafe { dev.as_ref().drvdata_borrow::<T::Data>() };

        T::unbind(dev, context, data);
    }
}

/// # Safety
///
/// Only for sysfs, for an attribute of a device of `T`.
unsafe extern "C" fn device_show<T: Driver>(
    dev: *mut bindings::device,
    attr: *mut bindings::device_attribute,
    buf: *mut c_char,
) -> isize {
    // SAFETY: sysfs calls for bound devices of this driver only: the group is removed, with a
    // barrier, before the driver is unbound.
    let (dev, data) = unsafe { bound_device::<T>(dev) };
    // SAFETY: `attr` is in the one group of a device of `T`: that of its filled `device_groups`.
    let attribute = unsafe { DeviceAttribute::<T>::attribute(attr) };
    // SAFETY: sysfs calls with a page for the text.
    unsafe { attribute.read(dev, &data, buf) }
}

/// # Safety
///
/// Only for sysfs, for an attribute of a device of `T`.
unsafe extern "C" fn device_store<T: Driver>(
    dev: *mut bindings::device,
    attr: *mut bindings::device_attribute,
    buf: *const c_char,
    count: usize,
) -> isize {
    // SAFETY: The device is bound for the call, as in `device_show`.
    let (dev, data) = unsafe { bound_device::<T>(dev) };
    // SAFETY: `attr` is in the filled `device_groups`, as in `device_show`.
    let attribute = unsafe { DeviceAttribute::<T>::attribute(attr) };
    // SAFETY: sysfs calls with `count` bytes at `buf`.
    unsafe { attribute.write(dev, &data, buf, count) }
}

/// # Safety
///
/// `dev` must be embedded in a xenbus device bound to `T`, for all of `'a`.
unsafe fn bound_device<'a, T: Driver>(
    dev: *mut bindings::device,
) -> (&'a Device<device::Bound>, Pin<&'a T::Data>) {
    // SAFETY: By the safety requirements `dev` is embedded in a `xenbus_device`.
    let dev = unsafe { kernel::container_of!(dev, bindings::xenbus_device, dev) };
    // INVARIANT (of `Device`): Only the bus makes a `xenbus_device`, and this is a valid one.
    //
    // SAFETY: By the safety requirements it is valid, and bound, for all of `'a`.
    let dev = unsafe { &*dev.cast::<Device<BoundInternal>>() };
    // SAFETY: By the safety requirements it is bound to `T`, so `probe_callback` has set the data,
    // which has that type and is not taken as long as the device is bound.
    let data = unsafe { dev.as_ref().drvdata_borrow::<T::Data>() };
    (dev, data)
}

// An attribute of a driver is not told which one it is, so each has functions of its own.

/// # Safety
///
/// Only for sysfs, for attribute `I` of the driver `T`.
unsafe extern "C" fn driver_show<T: Driver, const I: usize>(
    drv: *mut bindings::device_driver,
    buf: *mut c_char,
) -> isize {
    // SAFETY: `drv` is the one embedded in a `RawDriver<T>`, and registered for the call: the group
    // is removed, with a barrier, when it is unregistered.
    let context = unsafe { driver_context::<T>(drv) };
    match T::DRIVER_ATTRIBUTES.get(I) {
        // SAFETY: sysfs calls with a page for the text.
        Some(attribute) => unsafe { attribute.read(&(), context, buf) },
        None => EIO.to_errno() as isize,
    }
}

/// # Safety
///
/// Only for sysfs, for attribute `I` of the driver `T`.
unsafe extern "C" fn driver_store<T: Driver, const I: usize>(
    drv: *mut bindings::device_driver,
    buf: *const c_char,
    count: usize,
) -> isize {
    // SAFETY: `drv` is registered for the call, and in a `RawDriver<T>`, as in `driver_show`.
    let context = unsafe { driver_context::<T>(drv) };
    match T::DRIVER_ATTRIBUTES.get(I) {
        // SAFETY: sysfs calls with `count` bytes at `buf`.
        Some(attribute) => unsafe { attribute.write(&(), context, buf, count) },
        None => EIO.to_errno() as isize,
    }
}

/// The functions of a device's attributes: the same for all.
fn device_calls<T: Driver>() -> (RawShow, RawStore) {
    type Show = unsafe extern "C" fn(
        *mut bindings::device,
        *mut bindings::device_attribute,
        *mut c_char,
    ) -> isize;
    type Store = unsafe extern "C" fn(
        *mut bindings::device,
        *mut bindings::device_attribute,
        *const c_char,
        usize,
    ) -> isize;
    // SAFETY: Pointers to functions are alike, whatever their type, and nobody calls them by the
    // type they get: the driver core does so by the one they have, that of a `device_attribute`.
    unsafe {
        (
            core::mem::transmute::<Show, RawShow>(device_show::<T>),
            core::mem::transmute::<Store, RawStore>(device_store::<T>),
        )
    }
}

/// The functions of a driver's attribute `I`.
fn driver_calls<T: Driver, const I: usize>() -> (RawShow, RawStore) {
    type Show = unsafe extern "C" fn(*mut bindings::device_driver, *mut c_char) -> isize;
    type Store = unsafe extern "C" fn(*mut bindings::device_driver, *const c_char, usize) -> isize;
    // SAFETY: As in `device_calls`: the driver core calls them by the type they have, that of a
    // `driver_attribute`.
    unsafe {
        (
            core::mem::transmute::<Show, RawShow>(driver_show::<T, I>),
            core::mem::transmute::<Store, RawStore>(driver_store::<T, I>),
        )
    }
}

/// For how many attributes of a driver there are functions.
const MAX_DRIVER_ATTRIBUTES: usize = 8;

/// As [`driver_calls`], for an index known at run time.
fn driver_calls_of<T: Driver>(i: usize) -> Option<(RawShow, RawStore)> {
    let calls: [fn() -> (RawShow, RawStore); MAX_DRIVER_ATTRIBUTES] = [
        driver_calls::<T, 0>,
        driver_calls::<T, 1>,
        driver_calls::<T, 2>,
        driver_calls::<T, 3>,
        driver_calls::<T, 4>,
        driver_calls::<T, 5>,
        driver_calls::<T, 6>,
        driver_calls::<T, 7>,
    ];
    calls.get(i).map(|call| call())
}

/// # Safety
///
/// `drv` must be embedded in a registered `RawDriver<T>`, for all of `'a`.
unsafe fn driver_context<'a, T: Driver>(drv: *mut bindings::device_driver) -> &'a T::Context {
    // SAFETY: By the safety requirements `drv` lies at that offset in a `RawDriver<T>`.
    let raw = unsafe {
        drv.byte_sub(<Adapter<T> as driver::DriverLayout>::DEVICE_DRIVER_OFFSET)
            .cast::<RawDriver<T>>()
    };
    // SAFETY: By the type invariants the context is valid while the driver is registered, which by
    // the safety requirements it is for all of `'a`.
    unsafe { &*(*raw).context }
}
