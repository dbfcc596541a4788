// SPDX-License-Identifier: GPL-2.0

//! What came of a fleet's time under a manager.

use std::fmt;

use cmm::coordinator::Nanos;
use cmm_bursts::numbers::quantile;

use super::host::Host;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What was tried.
    pub case: String,
    /// Who managed.
    pub policy: String,
    /// What the domains are, if they are real.
    pub guest: Option<String>,
    /// Mean demand, in percent of the host's memory.
    pub load_pct: u32,
    /// Bursts.
    pub bursts: usize,
    /// Bursts whose program would have been killed.
    pub killed: u64,
    /// How long all bursts took, of what they would have taken unstalled.
    pub time_ratio: f64,
    /// How long bursts were held up.
    pub stall_p50: Nanos,
    /// As `stall_p50`.
    pub stall_p99: Nanos,
    /// Demand that was not met, in percent.
    pub unmet_pct: f64,
    /// Pages that came to domains, for each page by which demand rose.
    pub moved_per_demand: f64,
}

impl Outcome {
    /// Of all domains of a host.
    pub fn of<J>(host: &Host<J>) -> Self {
        let sum = |of: fn(&super::tenant::Tenant) -> f64| host.tenants.iter().map(of).sum::<f64>();
        let bursts = || host.tenants.iter().flat_map(|tenant| &tenant.bursts);
        let mut stalls: Vec<_> = bursts().map(|burst| burst.stalled).collect();
        stalls.sort_unstable();
        let stalled: f64 = stalls.iter().map(|ns| *ns as f64).sum();
        let lasted: f64 = bursts().map(|burst| burst.lasted as f64).sum();
        Self {
            bursts: stalls.len(),
            killed: bursts().filter(|burst| burst.killed).count() as u64,
            time_ratio: (lasted + stalled) / lasted.max(1.0),
            stall_p50: quantile(&stalls, 50.0).unwrap_or(0),
            stall_p99: quantile(&stalls, 99.0).unwrap_or(0),
            unmet_pct: sum(|t| t.lacked) * 100.0 / sum(|t| t.wanted).max(1.0),
            moved_per_demand: sum(|t| t.moved as f64) / sum(|t| t.risen).max(1.0),
            ..Self::default()
        }
    }

    /// A line of the table; [`HEAD`] says what is in it.
    pub fn row(&self) -> String {
        let ms = |ns: Nanos| ns as f64 / 1e6;
        format!(
            "{:14} {:14} {:5} {:4} {:8.2} {:7} {:7} {:9.1} {:9.1} {:7.3} {:7.2}",
            self.case,
            self.policy,
            self.guest.as_deref().unwrap_or("-"),
            self.load_pct,
            self.unmet_pct,
            self.bursts,
            self.killed,
            ms(self.stall_p50),
            ms(self.stall_p99),
            self.time_ratio,
            self.moved_per_demand
        )
    }
}

/// What a [`row`](Outcome::row) has.
pub const HEAD: &str = "case           policy         guest load  unmet %  bursts  killed  p50 (ms)  p99 (ms)    time   moved";

/// As a line of JSON.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{\"case\":\"{}\",\"policy\":\"{}\"",
            self.case, self.policy
        )?;
        if let Some(guest) = &self.guest {
            write!(f, ",\"guest\":\"{guest}\"")?;
        }
        write!(f, ",\"load_pct\":{}", self.load_pct)?;
        if self.bursts > 0 {
            write!(
                f,
                ",\"killed\":{},\"time_ratio\":{:.4},\"stall_p50_ns\":{},\"stall_p99_ns\":{}",
                self.killed, self.time_ratio, self.stall_p50, self.stall_p99
            )?;
            write!(f, ",\"moved_per_demand\":{:.4}", self.moved_per_demand)?;
        }
        write!(f, ",\"unmet_pct\":{:.3}}}", self.unmet_pct)
    }
}
