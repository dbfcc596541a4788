// SPDX-License-Identifier: GPL-2.0

//! How long each domain's last request took here, from `/sys/kernel/debug/xen-cmm/transfer`.

use std::collections::BTreeMap;

/// A domain's last request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Which one of the domain's it was.
    pub id: u64,
    /// What it was about.
    pub pages: u64,
    /// From when it came in until what it was last about was done.
    pub nanos: u64,
}

/// Reads the lines, "dom0-for-DOM id pages began phase ns until": what ends last is the end.
pub fn parse(text: &str) -> BTreeMap<u32, Request> {
    let mut requests: BTreeMap<u32, Request> = BTreeMap::new();
    for (dom, request) in text.lines().filter_map(line) {
        let known = requests.entry(dom).or_default();
        *known = Request {
            nanos: known.nanos.max(request.nanos),
            ..request
        };
    }
    requests
}

fn line(line: &str) -> Option<(u32, Request)> {
    let mut words = line.split_whitespace();
    let dom = words.next()?.strip_prefix("dom0-for-")?.parse().ok()?;
    let id = words.next()?.parse().ok()?;
    let pages = words.next()?.parse().ok()?;
    // When it began, the phase, and how long that was.
    let nanos = words.nth(3)?.parse().ok()?;
    Some((dom, Request { id, pages, nanos }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_phase_to_end_counts() {
        let text = "who id pages began phase ns until\n\
            dom0-for-2 7 512 99 decide 10 40\n\
            dom0-for-2 7 512 99 donors 20 30\n\
            dom0-for-x 7 512 99 donors 20 30\n\
            dom0-for-3 1\n";
        let requests = parse(text);
        assert_eq!(requests.len(), 1);
        let expected = Request {
            id: 7,
            pages: 512,
            nanos: 40,
        };
        assert_eq!(requests[&2], expected);
    }
}
