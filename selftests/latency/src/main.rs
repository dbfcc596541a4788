// SPDX-License-Identifier: GPL-2.0

//! cmm-latency: how long memory takes, from the own kernel and from another domain.

mod balloon;
mod bare;
mod cost;
mod knobs;
mod limits;
mod malloc;
mod memory;
mod noise;
mod options;
mod own;
mod phases;
mod record;
mod samples;
mod suite;
mod table;
mod target;
mod transfer;
mod xen;

use options::Options;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cmm-latency [suite]                     in a DomU: a test, which prints KTAP
       cmm-latency transfer [OPTION]...        in a DomU: ask for memory, beside malloc
       cmm-latency local [OPTION]...           anywhere: memory from the own kernel
       cmm-latency noise                       anywhere: how quiet the machine is
       cmm-latency hog                         burn CPU until killed
       cmm-latency balloon [OPTION]...         in Dom0: move memory with the stock balloon
       cmm-latency target [OPTION]...          in a DomU: the same by target_kb, one after the other
       cmm-latency cost [OPTION]... COMMAND    in Dom0: the CPU time of moving memory @ times
       cmm-latency bare [OPTION]... < FILE     turn lines of the module cmm-bare into results
       cmm-latency phases [OPTION]... < FILE   join the parts of a transfer, and print its phases
       cmm-latency table [--strict] FILE...    print results against their limits
       cmm-latency bars FILE...                hold results against what they were, as KTAP
       cmm-latency columns FILE...             print results as columns, for plots

Prints one JSON object a line; the suite writes them into CMM_LATENCY_RESULTS. Options of the measurements:
  --case NAME       what the results call the measurement (transfer)
  --hogs N, --sched NAME   what they say of other load and of the scheduler (0, credit)
  --guest NAME      what the results call the guest (pv, pvh)
  --path NAME       what they call the way the memory came (cold, reserve, credit)
  --sizes KB,...    sizes in KiB (4,64,2048,8192,65536)
  --runs N,...      how often, for each size; the last holds for the rest (40,40,20,10,5)
  --row             transfer: requests in a row, of 4 MiB together, with fetching ahead; the
                    result is what one of them takes (without --row nothing is fetched ahead)
  --settle MS       pause between runs, so that all is as before (1000)
  --spread MS       transfer: pauses are longer by up to that, each by another time, so that
                    runs do not keep step with a tick (0)
  --donor ID, --requester ID   balloon, cost: the two domains
  --tool            balloon: by xl mem-set
  --period MS       balloon: as a balancer that looks that often
  --malloc FILE     results of this guest, to compare with malloc
  --parts           transfer: print this domain's part of the last transfer, for phases
Option of table:
  --strict          exit with 1 if a limit is missed

Exit status: 0, 1 after an error (said on stderr), 2 for wrong usage, 4 if the suite cannot run.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    // A test of kselftest's is run without arguments.
    let command = arguments.next().unwrap_or("suite".into());
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(what) => return wrong_usage(&what),
    };
    let done = match command.as_str() {
        "transfer" => transfer::measure(&options),
        "local" => own::measure(&options),
        "columns" => table::columns(&options),
        "hog" => hog(),
        "noise" => noise::print(&options),
        "suite" => return suite::run(options),
        "balloon" => balloon::series(&options),
        "bare" => bare::results(&options),
        "bars" => return limits::bars(&options),
        "cost" => cost::measure(&options),
        "phases" => phases::join(&options),
        "target" => target::series(&options),
        "table" => tables(&options),
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

/// All tables, and how the results keep to their limits.
fn tables(options: &Options) -> Result<(), String> {
    let records = record::read(&options.files)?;
    table::print_ways(&records);
    phases::print(&records);
    cost::print(&records);
    noise::print_table(&records);
    table::print_interference(&records);
    let missed = limits::print(&records);
    if options.strict && missed > 0 {
        return Err(format!("{missed} limits are missed or were not measured"));
    }
    Ok(())
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
