// SPDX-License-Identifier: GPL-2.0

//! Reads what Dom0 shows: the books in debugfs, or, where they are not to be had, each device's files in sysfs; and
//! names in xenstore.

use crate::{
    ledger::{self, Ledger},
    model::{Answer, Books, Domain, Host, Snapshot, State},
    text::harmless,
    transfer::{self, Request},
    xenstore::Store,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// The driver's directory, those of its devices, and the one in debugfs.
const DRIVER: &str = "sys/bus/xen-backend/drivers/xen_cmmback";
const DEVICES: &str = "sys/bus/xen-backend/devices";
const DEBUG: &str = "sys/kernel/debug/xen-cmm";
/// A recording's xenstore.
const RECORDED_STORE: &str = "xenstore";

/// Where to read.
pub struct Reader {
    root: PathBuf,
    store: Option<Store>,
}

impl Reader {
    /// Of this host, or, with a root, of what is recorded there.
    ///
    /// # Errors
    ///
    /// What to do, if there is no back-end to look at.
    pub fn new(root: Option<&Path>) -> Result<Self, String> {
        let store = match root {
            Some(root) => Some(Store::Recorded(root.join(RECORDED_STORE))),
            None => Store::connect().ok(),
        };
        let root = root.unwrap_or(Path::new("/")).to_path_buf();
        let driver = root.join(DRIVER);
        if !driver.is_dir() {
            return Err(format!(
                "there is no {}: this must be Dom0, with the module xen-cmmback loaded (modprobe xen-cmmback)",
                driver.display()
            ));
        }
        Ok(Self { root, store })
    }

    /// A knob of the driver, or of a domain's device.
    pub fn knob(&self, dom: Option<u32>, name: &str) -> PathBuf {
        match dom {
            None => self.root.join(DRIVER).join(name),
            Some(dom) => self
                .root
                .join(DEVICES)
                .join(format!("cmm-{dom}-0"))
                .join(name),
        }
    }

    /// Looks once.
    pub fn look(&mut self) -> Snapshot {
        let mut notes = Vec::new();
        let ledger = match self.debug("ledger") {
            Ok(text) => Some(ledger::parse(&text)),
            Err(error) => {
                notes.push(missing(&self.root.join(DEBUG).join("ledger"), &error));
                None
            }
        };
        let requests = transfer::parse(&self.debug("transfer").unwrap_or_default());
        let answers = answers(&self.debug("answers").unwrap_or_default());
        let devices = self.devices();
        let named = self.named(&mut notes);
        let host = self.host(ledger.as_ref());
        let mut known = ledger.unwrap_or_default().domains;

        let ids: BTreeSet<u32> = [&devices, &named]
            .into_iter()
            .flatten()
            .chain(known.keys())
            .copied()
            .collect();
        let domains = ids
            .into_iter()
            .map(|id| {
                let (books, state) = known
                    .remove(&id)
                    .unwrap_or_else(|| self.without_ledger(id, devices.contains(&id)));
                Domain {
                    id,
                    name: self.name_of(id),
                    state,
                    books,
                    // Before the first one it is all zero.
                    request: requests.get(&id).copied().filter(is_real),
                    answer: answers.get(&id).cloned(),
                }
            })
            .collect();
        Snapshot {
            unix_ms: unix_ms(),
            domains,
            host,
            notes,
        }
    }

    fn debug(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(self.root.join(DEBUG).join(file))
    }

    /// The ids of all domains that have a device.
    fn devices(&self) -> BTreeSet<u32> {
        let entries = fs::read_dir(self.root.join(DEVICES)).into_iter().flatten();
        entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                let id = name.to_str()?.strip_prefix("cmm-")?.strip_suffix("-0")?;
                id.parse().ok()
            })
            .collect()
    }

    /// The ids of all DomUs that xenstore knows of.
    fn named(&mut self, notes: &mut Vec<String>) -> BTreeSet<u32> {
        let listed = match &mut self.store {
            Some(store) => store.list("/local/domain"),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        match listed {
            Ok(names) => names
                .iter()
                .filter_map(|name| name.parse().ok())
                .filter(|id| *id != 0)
                .collect(),
            Err(error) => {
                notes.push(format!(
                    "those without a device are not shown: xenstore does not list domains: {error}"
                ));
                BTreeSet::new()
            }
        }
    }

    fn name_of(&mut self, id: u32) -> String {
        let node = format!("/local/domain/{id}/name");
        let name = self.store.as_mut().and_then(|store| store.read(&node).ok());
        name.map_or_else(
            || format!("domain {id}"),
            |name| harmless(name.trim_end_matches('\n')),
        )
    }

    fn host(&self, ledger: Option<&Ledger>) -> Host {
        let number = |name| number(&self.knob(None, name));
        let policy = fs::read_to_string(self.knob(None, "policy")).ok();
        Host {
            pool_kb: ledger
                .and_then(|ledger| ledger.pool_kb)
                .or_else(|| number("pool_kb")),
            reserve_kb: number("reserve_kb"),
            credit_kb: number("credit_kb"),
            policy: policy.map(|policy| harmless(policy.trim_end())),
            balanced: ledger.and_then(|ledger| ledger.balanced),
        }
    }

    /// What the device's own files say. All of them fail before a front-end has come.
    fn without_ledger(&self, id: u32, has_device: bool) -> (Books, State) {
        if !has_device {
            return (Books::default(), State::None);
        }
        let number = |name| number(&self.knob(Some(id), name));
        let Some(borrowed) = number("borrowed_kb") else {
            return (Books::default(), State::Waiting);
        };
        let lent = number("lent_kb").unwrap_or(0);
        let signed = |kib| i64::try_from(kib).unwrap_or(i64::MAX);
        let books = Books {
            balance_kb: Some(signed(borrowed) - signed(lent)),
            available_kb: number("available_kb"),
            floor_kb: number("floor_kb"),
            ceiling_kb: number("ceiling_kb"),
            weight: number("weight"),
            protected: number("protected").map(|it| it != 0),
            ..Books::default()
        };
        (books, State::Connected)
    }
}

fn is_real(request: &Request) -> bool {
    request.pages > 0
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis().try_into().unwrap_or(u64::MAX))
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim_end().parse().ok()
}

fn missing(file: &Path, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => " (only root may)",
        io::ErrorKind::NotFound => " (is debugfs mounted?)",
        _ => "",
    };
    format!(
        "sizes and requests are not shown: cannot read {}: {error}{advice}",
        file.display()
    )
}

/// Reads "dom granted reason" lines: how each domain's last request was answered.
fn answers(text: &str) -> BTreeMap<u32, Answer> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let dom = words.next()?.parse().ok()?;
            let granted_kb = words.next()?.parse().ok()?;
            let reason = harmless(words.next()?);
            Some((dom, Answer { granted_kb, reason }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_three_words() {
        let answers = answers("dom granted reason\n3 8 no-donor\n4 8\n");
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[&3].granted_kb, 8);
        assert_eq!(answers[&3].reason, "no-donor");
    }

    #[test]
    fn without_a_back_end_it_says_what_to_do() {
        let error = Reader::new(Some(Path::new("/proc"))).err().unwrap();
        assert!(error.contains("modprobe xen-cmmback"), "{error}");
    }
}
