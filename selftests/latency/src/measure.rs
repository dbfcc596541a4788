// SPDX-License-Identifier: GPL-2.0

//! The measurements in a DomU.

use crate::{memory, options::Options, record::Record, samples::Samples};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    thread::sleep,
    time::{Duration, Instant},
};

const DEVICE: &str = "/sys/bus/xen/devices/cmm-0";

/// How long a request may take: a minute, the most there is.
const DEADLINE_US: &str = "60000000";

/// How long to wait until nothing is borrowed any more, in steps.
const STEP: Duration = Duration::from_millis(50);
const STEPS: usize = 600;

/// How much longer to pause after more memory: it has to get back to where it came from.
const PAUSE_US_PER_KB: u64 = 12;

/// A way to get memory of a size from the own kernel; returns how many ns that took.
type Way = fn(u64) -> Result<u64, String>;

/// Measures a way to get memory; the first run is not counted.
fn series(way: Way, size_kb: u64, runs: usize) -> Result<Samples, String> {
    let mut samples = Samples::default();
    way(size_kb)?;
    for _ in 0..runs {
        samples.push(way(size_kb)?);
    }
    Ok(samples)
}

/// The comparator.
fn malloc(size_kb: u64, runs: usize) -> Result<Samples, String> {
    series(memory::map_and_touch, size_kb, runs)
}

/// Measures the ways to get memory from the own kernel.
pub fn local(options: &Options) -> Result<(), String> {
    let ways: [(&str, Way); 3] = [
        ("huge", memory::map_and_touch),
        ("malloc", memory::allocate_and_touch),
        ("mmap", memory::map_and_touch),
    ];
    for (path, way) in ways {
        for (size_kb, runs) in options.plan() {
            // Huge pages are of 2 MiB.
            if path != "huge" || size_kb >= 4096 {
                memory::huge_pages(path == "huge")?;
                let samples = series(way, size_kb, runs)?;
                memory::huge_pages(false)?;
                let malloc = malloc(size_kb, runs)?.percentile(50);
                println!("{}", Record::new(options, path, size_kb, &samples, malloc));
            }
        }
    }
    Ok(())
}

/// Asks for memory of each size, and prints how long it took beside malloc.
pub fn transfers(options: &Options) -> Result<(), String> {
    memory::huge_pages(false)?;
    let mut knobs = Knobs::open()?;
    for (size_kb, runs) in options.plan() {
        let malloc = malloc(size_kb, runs)?.percentile(50);
        let mut samples = Samples::default();
        knobs.once(size_kb, options)?;
        for _ in 0..runs {
            samples.push(knobs.once(size_kb, options)?);
        }
        let record = Record::new(options, &options.path, size_kb, &samples, malloc);
        println!("{record}");
    }
    Ok(())
}

/// The front-end's files.
struct Knobs {
    request: File,
    release: File,
}

impl Knobs {
    fn open() -> Result<Self, String> {
        let open = |name| {
            OpenOptions::new()
                .write(true)
                .open(format!("{DEVICE}/{name}"))
                .map_err(|why| format!("{DEVICE}/{name}: {why}: is xen-cmmfront loaded?"))
        };
        fs::write(format!("{DEVICE}/deadline_us"), DEADLINE_US)
            .map_err(|why| format!("{DEVICE}/deadline_us: {why}"))?;
        Ok(Self {
            request: open("request_kb")?,
            release: open("release_kb")?,
        })
    }

    /// One request and one release; returns how many ns the request took.
    fn once(&mut self, size_kb: u64, options: &Options) -> Result<u64, String> {
        let text = size_kb.to_string();
        let begin = Instant::now();
        let asked = self.request.write_all(text.as_bytes());
        let nanos = begin.elapsed().as_nanos() as u64;

        asked
            .map_err(|why| format!("request of {size_kb} KiB: {why} ({})", read("last_reason")))?;
        let granted = read("last_granted_kb");
        if granted.parse().is_ok_and(|granted: u64| granted < size_kb) {
            return Err(format!("{granted} KiB came of the {size_kb} asked for"));
        }
        self.give_back(&text)
            .map_err(|why| format!("release of {size_kb} KiB: {why}"))?;
        // What stands to a domain's credit stays with it.
        if options.path != "credit" {
            wait_until_settled()?;
        }
        sleep(options.settle + Duration::from_micros(PAUSE_US_PER_KB * size_kb));
        Ok(nanos)
    }

    fn give_back(&mut self, text: &str) -> io::Result<()> {
        self.release.write_all(text.as_bytes())
    }
}

fn read(knob: &str) -> String {
    let text = fs::read_to_string(format!("{DEVICE}/{knob}")).unwrap_or_default();
    text.trim().into()
}

fn wait_until_settled() -> Result<(), String> {
    for _ in 0..STEPS {
        if read("borrowed_kb") == "0" {
            return Ok(());
        }
        sleep(STEP);
    }
    Err(format!(
        "{} KiB are still borrowed, with all given back",
        read("borrowed_kb")
    ))
}

/// Turns the lines of the module cmm-bare on stdin, "SIZE_KB DONOR_NS REQUESTER_NS" a run, into
/// results.
pub fn bare(options: &Options) -> Result<(), String> {
    let text = io::read_to_string(io::stdin()).map_err(|why| format!("cannot read: {why}"))?;
    let runs: Vec<[u64; 3]> = text.lines().filter_map(parse_bare).collect();
    let known = known_malloc(options)?;

    for &size_kb in &options.sizes {
        let (mut both, mut requester) = (Samples::default(), Samples::default());
        for run in runs.iter().filter(|run| run[0] == size_kb) {
            both.push(run[1] + run[2]);
            requester.push(run[2]);
        }
        if both.count() > 0 {
            let malloc = find_malloc(&known, &options.guest, size_kb);
            let mut record = Record::new(options, "bare", size_kb, &both, malloc);
            record.requester = Some(requester.percentile(50));
            println!("{record}");
        }
    }
    Ok(())
}

/// The last three words of a line, if they are numbers.
fn parse_bare(line: &str) -> Option<[u64; 3]> {
    let mut words = line.split_whitespace().rev();
    let mut next = || words.next()?.parse().ok();
    let (requester, donor, size) = (next()?, next()?, next()?);
    Some([size, donor, requester])
}

/// The results in the file of `--malloc`.
pub fn known_malloc(options: &Options) -> Result<Vec<Record>, String> {
    let Some(file) = &options.malloc else {
        return Ok(Vec::new());
    };
    let text = fs::read_to_string(file).map_err(|why| format!("{file}: {why}"))?;
    Ok(text.lines().filter_map(Record::parse).collect())
}

/// How long malloc takes in the guest, by these results; 0 if they do not say.
pub fn find_malloc(known: &[Record], guest: &str, size_kb: u64) -> u64 {
    known
        .iter()
        .find(|record| record.guest == guest && record.size_kb == size_kb)
        .map_or(0, |record| record.malloc)
}

#[cfg(test)]
mod tests {
    use super::parse_bare;

    #[test]
    fn lines_of_the_module() {
        assert_eq!(parse_bare("[ 1.5] cmm-bare: 4 10 20"), Some([4, 10, 20]));
        assert_eq!(parse_bare("cmm-bare: done"), None);
    }
}
