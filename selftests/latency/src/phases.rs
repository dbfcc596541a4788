// SPDX-License-Identifier: GPL-2.0

//! Where the time of a transfer goes: the parts that requester, Dom0 and donor show in
//! `/sys/kernel/debug/xen-cmm/transfer`, laid side by side on Xen's clock.

use crate::{
    malloc::Known,
    options::Options,
    record::{of_case, Record},
};
use std::{collections::BTreeMap, io};

/// The case of records of phases.
pub const CASE: &str = "phases";

/// How much of the whole the phases may leave unexplained: one part in so many.
const UNEXPLAINED_PART: u64 = 50;

/// Or so many ns: half of the first look at the clock, and half of the last, are in no phase.
const UNEXPLAINED: u64 = 200;

/// A phase of one side's part, in ns: how long it was, and when it ended, from the part's beginning.
#[derive(Clone, Copy)]
struct Span {
    spent: u64,
    until: u64,
}

/// What one side shows of a transfer.
#[derive(Clone, Default)]
struct Part {
    id: u32,
    began: u64,
    spans: BTreeMap<String, Span>,
}

impl Part {
    fn spent(&self, phase: &str) -> u64 {
        self.spans.get(phase).map_or(0, |span| span.spent)
    }

    /// When, on Xen's clock, a phase of it ended.
    fn end_of(&self, phase: &str) -> u64 {
        self.began + self.spans.get(phase).map_or(0, |span| span.until)
    }

    fn end(&self) -> u64 {
        self.began
            + self
                .spans
                .values()
                .map(|span| span.until)
                .max()
                .unwrap_or(0)
    }
}

/// All that is known of a transfer.
#[derive(Default)]
pub struct Transfer {
    requester: Part,
    dom0: Option<Part>,
    donor: Option<Part>,
    /// What the requester's program has measured around the whole.
    total: u64,
    /// What it has measured around a call that changes next to nothing.
    call: u64,
}

impl Transfer {
    /// Reads lines of the three files, and the lines "total NS" and "call NS".
    pub fn parse(text: &str) -> Option<Self> {
        let mut transfer = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["who", ..] | [] => (),
                ["total", nanos] => transfer.total = nanos.parse().ok()?,
                ["call", nanos] => transfer.call = nanos.parse().ok()?,
                [who, id, _pages, began, phase, spent, until] => {
                    let part = match who {
                        "requester" => &mut transfer.requester,
                        "donor" => transfer.donor.get_or_insert_default(),
                        _ => transfer.dom0.get_or_insert_default(),
                    };
                    part.id = id.parse().ok()?;
                    part.began = began.parse().ok()?;
                    let span = Span {
                        spent: spent.parse().ok()?,
                        until: until.parse().ok()?,
                    };
                    part.spans.insert(phase.into(), span);
                }
                _ => return None,
            }
        }
        Some(transfer)
    }

    /// The phases, in the order of time.
    pub fn phases(&self) -> Result<Vec<(&'static str, u64)>, String> {
        let mut phases = vec![("call", self.call)];
        if self.requester.spans.contains_key("answer") {
            self.question(&mut phases)?;
        }
        for phase in ["frames", "populate", "map", "free", "tell"] {
            phases.push((phase, self.requester.spent(phase)));
        }
        phases.retain(|(_, nanos)| *nanos > 0);
        Ok(phases)
    }

    /// The phases of the requester alone, in the order of time.
    pub fn own_phases(&self) -> Vec<(&'static str, u64)> {
        let mut phases = vec![("call", self.call)];
        for phase in OWN {
            phases.push((phase, self.requester.spent(phase)));
        }
        phases.retain(|(_, nanos)| *nanos > 0);
        phases
    }

    /// The sum of the phases must be what was measured around all of them.
    pub fn check(&self, phases: &[(&str, u64)]) -> Result<(), String> {
        let sum: u64 = phases.iter().map(|(_, nanos)| nanos).sum();
        if sum.abs_diff(self.total) > (self.total / UNEXPLAINED_PART).max(UNEXPLAINED) {
            return Err(format!(
                "the phases are {sum} ns together, and the whole is {} ns",
                self.total
            ));
        }
        Ok(())
    }

    /// From the question to the answer.
    fn question(&self, phases: &mut Vec<(&'static str, u64)>) -> Result<(), String> {
        let requester = &self.requester;
        let dom0 = self.dom0.as_ref().ok_or("Dom0's part is missing")?;
        if dom0.id != requester.id {
            return Err(format!(
                "Dom0's part is of request {}, the requester's of {}",
                dom0.id, requester.id
            ));
        }
        let ask = hop(requester.spent("ask"), requester.end_of("ask"), dom0.began)?;
        phases.extend([("ask", ask.before), ("event hop", ask.hop)]);

        let donors = self.donors(dom0)?;
        let decide = dom0.spent("decide") + dom0.spent("notify") - donors.too_early;
        let grant = hop(decide, dom0.end(), requester.end_of("answer"))?;
        phases.push(("decide", grant.before));
        phases.extend(donors.phases);
        phases.push(("caps", dom0.spent("caps")));
        phases.push(("grant hop", grant.hop));
        phases.push(("wake-up", requester.spent("wake-up")));
        Ok(())
    }

    /// The time in which Dom0 waits for donors.
    fn donors(&self, dom0: &Part) -> Result<Donors, String> {
        let waited = dom0.spent("donors");
        if waited == 0 {
            return Ok(Donors::default());
        }
        let donor = self.donor.as_ref().ok_or("the donor's part is missing")?;
        let (asked, offered) = (dom0.end_of("donors") - waited, dom0.end_of("donors"));
        let reclaim = hop(asked - dom0.began, asked, donor.began)?;
        let offer = hop(donor.spent("tell"), donor.end(), offered)?;
        Ok(Donors {
            too_early: asked - dom0.began - reclaim.before,
            phases: vec![
                ("donor hop", reclaim.hop),
                ("donor wake-up", donor.spent("wake-up")),
                ("allocate", donor.spent("allocate")),
                ("unmap", donor.spent("unmap")),
                ("release", donor.spent("release")),
                ("offer", offer.before),
                ("offer hop", offer.hop),
            ],
        })
    }
}

