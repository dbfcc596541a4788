// SPDX-License-Identifier: GPL-2.0

//! The client: what a front-end decides. The other half of the [coordinator](crate::coordinator).
//!
//! It is a state machine, too. The shell tells it what its processes want, what became of its
//! memory and what time it is; it says how a wish is met and what is to be done, and writes what
//! Dom0 must hear into the ring, through the shell's [`Shell`]. No call takes more steps than there
//! are places in a lane. Read `machine` first; each of the others is about one thing:
//!
//! - `rescue`: what is asked for before the domain's kernel kills a process;
//! - `ask`: how a wish for memory is met, and what becomes of a request;
//! - `release`, `settle`: what goes back unasked;
//! - `deferred`: what a lender gets back only for its toolstack to have;
//! - `serve`: what Dom0 demands, and what it lends on credit;
//! - `report`: when Dom0 is told how the domain fares;
//! - `auto`: when the domain asks by itself, and gives that back;
//! - `asker`: what a program asked for, which goes back when it ends;
//! - `lookout`: when somebody looks at either;
//! - `wake`: who is woken when;
//! - `hear`, `say`: what comes in, and what goes out;
//! - `machine`: the client itself, and its connections;
//! - `connection`, `wire`, `shell`: one connection, and the states it goes through, as a table;
//! - `pressure`, `appetite`: how fast memory is used up, and what bursts are like;
//! - `requests`, `demands`, `credit`, `readahead`, `recall`, `news`, `commitment`, `largest`,
//!   `givable`: what is known of each;
//! - `holdings`, `handed_over`, `spare`, `image`, `reason`: arithmetic on numbers of pages.
//!
//! A file uses those below it in this list only. Who is asked is written down in two places,
//! [`Way`] and [`Client::request`], and that a request is given up in one, [`Client::give_up`].

mod appetite;
mod ask;
mod asker;
mod auto;
pub mod commands;
mod commitment;
mod connection;
mod credit;
mod deferred;
mod demands;
mod givable;
mod handed_over;
mod hear;
mod holdings;
mod image;
mod largest;
mod lookout;
mod machine;
mod news;
mod pressure;
mod readahead;
mod reason;
mod recall;
mod release;
mod report;
mod requests;
mod rescue;
mod say;
mod serve;
mod settle;
mod shell;
mod spare;
mod wake;
mod wire;

pub use appetite::{Appetite, Histogram};
pub use ask::{Refusal, Ticket, Way, Wish};
pub use asker::Asker;
pub use auto::{Auto, Move, Tally};
pub use commitment::Promise;
pub use connection::{Change, Refused, Stage};
pub use demands::Demand;
pub use givable::Givable;
pub use handed_over::HandedOver;
pub use holdings::Holdings;
pub use image::{is_restorable, least_left};
pub use lookout::Next;
pub use machine::Client;
pub use news::{is_worth_telling, INTERVAL};
pub use pressure::{Pressure, Sample};
pub use readahead::{Readahead, IDLE, MAX_READAHEAD};
pub use reason::Reason;
pub use report::Figures;
pub use requests::{Answer, Outcome};
pub use rescue::{Attempt, Rescues, Try};
pub use say::SendError;
pub use serve::Task;
pub use settle::{plan, plan_frozen, take_again, Step};
pub use shell::Shell;
pub use spare::{
    holds, keeps, keeps_borrowed, on_demand, spare, spare_borrowed, spare_frozen, Bound, Memory,
};
pub use wake::{Event, Waiting};
pub use wire::Remains;
