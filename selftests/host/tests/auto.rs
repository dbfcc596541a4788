// SPDX-License-Identifier: GPL-2.0

//! A domain that asks by itself, on curves of memory: what is used, and what is in the page cache.

use cmm::client::{Appetite, Auto, Histogram, Holdings, Move, Pressure, Sample, Tally};
use cmm::time::{Nanos, MILLISECOND, SECOND};

const MIB: u64 = 256;
/// What the domain is given by its toolstack.
const BASELINE: u64 = 192 * MIB;
/// What its kernel keeps free for itself.
const RESERVED: u64 = 4 * MIB;
const START: Nanos = 1_000 * SECOND;
/// A request of 16 MiB from a donor that has never given before takes about so long.
const TRANSFER: Nanos = 45 * MILLISECOND;

/// What happened.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// For how long nothing was available.
    stalled: Nanos,
    /// The most it had borrowed, in pages.
    most: u64,
    tally: Tally,
    balance: i64,
    /// Looks while nothing ran.
    wakeups: u64,
}

/// Plays a curve for `duration`: `load` says what is used and what the page cache would like to
/// have, both in pages, at a time since the start. Whether anything runs, `runs` says. Others have
/// `others` pages to give.
fn play(
    duration: Nanos,
    mut others: u64,
    runs: impl Fn(Nanos) -> bool,
    load: impl Fn(Nanos) -> (u64, u64),
) -> Seen {
    let mut auto = Auto::new();
    let mut seen = Seen::default();
    let (mut balance, mut moves) = (0_u64, 0_u32);
    let mut coming: Option<(u64, Nanos)> = None;
    let (mut awake, mut asleep) = (0, None);
    for millisecond in 0..duration / MILLISECOND {
        let at = millisecond * MILLISECOND;
        let now = START + at;
        let total = BASELINE + balance;
        let (used, cache) = load(at);
        let used = used.min(total);
        let file = cache.min(total - used);
        let free = total - used - file;
        let sample = Sample {
            total,
            free,
            available: (free + file).saturating_sub(RESERVED),
            file,
            reclaimable: 0,
            moves,
        };
        if load(at).0 + RESERVED > total {
            seen.stalled += MILLISECOND;
        }
        seen.most = seen.most.max(balance);
        if let Some((pages, when)) = coming {
            if when > at {
                continue;
            }
            let got = pages.min(others);
            others -= got;
            balance += got;
            moves += u32::from(got > 0);
            auto.asked(got, got, now);
            coming = None;
            awake = at;
            continue;
        }
        let rings = asleep.is_some_and(|when| when <= at);
        if !rings && (awake > at || !runs(at)) {
            continue;
        }
        seen.wakeups += u64::from(!runs(at));
        let has = Holdings {
            baseline: BASELINE,
            balance: balance as i64,
            readahead: 0,
            deferred: 0,
        };
        let (step, next) = auto.look(&sample, &has, u64::MAX, now);
        awake = at + next.awake;
        asleep = next.asleep.map(|delay| at + delay);
        match step {
            Move::Rest => {}
            Move::Ask { pages, own } => {
                assert!(!own && pages > 0);
                coming = Some((pages, at + TRANSFER));
            }
            Move::GiveBack { pages } => {
                assert!(pages > 0 && pages <= balance);
                balance -= pages;
                others += pages;
                moves += 1;
                auto.gave_back(pages, now);
                awake = at;
            }
        }
    }
    seen.tally = auto.tally();
    seen.balance = balance as i64;
    seen
}

/// `from` pages, and after a second `rate` pages a second more, up to `peak` more.
fn rise(at: Nanos, from: u64, rate: u64, peak: u64) -> u64 {
    let since = at.saturating_sub(SECOND);
    from + (since * rate / SECOND).min(peak)
}