/// The donor's phases.
#[derive(Default)]
struct Donors {
    phases: Vec<(&'static str, u64)>,
    /// How long the donor ran already while Dom0 was still about to ask it.
    too_early: u64,
}

/// From one domain to the next.
struct Hop {
    /// The sender's last phase.
    before: u64,
    hop: u64,
}

/// The sender's last phase is `before` ns long and ends at `end`, after it has sent an event. The
/// receiver begins at `begin`: before that, if the event lets it run at once, and then the rest of
/// the phase is in nobody's way.
fn hop(before: u64, end: u64, begin: u64) -> Result<Hop, String> {
    let overlap = end.saturating_sub(begin);
    match before.checked_sub(overlap) {
        Some(before) => Ok(Hop {
            before,
            hop: begin.saturating_sub(end),
        }),
        None => Err(format!(
            "an event was received at {begin}, before its sender began at {}",
            end - before
        )),
    }
}

/// Joins the parts of a transfer, on stdin, and prints its phases as results.
pub fn join(options: &Options) -> Result<(), String> {
    let text = io::read_to_string(io::stdin()).map_err(|why| format!("cannot read: {why}"))?;
    let transfer = Transfer::parse(&text).ok_or(format!("these are no parts:\n{text}"))?;
    let phases = transfer.phases()?;
    transfer.check(&phases)?;
    let known = Known::read(options)?;
    for &size_kb in &options.sizes {
        for (phase, nanos) in &phases {
            let mut record = Record::of_part(options, &options.path, size_kb, phase, *nanos);
            record.case = CASE.into();
            record.malloc = known.median(&options.guest, size_kb);
            println!("{record}");
        }
    }
    Ok(())
}

/// Prints, for each guest and size, the phases of each path beside each other.
pub fn print(records: &[Record]) {
    let phases = of_case(records, CASE);
    let mut shown: Vec<(&str, u64)> = Vec::new();
    for of in &phases {
        let table = (of.guest.as_str(), of.size_kb);
        if shown.contains(&table) {
            continue;
        }
        shown.push(table);
        let these: Vec<&Record> = phases
            .iter()
            .copied()
            .filter(|r| (r.guest.as_str(), r.size_kb) == table)
            .collect();
        print_table(&these);
    }
}

/// One guest's phases, of one size.
fn print_table(records: &[&Record]) {
    let Some(first) = records.first() else { return };
    let mut paths: Vec<&str> = Vec::new();
    for record in records {
        if !paths.contains(&record.path.as_str()) {
            paths.push(&record.path);
        }
    }
    println!(
        "\nWhere the time goes, {}, {} KiB, in microseconds:\n",
        first.guest, first.size_kb
    );
    print!("{:14}", "");
    paths.iter().for_each(|path| print!(" {path:>10}"));
    println!();
    for phase in ORDER {
        let of = |path: &str| {
            records
                .iter()
                .find(|r| r.path == path && r.part.as_deref() == Some(phase))
        };
        if paths.iter().any(|path| of(path).is_some()) {
            print!("{phase:14}");
            for path in &paths {
                match of(path) {
                    Some(record) => print!(" {:>10.2}", record.p50 as f64 / 1000.0),
                    None => print!(" {:>10}", "-"),
                }
            }
            println!();
        }
    }
    print!("{:14}", "sum");
    for path in &paths {
        let of_path = records.iter().filter(|r| r.path == *path);
        let sum: u64 = of_path.map(|r| r.p50).sum();
        print!(" {:>10.2}", sum as f64 / 1000.0);
    }
    println!();
}

/// The requester's phases, as the driver calls them.
const OWN: [&str; 8] = [
    "ask", "answer", "wake-up", "frames", "populate", "map", "free", "tell",
];

/// All phases, in the order of time.
const ORDER: [&str; 19] = [
    "call",
    "ask",
    "event hop",
    "decide",
    "donor hop",
    "donor wake-up",
    "allocate",
    "unmap",
    "release",
    "offer",
    "offer hop",
    "caps",
    "grant hop",
    "wake-up",
    "frames",
    "populate",
    "map",
    "free",
    "tell",
];

#[cfg(test)]
mod tests {
    use super::Transfer;

