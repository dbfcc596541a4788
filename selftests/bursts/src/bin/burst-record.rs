// SPDX-License-Identifier: GPL-2.0

//! burst-record: records what memory is needed, some hundred times a second.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use cmm_bursts::group::Group;
use cmm_bursts::recorder::record;
use cmm_bursts::urgent::run_first;
use cmm_bursts::watched::Scope;

const USAGE: &str = "\
Usage: burst-record [OPTION]... FILE [-- COMMAND...]

Records how much memory is needed while COMMAND runs, or for as long as it is told, and
what the kernel had to do for that: page faults, refaults, pressure. Says what that cost
at the end.

  --cgroup DIRECTORY  the memory of a control group (version 1 or 2), not the machine's
  --every MS          look so often, in milliseconds (2; 0.5 is the least)
  --for SECONDS       end after so long, and end COMMAND
  --name WORD         what the recording is called (its file's name)

What is written to FILE is described in Documentation/bursts.rst. This needs no library,
and no right but to read the kernel's files; but who may have it run before all else
gets looks that come in time.
";

/// What is to be done.
struct Job {
    scope: Scope,
    every: Duration,
    limit: Option<Duration>,
    name: Option<String>,
    file: PathBuf,
    command: Vec<String>,
}

fn parse(arguments: impl Iterator<Item = String>) -> Option<Job> {
    let mut arguments = arguments.peekable();
    let mut job = Job {
        scope: Scope::Machine,
        every: Duration::from_millis(2),
        limit: None,
        name: None,
        file: PathBuf::new(),
        command: Vec::new(),
    };
    while arguments.peek()?.starts_with("--") {
        let option = arguments.next()?;
        let value = arguments.next()?;
        match option.as_str() {
            "--cgroup" => job.scope = Scope::Group(value.into()),
            "--every" => job.every = seconds(&value)? / 1_000,
            "--for" => job.limit = Some(seconds(&value)?),
            "--name" => job.name = Some(value).filter(|name| is_word(name)),
            _ => return None,
        }
    }
    job.file = arguments.next()?.into();
    match arguments.next().as_deref() {
        Some("--") => job.command = arguments.collect(),
        Some(_) => return None,
        None => {}
    }
    let ends = job.limit.is_some() || !job.command.is_empty();
    (ends && job.every >= Duration::from_micros(500)).then_some(job)
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '=')
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// Records. Returns whether the command, if there is one, was content.
fn run(job: &Job) -> io::Result<bool> {
    let stem = job.file.file_stem().unwrap_or_default().to_string_lossy();
    let name = job.name.clone().unwrap_or_else(|| stem.into_owned());
    let to = BufWriter::new(File::create(&job.file)?);
    let mut group = match job.command.as_slice() {
        [program, arguments @ ..] => Some(Group::start(program, arguments)?),
        [] => None,
    };
    // After the command was started, which is to run as it would.
    if !run_first() {
        eprintln!("burst-record: this may not run before others: looks may be late");
    }
    let began = Instant::now();
    let mut content = true;
    let cost = record(&job.scope, &name, job.every, to, || {
        if let Some(ended) = group.as_mut().map(Group::ended).transpose()?.flatten() {
            content = ended;
            return Ok(true);
        }
        Ok(job.limit.is_some_and(|limit| began.elapsed() >= limit))
    });
    if let Some(group) = group {
        group.end();
    }
    let cost = cost?;
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    eprintln!(
        "burst-record: {} looks in {:.1} s, at most {:.1} ms apart; they took {:.2} % of a CPU, \
         {:.2} % of the {cpus} there are",
        cost.looks,
        cost.wall as f64 / 1e6,
        cost.longest as f64 / 1e3,
        cost.percent(),
        cost.percent() / cpus as f64
    );
    Ok(content)
}

fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--help" || argument == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let Some(job) = parse(env::args().skip(1)) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&job) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("burst-record: the command failed");
            ExitCode::FAILURE
        }
        Err(err) => {
            eprintln!("burst-record: {err}");
            ExitCode::FAILURE
        }
    }
}