#[test]
fn a_rise_of_100_mib_a_second_to_twice_the_domain_meets_no_stall() {
    let seen = play(
        6 * SECOND,
        1_000 * MIB,
        |_| true,
        |at| (rise(at, 100 * MIB, 100 * MIB, 284 * MIB), 8 * MIB),
    );
    assert_eq!(seen.stalled, 0, "{seen:?}");
    // What was got is not much more than what was needed.
    assert!(seen.most >= 196 * MIB && seen.most <= 260 * MIB, "{seen:?}");
}

#[test]
fn the_steepest_rise_is_met_with_requests_one_after_the_other() {
    let seen = play(
        3 * SECOND,
        1_000 * MIB,
        |_| true,
        |at| (rise(at, 100 * MIB, 800 * MIB, 284 * MIB), 8 * MIB),
    );
    // 16 MiB in 45 ms are less than half of what it uses: it waits, and no longer than for that.
    assert!(seen.stalled < 900 * MILLISECOND, "{seen:?}");
    assert!(seen.most >= 196 * MIB, "{seen:?}");
}

#[test]
fn a_slow_rise_is_met_before_nothing_is_left() {
    let seen = play(
        120 * SECOND,
        1_000 * MIB,
        |_| true,
        |at| (rise(at, 150 * MIB, MIB, 80 * MIB), 8 * MIB),
    );
    assert_eq!(seen.stalled, 0, "{seen:?}");
    assert!(seen.most <= 64 * MIB, "{seen:?}");
}

#[test]
fn streaming_files_is_no_need() {
    let seen = play(
        10 * SECOND,
        1_000 * MIB,
        |_| true,
        |at| (100 * MIB, at * 1_000 * MIB / SECOND),
    );
    assert_eq!(seen.tally.asked, 0, "{seen:?}");
}

#[test]
fn an_idle_domain_is_never_woken_and_asks_for_nothing() {
    let seen = play(
        60 * SECOND,
        1_000 * MIB,
        |_| false,
        |_| (100 * MIB, 8 * MIB),
    );
    assert_eq!((seen.wakeups, seen.tally.looks), (0, 0));
}

#[test]
fn what_a_burst_needed_goes_back_in_full_though_nothing_runs_after_it() {
    let burst = |at: Nanos| at < 4 * SECOND;
    let seen = play(20 * SECOND, 1_000 * MIB, burst, |at| {
        let used = if burst(at) {
            rise(at, 100 * MIB, 100 * MIB, 200 * MIB)
        } else {
            100 * MIB
        };
        (used, 8 * MIB)
    });
    assert!(seen.most > 100 * MIB, "{seen:?}");
    assert_eq!(seen.balance, 0, "{seen:?}");
    // It is woken for that, and then no more.
    assert!(seen.wakeups <= 5, "{seen:?}");
}

#[test]
fn a_sawtooth_moves_little_more_than_it_needs() {
    // Every four seconds, 100 MiB more than there are, for a second.
    let period = 4 * SECOND;
    let seen = play(
        400 * SECOND,
        1_000 * MIB,
        |_| true,
        |at| {
            let since = at % period;
            let used = if since < 2 * SECOND {
                rise(since, 100 * MIB, 200 * MIB, 180 * MIB)
            } else {
                100 * MIB
            };
            (used, 8 * MIB)
        },
    );
    let demand = 100 * 92 * MIB;
    assert!(seen.tally.regrets > 0, "{seen:?}");
    assert!(
        seen.tally.got + seen.tally.given_back < demand / 4,
        "{seen:?}"
    );
}

#[test]
fn who_has_nothing_to_give_is_asked_a_few_times_a_second() {
    let seen = play(60 * SECOND, 0, |_| true, |_| (191 * MIB, 0));
    assert!((120..=150).contains(&seen.tally.refused), "{seen:?}");
    assert_eq!(seen.balance, 0);
}