    const COLD: &str = "\
who id pages began phase ns until
requester 5 16 1000 ask 10 10
requester 5 16 1000 answer 290 300
requester 5 16 1000 wake-up 20 320
requester 5 16 1000 populate 30 350
requester 5 16 1000 tell 10 360
dom0-for-1 5 16 1030 decide 20 220
dom0-for-1 5 16 1030 donors 160 180
dom0-for-1 5 16 1030 caps 35 215
dom0-for-1 5 16 1030 notify 10 225
donor 9 16 1060 wake-up 10 10
donor 9 16 1060 allocate 50 60
donor 9 16 1060 release 60 120
donor 9 16 1060 tell 10 130
call 15
total 378
";

    #[test]
    fn phases_are_joined_and_add_up() {
        let transfer = Transfer::parse(COLD).unwrap();
        let phases = transfer.phases().unwrap();
        let of = |name| phases.iter().find(|(phase, _)| *phase == name).unwrap().1;
        assert_eq!(of("event hop"), 20);
        assert_eq!(of("donor hop"), 10);
        assert_eq!(of("offer hop"), 20);
        assert_eq!(of("grant hop"), 45);
        assert_eq!(phases.iter().map(|(_, nanos)| nanos).sum::<u64>(), 375);
        assert!(transfer.check(&phases).is_ok());
    }

    #[test]
    fn a_receiver_may_run_before_its_sender_is_done() {
        let mut text = COLD.replace("dom0-for-1 5 16 1030", "dom0-for-1 5 16 1005");
        for (from, to) in [
            ("decide 20 220", "decide 20 245"),
            ("donors 160 180", "donors 185 205"),
            ("notify 10 225", "notify 10 250"),
        ] {
            text = text.replace(from, to);
        }
        let transfer = Transfer::parse(&text).unwrap();
        let phases = transfer.phases().unwrap();
        assert_eq!(phases[1], ("ask", 5));
        assert_eq!(phases.iter().map(|(_, nanos)| nanos).sum::<u64>(), 375);
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        let transfer = Transfer::parse(&COLD.replace("total 378", "total 580")).unwrap();
        let phases = transfer.phases().unwrap();
        assert!(transfer.check(&phases).is_err());
    }

    #[test]
    fn parts_of_different_requests_are_refused() {
        for (from, to) in [
            ("dom0-for-1 5", "dom0-for-1 6"),
            ("donor 9 16 1060", "donor 9 16 1020"),
            ("dom0-for-1 5 16 1030", "dom0-for-1 5 16 999"),
        ] {
            let transfer = Transfer::parse(&COLD.replace(from, to)).unwrap();
            assert!(transfer.phases().is_err(), "{from}");
        }
        assert!(Transfer::parse("requester 5").is_none());
    }
}
