// SPDX-License-Identifier: GPL-2.0

//! The suite: what can be measured from inside one DomU, as KTAP.
//!
//! It fails if memory does not come, or if the phases of a transfer do not add up to what was
//! measured around it. How fast it comes is said, and is no reason to fail: that is the machine's.

use crate::{
    knobs::{self, Knobs, Refused},
    malloc, memory, noise,
    options::Options,
    phases::{self, Transfer},
    record::Record,
    samples::Samples,
};
use std::{
    fs,
    io::Write,
    process::{Command, ExitCode},
    time::Duration,
};

const SKIP: u8 = 4;

/// The sizes in KiB, and how often to measure each: over in a minute on any machine.
const PLAN: [(u64, usize); 5] = [(4, 100), (64, 100), (2048, 40), (8192, 10), (65536, 5)];
const SETTLE: Duration = Duration::from_millis(100);

/// Where results go besides, if the environment says.
const RESULTS: &str = "CMM_LATENCY_RESULTS";

pub fn run(mut options: Options) -> ExitCode {
    options.settle = SETTLE;
    options.path = knobs::way().into();
    println!("KTAP version 1");
    let knobs = match prepare() {
        Ok(knobs) => knobs,
        Err(why) => {
            println!("1..0 # SKIP {why}");
            return ExitCode::from(SKIP);
        }
    };
    println!("1..{}", 3 * PLAN.len());
    let mut suite = Suite {
        options,
        knobs,
        results: String::new(),
        count: 0,
        failed: 0,
    };
    suite.note_noise();
    for (size_kb, runs) in PLAN {
        suite.size(size_kb, runs);
    }
    suite.keep_results();
    ExitCode::from(u8::from(suite.failed > 0))
}

/// Opens the front-end's files, or says what is missing.
fn prepare() -> Result<Knobs, String> {
    let is =
        |path: &str, what: &str| fs::read_to_string(path).is_ok_and(|text| text.contains(what));
    if !is("/sys/hypervisor/type", "xen") {
        return Err("this kernel does not run on Xen".into());
    }
    if is("/proc/xen/capabilities", "control_d") {
        return Err("this is Dom0: the suite runs in a DomU".into());
    }
    if !fs::exists("/sys/bus/xen/drivers/xen_cmmfront").unwrap_or(false) {
        // Whether that works is seen below.
        let _ = Command::new("modprobe").arg("xen-cmmfront").status();
    }
    let mut knobs = Knobs::open()?;
    match knobs.request(4) {
        Ok(_) => knobs.release(4).map(|()| knobs),
        Err(Refused::NoDonor) => Err("no other domain has memory to spare".into()),
        Err(Refused::Other(why)) => Err(format!("Dom0 gives no memory: {why}")),
    }
}

struct Suite {
    options: Options,
    knobs: Knobs,
    results: String,
    count: usize,
    failed: usize,
}

impl Suite {
    fn report(&mut self, what: &str, result: Result<(), String>) {
        self.count += 1;
        match result {
            Ok(()) => println!("ok {} {what}", self.count),
            Err(why) => {
                self.failed += 1;
                println!("not ok {} {what}", self.count);
                println!("# {why}");
            }
        }
    }

    fn skip(&mut self, what: &str, why: &str) {
        self.count += 1;
        println!("ok {} {what} # SKIP {why}", self.count);
    }

    fn keep(&mut self, record: &Record) {
        println!(
            "# {:8} {:>8} KiB  p50 {:>10.1}  p90 {:>10.1}  p99 {:>10.1}  max {:>10.1} us  {:>6.2} x malloc",
            record.path,
            record.size_kb,
            record.p50 as f64 / 1000.0,
            record.p90 as f64 / 1000.0,
            record.p99 as f64 / 1000.0,
            record.max as f64 / 1000.0,
            record.ratio(),
        );
        self.results += &format!("{record}\n");
    }

    /// On a real clock, all that follows is to be read with this in mind.
    fn note_noise(&mut self) {
        let samples = noise::empty_loop();
        let (p50, max) = (samples.percentile(50), samples.max());
        println!(
            "# noise: an empty loop of {p50} ns takes up to {} % longer, one in 100 times {} %",
            100 * (max - p50) / p50,
            100 * (samples.percentile(99) - p50) / p50,
        );
        let mut record = Record::new(&self.options, "loop", 0, &samples, 0);
        record.case = noise::CASE.into();
        self.results += &format!("{record}\n");
    }

    fn size(&mut self, size_kb: u64, runs: usize) {
        let name = format!("{size_kb} KiB");
        let malloc = match malloc::measure(size_kb, runs) {
            Ok(samples) => samples,
            Err(why) => {
                for what in ["of the own kernel's", "of other domains'", "phases add up"] {
                    self.skip(&format!("{name} {what}"), &why);
                }
                return;
            }
        };
        let median = malloc.percentile(50);
        self.keep(&Record::new(
            &self.options,
            "mmap",
            size_kb,
            &malloc,
            median,
        ));
        let allocated = memory::series(memory::allocate_and_touch, size_kb, runs);
        let allocated = allocated.map(|samples| {
            self.keep(&Record::new(
                &self.options,
                "malloc",
                size_kb,
                &samples,
                median,
            ));
        });
        self.report(&format!("{name} of the own kernel's"), allocated);

        match self.transfers(size_kb, runs) {
            Ok(samples) => {
                self.keep(&Record::new(
                    &self.options,
                    &self.options.path,
                    size_kb,
                    &samples,
                    median,
                ));
                self.report(&format!("{name} of other domains'"), Ok(()));
                let phases = self.phases(size_kb, median);
                self.report(&format!("{name} phases add up"), phases);
            }
            Err(Refused::NoDonor) => {
                for what in ["of other domains'", "phases add up"] {
                    self.skip(&format!("{name} {what}"), "nobody can spare that much");
                }
            }
            Err(Refused::Other(why)) => {
                self.report(&format!("{name} of other domains'"), Err(why));
                self.skip(&format!("{name} phases add up"), "there was no transfer");
            }
        }
    }

    fn transfers(&mut self, size_kb: u64, runs: usize) -> Result<Samples, Refused> {
        let mut samples = Samples::default();
        self.knobs.once(size_kb, &self.options)?;
        for _ in 0..runs {
            samples.push(self.knobs.once(size_kb, &self.options)?);
        }
        Ok(samples)
    }

    /// Of the last transfer, as far as this domain knows: Dom0's and the donor's part is in "answer".
    fn phases(&mut self, size_kb: u64, malloc: u64) -> Result<(), String> {
        let text = self.knobs.parts()?;
        let transfer = Transfer::parse(&text).ok_or(format!("these are no phases: {text}"))?;
        let phases = transfer.own_phases();
        for (phase, nanos) in &phases {
            let mut record =
                Record::of_part(&self.options, &self.options.path, size_kb, phase, *nanos);
            record.case = phases::CASE.into();
            record.malloc = malloc;
            println!("# {phase:12} {:>10.2} us", *nanos as f64 / 1000.0);
            self.results += &format!("{record}\n");
        }
        transfer.check(&phases)
    }

    fn keep_results(&self) {
        let Ok(path) = std::env::var(RESULTS) else {
            return;
        };
        let written =
            fs::File::create(&path).and_then(|mut file| file.write_all(self.results.as_bytes()));
        match written {
            Ok(()) => println!("# results are in {path}"),
            Err(why) => println!("# {path}: {why}"),
        }
    }
}