#[test]
fn a_lender_asks_for_its_own_first() {
    let sample = Sample {
        total: 160 * MIB,
        available: 0,
        ..Sample::default()
    };
    let has = Holdings {
        baseline: BASELINE,
        balance: -800,
        readahead: 0,
        deferred: 0,
    };
    let (step, _) = Auto::new().look(&sample, &has, u64::MAX, START);
    assert_eq!(
        step,
        Move::Ask {
            pages: 800,
            own: true
        }
    );
}

#[test]
fn nothing_is_asked_for_above_the_ceiling() {
    let sample = Sample {
        total: 160 * MIB,
        ..Sample::default()
    };
    let look = |room| {
        Auto::new()
            .look(&sample, &Holdings::default(), room, START)
            .0
    };
    assert_eq!(look(0), Move::Rest);
    assert_eq!(
        look(100),
        Move::Ask {
            pages: 100,
            own: false
        }
    );
}

/// Looks once a second at a domain of `total` pages that had `before` available, got `got` and has
/// so much available since; returns what it gives back first.
fn gives_back(total: u64, before: u64, got: u64, available: u64) -> Option<u64> {
    let mut auto = Auto::new();
    let sample = |total, available| Sample {
        total,
        free: available,
        available,
        ..Sample::default()
    };
    let mut has = Holdings {
        baseline: total,
        ..Holdings::default()
    };
    let _ = auto.look(&sample(total, before), &has, u64::MAX, START);
    auto.asked(got, got, START);
    has.balance = got as i64;
    (0..20).find_map(|second| {
        // Later: this is no steep burst.
        let now = START + (60 + second) * SECOND;
        match auto.look(&sample(total + got, available), &has, u64::MAX, now) {
            (Move::GiveBack { pages }, _) => Some(pages),
            _ => None,
        }
    })
}

#[test]
fn who_got_along_with_little_gives_all_back() {
    // It had 12 MiB available, less than a donor keeps, and has them again.
    let (before, got) = (12 * MIB, 100 * MIB);
    assert_eq!(
        gives_back(160 * MIB, before, got, before + got),
        Some(100 * MIB)
    );
    // What is in use still is kept, and what would be asked for at once.
    let some = gives_back(160 * MIB, before, got, 56 * MIB).unwrap_or(0);
    assert!((46 * MIB..50 * MIB).contains(&some), "{some}");
}

#[test]
fn what_is_kept_for_the_next_burst_is_not_what_never_goes_home() {
    // It has 30 MiB available by itself; steep bursts would have it keep 16, and 24 besides.
    let seen = play(
        90 * SECOND,
        1_000 * MIB,
        |_| true,
        |at| {
            let burst = if at % (8 * SECOND) < 3 * SECOND && at < 24 * SECOND {
                rise(at % (8 * SECOND), 0, 800 * MIB, 200 * MIB)
            } else {
                0
            };
            (158 * MIB + burst, 0)
        },
    );
    assert!(seen.most > 150 * MIB, "{seen:?}");
    assert_eq!(seen.balance, 0, "{seen:?}");
}

#[test]
fn nothing_is_given_back_that_would_be_asked_for_at_once() {
    // A large domain asks when less than 16 MiB are left, and keeps twice that.
    let (before, got) = (10 * MIB, 100 * MIB);
    assert_eq!(
        gives_back(4_096 * MIB, before, got, 110 * MIB),
        Some(78 * MIB)
    );
    assert_eq!(gives_back(4_096 * MIB, before, got, 33 * MIB), None);
}

#[test]
fn what_somebody_asked_for_by_hand_is_his() {
    let sample = Sample {
        total: 300 * MIB,
        free: 250 * MIB,
        available: 250 * MIB,
        ..Sample::default()
    };
    let has = Holdings {
        baseline: BASELINE,
        balance: 100 * MIB as i64,
        readahead: 0,
        deferred: 0,
    };
    let mut auto = Auto::new();
    for second in 0..100 {
        let now = START + second * SECOND;
        let (step, next) = auto.look(&sample, &has, u64::MAX, now);
        assert_eq!((step, next.asleep), (Move::Rest, None));
    }
}

