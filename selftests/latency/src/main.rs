// SPDX-License-Identifier: GPL-2.0

//! cmm-latency: how long memory takes, from the own kernel and from another domain.

mod balloon;
mod cost;
mod measure;
mod memory;
mod options;
mod phases;
mod record;
mod samples;
mod table;
mod target;
mod xen;

use options::Options;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cmm-latency transfer [OPTION]...        in a DomU: ask for memory, beside malloc
       cmm-latency local [OPTION]...           anywhere: memory from the own kernel
       cmm-latency hog                         burn CPU until killed
       cmm-latency balloon [OPTION]...         in Dom0: move memory with the stock balloon
       cmm-latency target [OPTION]...          in a DomU: the same by target_kb, one after the other
       cmm-latency cost [OPTION]... COMMAND    in Dom0: the CPU time of moving memory @ times
       cmm-latency bare [OPTION]... < FILE     turn lines of the module cmm-bare into results
       cmm-latency phases [OPTION]... < FILE   join the parts of a transfer, and print its phases
       cmm-latency table [--strict] FILE...    print results against their limits
       cmm-latency columns FILE...             print results as columns, for plots

Prints one JSON object a line. Options of the measurements:
  --case NAME       what the results call the measurement (transfer)
  --hogs N, --sched NAME   what they say of other load and of the scheduler (0, credit)
  --guest NAME      what the results call the guest (pv, pvh)
  --path NAME       what they call the way the memory came (cold, reserve, credit)
  --sizes KB,...    sizes in KiB (4,64,2048,8192,65536)
  --runs N,...      how often, for each size; the last holds for the rest (40,40,20,10,5)
  --settle MS       pause between runs, so that all is as before (1000)
  --donor ID, --requester ID   balloon, cost: the two domains
  --tool            balloon: by xl mem-set
  --period MS       balloon: as a balancer that looks that often
  --malloc FILE     results of this guest, to compare with malloc
  --parts           transfer: print this domain's part of the last transfer, for phases
Option of table:
  --strict          exit with 1 if a limit is missed

Exit status: 0, or 1 after an error (said on stderr), or 2 for wrong usage.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(what) => return wrong_usage(&what),
    };
    let done = match command.as_str() {
        "transfer" => measure::transfers(&options),
        "local" => measure::local(&options),
        "columns" => table::columns(&options),
        "hog" => hog(),
        "balloon" => balloon::series(&options),
        "bare" => measure::bare(&options),
        "cost" => cost::measure(&options),
        "phases" => phases::join(&options),
        "target" => target::series(&options),
        "table" => return table::print(&options),
        "--help" | "-h" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => return wrong_usage(&format!("unknown command '{command}'")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("cmm-latency: {what}");
            ExitCode::FAILURE
        }
    }
}

fn hog() -> Result<(), String> {
    loop {
        std::hint::spin_loop();
    }
}

fn wrong_usage(what: &str) -> ExitCode {
    eprint!("cmm-latency: {what}\n\n{USAGE}");
    ExitCode::from(2)
}
