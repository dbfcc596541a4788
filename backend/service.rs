// SPDX-License-Identifier: GPL-2.0

//! Xenbus: what belongs to no device. Settings are read when the module comes and written down when it
//! goes, and domains die whose devices are gone already.

use crate::{
    core::Core,
    debugfs::Files,
    link::Control, //
};
use cmm::{
    coordinator::{
        Event,
        Record,
        Settings, //
    },
    DomId, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::Arc, //
};
use xen::{
    domain,
    out_of_tree::{
        domain_control::DomainControl,
        free_memory::FreeMemory, //
    },
    xenstore::{
        self,
        Watch,
        Watcher, //
    }, //
};

/// Under whose scheduler the others run, too, unless somebody has made pools of CPUs.
const DOM0: domain::DomId = domain::DomId(0);

/// Where what belongs to no domain is written down for the next back-end.
const STORE: &CStr = c"cmm";

/// The service, shared by all devices of the driver.
pub(crate) struct Service {
    core: Core,
    _deaths: Pin<KBox<Watch<Deaths>>>,
    _files: Files,
}

/// Notices that domains die whose devices are gone already: what they borrowed is their lenders' still.
struct Deaths {
    core: Core,
}

impl Watcher for Deaths {
    fn changed(&self) {
        let Ok(known) = self.core.views() else {
            pr_warn!("cannot look which domains are gone: no memory\n");
            return;
        };
        for view in &known {
            let dom = view.dom;
            if is_gone(dom) {
                self.core.tell(Event::Died { dom });
            }
        }
    }
}

/// Whether a domain does not exist any more, or will not for long: its toolstack takes its directory away
/// when it has begun to destroy it, which takes until all its pages are unmapped.
pub(crate) fn is_gone(dom: DomId) -> bool {
    let home = CString::try_from_fmt(format_args!("/local/domain/{}", dom.raw()));
    home.is_ok_and(|home| !xenstore::exists(&home, c""))
        || domain::current_pages(domain::DomId(dom.raw())).is_none()
}

/// The settings of an earlier back-end.
fn recorded() -> Option<Settings> {
    let text = xenstore::read(STORE, c"settings").ok()?;
    let settings = text.as_str().ok().and_then(Settings::parse);
    if settings.is_none() {
        pr_warn!("the settings that were written down are nonsense, and ignored\n");
    }
    settings
}

impl Service {
    pub(crate) fn new() -> Result<Arc<Self>> {
        let domains = DomainControl::probe().inspect_err(|_| {
            pr_err!("not loaded: this Xen speaks no version of domctl that is known here\n");
        })?;
        pr_info!("Xen speaks domctl version {:#x}\n", domains.version());

        let settings = recorded().unwrap_or_else(|| Settings {
            boost: domains.wakers_go_first(DOM0),
            ..Settings::default()
        });
        let free_memory = FreeMemory::probe().inspect_err(|_| {
            pr_warn!(
                "does not know this Xen's sysctl: what others take of the pool is not found out\n"
            );
        });
        let control = Control {
            domains,
            free_memory: free_memory.ok(),
        };
        let core = Core::new(control, settings)?;
        let deaths = Deaths { core: core.clone() };
        let node = format_args!("@releaseDomain");
        let service = Self {
            _deaths: KBox::pin_init(Watch::new(node, deaths), GFP_KERNEL)?,
            _files: Files::new(&core)?,
            core,
        };
        Ok(Arc::new(service, GFP_KERNEL)?)
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Lets the coordinator know what an earlier back-end knew of a domain.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EINVAL` if the coordinator refuses.
    pub(crate) fn recall(&self, dom: DomId, record: Record) -> Result {
        self.core.make_room()?;
        self.core
            .handle(Event::Recall { dom, record })
            .map_err(|_| EINVAL)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let settings = self.core.settings();
        if xenstore::write(STORE, c"settings", format_args!("{settings}")).is_err() {
            pr_warn!("cannot write down the settings\n");
        }
    }
}