#[test]
fn the_rate_is_of_what_is_used_and_not_of_what_moves() {
    let mut pressure = Pressure::new();
    let mut sample = Sample {
        total: 200 * MIB,
        free: 100 * MIB,
        ..Sample::default()
    };
    let mut now = START;
    pressure.see(&sample, now);
    for _ in 0..20 {
        now += 8 * MILLISECOND;
        sample.free -= MIB;
        pressure.see(&sample, now);
    }
    let rate = pressure.rate();
    assert!((110 * MIB..=125 * MIB).contains(&rate), "{}", rate / MIB);
    // Given to Dom0.
    now += 8 * MILLISECOND;
    sample.free -= 32 * MIB;
    sample.moves += 1;
    pressure.see(&sample, now);
    assert_eq!(pressure.rate(), rate);
    for _ in 0..50 {
        now += 8 * MILLISECOND;
        pressure.see(&sample, now);
    }
    assert!(pressure.rate() < rate / 100);
}

#[test]
fn what_is_in_no_counter_for_a_moment_is_no_rise() {
    let mut pressure = Pressure::new();
    let used = [100, 100, 110, 100, 100, 112, 100, 100];
    for (n, used) in used.into_iter().enumerate() {
        let sample = Sample {
            total: 192 * MIB,
            free: (192 - used) * MIB,
            ..Sample::default()
        };
        pressure.see(&sample, START + n as u64 * 8 * MILLISECOND);
        assert_eq!(pressure.rate(), 0, "after {n}");
    }
    // What lasts is one, from where it began.
    for n in 8..10 {
        let sample = Sample {
            total: 192 * MIB,
            free: 84 * MIB,
            ..Sample::default()
        };
        pressure.see(&sample, START + n * 8 * MILLISECOND);
    }
    assert!(pressure.rate() >= 100 * MIB, "{}", pressure.rate());
}

#[test]
fn a_histogram_forgets_what_was_long_ago() {
    let mut heights = Histogram::new();
    assert_eq!(heights.quantile(50, 0), None);
    heights.add(100_000);
    assert_eq!(heights.quantile(50, 0), Some(131_072));
    for _ in 0..5 {
        heights.add(1_000);
    }
    assert_eq!(heights.quantile(50, 0), Some(1_024));
    assert_eq!(heights.quantile(100, 0), Some(131_072));
    assert_eq!(heights.quantile(50, 1_024), Some(131_072));
    assert_eq!(heights.quantile(50, 200_000), None);
    for _ in 0..200 {
        heights.add(1_000);
    }
    assert_eq!(heights.quantile(100, 0), Some(1_024));
}

#[test]
fn a_rise_that_goes_on_is_asked_for_in_whole_pieces() {
    let mut auto = Auto::new();
    let has = Holdings {
        baseline: BASELINE,
        ..Holdings::default()
    };
    let asks = (0..).find_map(|tick: u64| {
        let free = (100 * MIB).saturating_sub(tick * 8 * 100 * MIB / 1_000);
        let sample = Sample {
            total: BASELINE,
            free,
            available: free,
            ..Sample::default()
        };
        let now = START + tick * 8 * MILLISECOND;
        match auto.look(&sample, &has, u64::MAX, now).0 {
            Move::Rest => None,
            step => Some((step, free)),
        }
    });
    let Some((Move::Ask { pages, .. }, left)) = asks else {
        panic!("{asks:?}");
    };
    // While there is a fifth of a second's worth left, and for as much again as it has risen.
    assert!((20 * MIB..24 * MIB).contains(&left), "{left}");
    assert_eq!(pages, 16 * MIB);
}

