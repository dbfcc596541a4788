// SPDX-License-Identifier: GPL-2.0

//! watcher: writes down what a domain has and uses, fifty times a second, and tells Dom0 once a second what
//! it uses, as a balancer's agent in a domain does. It is there before memory runs short.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

const USAGE: &str = "Usage: watcher SECONDS >FILE

A line each 20 ms: seconds since it began, what the kernel has, and what of that is used and could
not be had back, in MiB. The last it also writes to data/used in xenstore, once a second.
";

const EVERY: Duration = Duration::from_millis(20);
const TELLS_EVERY: Duration = Duration::from_secs(1);

/// The domain's end of xenstore.
struct Xenstore(File);

impl Xenstore {
    /// Of the wire: `XS_WRITE`, and how long a header is.
    const WRITE: u32 = 11;
    const HEADER: usize = 16;

    fn open() -> io::Result<Self> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/xen/xenbus")?;
        Ok(Self(device))
    }

    fn write(&mut self, node: &str, value: &str) -> io::Result<()> {
        let payload = format!("{node}\0{value}");
        let mut message = Vec::new();
        for word in [Self::WRITE, 0, 0, payload.len() as u32] {
            message.extend(word.to_ne_bytes());
        }
        message.extend(payload.as_bytes());
        self.0.write_all(&message)?;
        let mut reply = [0; Self::HEADER];
        self.0.read_exact(&mut reply)?;
        let mut length = [0; 4];
        length.copy_from_slice(&reply[12..]);
        let length = u32::from_ne_bytes(length).into();
        io::copy(&mut (&self.0).take(length), &mut io::sink())?;
        Ok(())
    }
}

fn field(meminfo: &str, name: &str) -> Option<f64> {
    let line = meminfo.lines().find(|line| line.starts_with(name))?;
    let kib: f64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

fn watch(duration: Duration) -> io::Result<()> {
    let began = Instant::now();
    let mut xenstore = Xenstore::open()?;
    let (mut due, mut tells) = (Duration::ZERO, Duration::ZERO);
    while due < duration {
        thread::sleep(due.saturating_sub(began.elapsed()));
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let numbers = field(&meminfo, "MemTotal:").zip(field(&meminfo, "MemAvailable:"));
        let (total, available) = numbers.ok_or(io::ErrorKind::InvalidData)?;
        let at = began.elapsed().as_secs_f64();
        println!("{at:.2}\t{total:.1}\t{:.1}", total - available);
        if due >= tells {
            xenstore.write("data/used", &format!("{:.0}", total - available))?;
            tells += TELLS_EVERY;
        }
        due += EVERY;
    }
    Ok(())
}

fn main() {
    let mut arguments = env::args().skip(1);
    let seconds = arguments.next().and_then(|text| text.parse().ok());
    let (Some(seconds), None) = (seconds, arguments.next()) else {
        eprint!("{USAGE}");
        exit(2);
    };
    if let Err(error) = watch(Duration::from_secs(seconds)) {
        eprintln!("watcher: /proc/meminfo, or /dev/xen/xenbus: {error}");
        exit(1);
    }
}
