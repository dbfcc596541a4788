// SPDX-License-Identifier: GPL-2.0

//! What must hold: always, and when all has come to rest.

use cmm::coordinator::{Coordinator, Entry, View};

use crate::domain::Domain;
use crate::world::World;

/// Both halves, and what is known of them to be true.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Dom0's half.
    pub coordinator: &'a Coordinator<Vec<Entry>>,
    /// What it is tried in.
    pub world: &'a World,
    /// What the pool is going to inherit, in pages.
    pub unclaimed: u64,
}

impl Rules<'_> {
    /// Panics unless everything that must always hold does.
    pub fn check(&self) {
        self.world.check();
        if let Err(broken) = self.coordinator.check() {
            panic!("{broken:?}");
        }
        for view in self.coordinator.domains() {
            self.check_domain(&view);
        }
        if !self.world.tainted {
            let (promised, free) = (self.promised(), self.world.free);
            let late: u64 = self
                .coordinator
                .domains()
                .map(|view| self.late(&view))
                .sum();
            let (made_up, late) = (self.world.made_up, late + self.world.late);
            assert!(
                promised <= free + made_up + late,
                "promised {promised} of {free} free pages, of which false claims made {made_up} at most, and {late} were taken late"
            );
        }
    }

    /// What a domain has taken of what had ended, of which the coordinator does not know.
    fn late(&self, view: &View) -> u64 {
        let domain = self.world.domains.get(&view.dom);
        let has = domain.map_or(0, Domain::accounted);
        let known = view.balance + (view.in_flight + view.credit) as i64;
        view.doubtful.min((has - known).max(0).unsigned_abs())
    }

    /// What Xen must have free for the coordinator to keep its word.
    pub fn promised(&self) -> u64 {
        let coming: i64 = self
            .coordinator
            .domains()
            .map(|view| {
                let domain = self.world.domains.get(&view.dom);
                let has = domain.map_or(0, Domain::accounted);
                // What is granted and not populated, and what was given back and not yet reported.
                (view.balance + (view.in_flight + view.credit) as i64 - has).max(0)
            })
            .sum();
        self.coordinator.pool() + coming as u64 + self.unclaimed
    }

    /// As [`Rules::check`], only of domains that the last event was about.
    pub fn check_touched(&self) {
        for dom in &self.world.touched {
            if let Some(view) = self.coordinator.domain(*dom) {
                self.check_domain(&view);
            }
        }
    }

    fn check_domain(&self, view: &View) {
        let dom = view.dom;
        let Some(domain) = self.world.domains.get(&dom) else {
            return;
        };
        assert_eq!(view.connected, domain.connected, "{dom}: connected?");
        let overdue = domain.overdue(self.world.now);
        assert_eq!(overdue, None, "{dom}: a request is overdue");
        if view.connected && !domain.liar {
            let client = &domain.session.guest.client;
            assert!(
                view.credit >= client.credit() + client.untold(),
                "{dom}: has more credit than Dom0 knows of"
            );
        }
        if view.connected && !domain.cap_written {
            let ours = view.balance + (view.in_flight + view.credit) as i64;
            let toolstacks = domain.toolstack_maximum as i64 - view.forgiven as i64;
            let cap = (toolstacks + ours).max(0).unsigned_abs();
            let cap = if view.pinned { 0 } else { cap };
            let same = domain.maximum == cap || domain.cap_ambiguous;
            assert!(same, "{dom}: cap {} is not {cap}", domain.maximum);
        }
    }

    /// Panics unless a world at rest is as it should be: the books of both sides are equal, and nothing is left in a
    /// table of either. Of those who cheated, nothing can be said.
    pub fn check_at_rest(&self) {
        for (dom, domain) in &self.world.domains {
            if domain.liar {
                continue;
            }
            let session = &domain.session;
            let client = &session.guest.client;
            assert!(session.waiting.is_empty(), "{dom}: waits for ever");
            assert!(session.untold.is_empty(), "{dom}: has not told all");
            let left = (client.open_requests(), client.open_demands());
            assert_eq!(left, (0, 0), "{dom}: left in the client's tables");
            assert!(session.begun.is_none(), "{dom}: has not ended a demand");
            let left = (domain.open.len(), domain.asked.len());
            assert_eq!(left, (0, 0), "{dom}: not answered");
            let Some(view) = self.coordinator.domain(*dom).filter(|view| view.connected) else {
                continue;
            };
            let left = (view.waiting, view.in_flight, view.reclaiming);
            assert_eq!(left, (0, 0, 0), "{dom}: left in the coordinator's tables");
            let credit = (client.credit(), client.untold());
            assert_eq!(credit, (view.credit, 0), "{dom}: credit");
            let most = self.coordinator.settings().credit;
            assert!(view.credit <= most, "{dom}: credit left over");
            let is_known = view.balance == session.balance;
            assert!(is_known || session.doubted, "{dom}: balance");
        }
    }
}