#[test]
fn after_steep_bursts_more_is_kept_for_the_next() {
    // What is left of what it got: 160 MiB more are used at once, and 20 MiB of that are freed.
    let kept = |rate: u64| {
        let seen = play(
            20 * SECOND,
            1_000 * MIB,
            |_| true,
            |at| {
                let used = match at {
                    _ if at < 4 * SECOND => rise(at, 100 * MIB, rate, 180 * MIB),
                    _ => 260 * MIB,
                };
                (used, 0)
            },
        );
        assert!(seen.tally.given_back > 0, "{seen:?}");
        (BASELINE + seen.balance as u64 - 260 * MIB) / MIB
    };
    let (slow, steep) = (kept(60 * MIB), kept(400 * MIB));
    assert!(slow < 40, "{slow}");
    assert!(steep > slow + 20, "{steep} and {slow}");
}

#[test]
fn the_next_burst_is_expected_to_be_like_the_last_ones() {
    let mut appetite = Appetite::new();
    let mut now = START;
    // A burst of 100 MiB at 100 MiB a second, then nothing.
    let mut run = |appetite: &mut Appetite, upto: u64| {
        let mut used = 50 * MIB;
        appetite.see(used, now);
        for _ in 0..upto {
            now += 10 * MILLISECOND;
            used += MIB;
            appetite.see(used, now);
        }
    };
    run(&mut appetite, 100);
    assert_eq!(appetite.remaining(), 100 * MIB);
    run(&mut appetite, 0);
    now += SECOND;
    appetite.see(50 * MIB, now);
    // 128 MiB, the power of two above it.
    assert_eq!(appetite.rate(), 128 * MIB);
    let mut used = 50 * MIB;
    for _ in 0..40 {
        now += 10 * MILLISECOND;
        appetite.see(used, now);
        used += MIB;
    }
    assert_eq!(appetite.remaining(), (128 - 39) * MIB);
}

/// A domain without a balance, of which so much is available.
fn shown(available: u64) -> (Sample, Holdings) {
    let sample = Sample {
        total: BASELINE,
        free: available,
        available,
        ..Sample::default()
    };
    let has = Holdings {
        baseline: BASELINE,
        ..Holdings::default()
    };
    (sample, has)
}

#[test]
fn memory_runs_short_before_there_is_none_and_whether_more_is_to_be_had_or_not() {
    let mut auto = Auto::new();
    for (available, room, pressed) in [
        (100 * MIB, 0, false),
        (MIB, 0, true),
        (MIB, 100 * MIB, true),
        (100 * MIB, 100 * MIB, false),
    ] {
        let (sample, has) = shown(available);
        let _ = auto.look(&sample, &has, room, START);
        assert_eq!(auto.is_pressed(), pressed, "{available} {room}");
    }
}

#[test]
fn more_is_wanted_while_memory_is_used_up() {
    let mut auto = Auto::new();
    let wanted_at_rest = auto.wanted(BASELINE);
    assert_eq!(wanted_at_rest, BASELINE / 64);
    for millisecond in 0..100 {
        // 100 MiB a second.
        let (sample, has) = shown(100 * MIB - millisecond * MIB / 10);
        let _ = auto.look(&sample, &has, 0, START + millisecond * MILLISECOND);
    }
    // What is used up in the next 200 ms.
    let rise = auto.wanted(BASELINE) - wanted_at_rest;
    assert!((15 * MIB..=25 * MIB).contains(&rise), "{rise}");
}

#[test]
fn what_a_program_leaves_behind_goes_back_when_it_is_idle() {
    let mut auto = Auto::new();
    let (sample, mut has) = shown(100 * MIB);
    has.balance = (20 * MIB) as i64;
    let look = |auto: &mut Auto, now| auto.look(&sample, &has, 0, now).0;
    for seconds in 0..10 {
        assert_eq!(look(&mut auto, START + seconds * SECOND), Move::Rest);
    }
    auto.adopt(16 * MIB);
    assert_eq!(look(&mut auto, START + 10 * SECOND), Move::Rest);
    let step = look(&mut auto, START + 13 * SECOND);
    assert_eq!(step, Move::GiveBack { pages: 16 * MIB });
}
