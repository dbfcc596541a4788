// SPDX-License-Identifier: GPL-2.0

//! Tables: each beside a naive one, and what each function costs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cmm::tables::{
    Arena, Chunks, Deadlines, Due, Holds, Index, Nodes, Place, Queue, Queued, Ranked, Ranking,
    Refusal, Storage, LONGEST_CHAIN,
};
use cmm::DomId;
use cmm_host_tests::counted::Counted;
use cmm_host_tests::random::Random;
use proptest::prelude::*;

/// How many nodes of a queue each entry has.
const WAITS: usize = 3;

/// The nodes of an entry that is in all kinds of tables.
#[derive(Clone, Copy, Debug, Default)]
struct Links {
    ranked: Ranked,
    due: Due,
    queued: [Queued; WAITS],
}

struct Tag;

impl Holds<Ranked, Tag> for Links {
    fn node(&self, _part: usize) -> Option<&Ranked> {
        Some(&self.ranked)
    }

    fn node_mut(&mut self, _part: usize) -> Option<&mut Ranked> {
        Some(&mut self.ranked)
    }
}

impl Holds<Due, Tag> for Links {
    fn node(&self, _part: usize) -> Option<&Due> {
        Some(&self.due)
    }

    fn node_mut(&mut self, _part: usize) -> Option<&mut Due> {
        Some(&mut self.due)
    }
}

impl Holds<Queued, Tag> for Links {
    const EACH: usize = WAITS;

    fn node(&self, part: usize) -> Option<&Queued> {
        self.queued.get(part)
    }

    fn node_mut(&mut self, part: usize) -> Option<&mut Queued> {
        self.queued.get_mut(part)
    }
}

type Room = Place<Links, u64>;
type Counting = Arena<Counted<Vec<Room>>>;

fn dom(number: usize) -> DomId {
    DomId::new(number as u16).expect("not reserved")
}

fn room(places: usize) -> Vec<Room> {
    vec![Room::default(); places]
}

/// An arena of so many entries, for domains from 1 on, and where they are.
fn filled(entries: usize) -> (Counting, Vec<Index>) {
    let mut arena = Arena::new(Counted::new(room(entries)));
    let at = (1..=entries)
        .map(|i| arena.insert(dom(i), i as u64).expect("there is room"))
        .collect();
    arena.storage().take();
    (arena, at)
}

/// What something costs, in accesses.
fn cost(arena: &mut Counting, act: impl FnOnce(&mut Counting)) -> u64 {
    arena.storage().take();
    act(arena);
    arena.storage().take()
}

// Arena

#[derive(Clone, Debug)]
enum Change {
    Insert(usize),
    Remove(usize),
    Grow(usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    // Few numbers, and many that share a bucket.
    let number = prop_oneof![0..40usize, (0..200usize).prop_map(|n| n * 64)];
    let change = prop_oneof![
        5 => number.clone().prop_map(Change::Insert),
        3 => number.prop_map(Change::Remove),
        1 => (1..20usize).prop_map(Change::Grow),
    ];
    proptest::collection::vec(change, 0..400)
}

proptest! {
    #[test]
    fn entries_are_found_and_stay_where_they_are(changes in changes()) {
        let mut arena = Arena::new(room(4));
        let mut naive: BTreeMap<DomId, (Index, u64)> = BTreeMap::new();
        for (value, change) in changes.iter().enumerate() {
            let value = value as u64;
            match *change {
                Change::Insert(number) => {
                    let dom = dom(number);
                    match arena.insert(dom, value) {
                        Ok(at) => {
                            prop_assert!(naive.values().all(|(other, _)| *other != at));
                            prop_assert!(naive.insert(dom, (at, value)).is_none());
                        }
                        Err(Refusal::Known) => prop_assert!(naive.contains_key(&dom)),
                        Err(Refusal::Full) => {
                            prop_assert_eq!(naive.len(), arena.storage().places());
                        }
                    }
                }
                Change::Remove(number) => {
                    let at = arena.find(dom(number));
                    let found = at.and_then(|at| arena.remove(at));
                    let known = naive.remove(&dom(number));
                    prop_assert_eq!(found, known.map(|(_, value)| value));
                }
                Change::Grow(more) => {
                    arena.storage_mut().extend(room(more));
                }
            }
            prop_assert_eq!(arena.check(), Ok(()));
            prop_assert_eq!(arena.len(), naive.len());
            for (dom, (at, value)) in &naive {
                prop_assert_eq!(arena.find(*dom), Some(*at));
                prop_assert_eq!(arena.dom(*at), Some(*dom));
                prop_assert_eq!(arena.get(*at), Some(value));
            }
        }
        let all: BTreeMap<_, _> = arena.iter().map(|(at, dom, value)| (dom, (at, *value))).collect();
        prop_assert_eq!(all, naive);
    }
}

#[test]
fn what_is_gone_is_not_there() {
    let (mut arena, at) = filled(3);
    assert_eq!(arena.remove(at[1]), Some(2));
    assert_eq!(arena.remove(at[1]), None);
    assert_eq!(arena.get(at[1]), None);
    assert_eq!(arena.get_mut(at[1]), None);
    assert_eq!(arena.dom(at[1]), None);
    assert_eq!(arena.at(1), None);
    assert_eq!(arena.at(2), Some(at[2]));
    assert_eq!(arena.at(3), None);
    assert_eq!(arena.find(dom(2)), None);
    assert_eq!(arena.len(), 2);
    // The place is used again, and nothing else is.
    assert_eq!(arena.insert(dom(9), 9), Ok(at[1]));
    assert_eq!(arena.insert(dom(10), 10), Err(Refusal::Full));
    assert_eq!(arena.insert(dom(9), 10), Err(Refusal::Known));
}

#[test]
fn domains_as_xen_numbers_them_share_no_bucket() {
    for entries in [10, 100, 1_000, 10_000] {
        // Those that run have numbers in a row, from anywhere on.
        let mut arena = Counting::new(Counted::new(room(entries)));
        for i in 0..entries {
            arena.insert(dom(20_000 + i), 0).expect("there is room");
        }
        let worst = (0..entries)
            .map(|i| {
                cost(&mut arena, |arena| {
                    assert!(arena.find(dom(20_000 + i)).is_some())
                })
            })
            .max();
        // The buckets beyond the last power of two take numbers of those before them: two share
        // one.
        assert!(worst <= Some(3), "{worst:?} of {entries}");
    }
}

#[test]
fn no_choice_of_numbers_makes_many_share_a_bucket() {
    for bits in 0..15 {
        let mut arena = Counting::new(Counted::new(room(10_000)));
        // All of the same lowest bits.
        let numbers: Vec<_> = (1..32_752)
            .filter(|n| n % (1 << bits) == 0)
            .take(10_000)
            .collect();
        let mut worst = 0;
        for number in &numbers {
            let insert = |arena: &mut Counting| {
                arena.insert(dom(*number), 0).expect("there is room");
            };
            worst = worst.max(cost(&mut arena, insert));
        }
        let find = numbers
            .iter()
            .map(|n| cost(&mut arena, |arena| assert!(arena.find(dom(*n)).is_some())))
            .max()
            .unwrap_or(0);
        assert!(find <= 1 + LONGEST_CHAIN as u64, "{find} at {bits}");
        assert!(worst <= 6 + 4 * LONGEST_CHAIN as u64, "{worst} at {bits}");
        for number in &numbers {
            let at = arena.find(dom(*number)).expect("there");
            worst = worst.max(cost(&mut arena, |arena| {
                arena.remove(at).expect("there");
            }));
        }
        assert!(worst <= 6 + 4 * LONGEST_CHAIN as u64, "{worst} at {bits}");
    }
}

#[test]
fn chunks_are_added_without_a_copy() {
    let mut arena = Arena::new(Chunks::<_, 8>(vec![room(8)]));
    for i in 0..8 {
        arena.insert(dom(i), i as u64).expect("there is room");
    }
    assert_eq!(arena.insert(dom(8), 8), Err(Refusal::Full));
    arena.storage_mut().0.push(room(8));
    assert_eq!(arena.storage().places(), 16);
    for i in 8..16 {
        arena.insert(dom(i), i as u64).expect("there is room");
    }
    assert_eq!(arena.insert(dom(16), 16), Err(Refusal::Full));
    assert_eq!(arena.check(), Ok(()));
    let values: Vec<_> = arena.iter().map(|(_, _, value)| *value).collect();
    assert_eq!(values, (0..16).collect::<Vec<_>>());
}

#[test]
fn what_a_storage_was_used_for_before_is_ignored() {
    let (mut old, at) = filled(9);
    let mut ranking = Ranking::<Tag>::default();
    let mut queue = Queue::<Tag>::default();
    for who in at {
        ranking.set(&mut old, who, 7);
        queue.push(&mut old, who.part(0, WAITS), 0);
    }
    let used = (0..9).filter_map(|i| old.storage().place(i).copied());
    let mut arena = Arena::new(used.collect::<Vec<Room>>());
    let (ranking, queue) = (Ranking::<Tag>::default(), Queue::<Tag>::default());
    assert_eq!(arena.find(dom(1)), None);
    for i in 10..15 {
        let at = arena.insert(dom(i), 0).expect("there is room");
        assert_eq!(ranking.key(&arena, at), 0);
        assert_eq!(queue.class(&arena, at.part(0, WAITS)), None);
        assert_eq!(arena.find(dom(1)), None);
        assert_eq!(arena.check(), Ok(()));
    }
    assert_eq!(arena.iter().count(), 5);
}

// Ranking

/// The bounds of the bucket of a key: it holds no key that is more than a quarter above its least.
fn may_precede(first: u64, second: u64) -> bool {
    first >= second || first.saturating_add(first / 4) >= second
}

fn keys() -> impl Strategy<Value = Vec<(usize, u64)>> {
    let key = prop_oneof![
        Just(0),
        1..20u64,
        1_000..1_300u64,
        any::<u64>(),
        Just(u64::MAX),
        (0..64u32).prop_map(|bits| 1 << bits),
    ];
    proptest::collection::vec((0..30usize, key), 0..200)
}

proptest! {
    #[test]
    fn the_best_are_found(keys in keys()) {
        let (mut arena, at) = filled(30);
        let mut ranking = Ranking::<Tag>::default();
        let mut naive: BTreeMap<Index, u64> = BTreeMap::new();
        for (who, key) in keys {
            ranking.set(&mut arena, at[who], key);
            naive.insert(at[who], key);
            naive.retain(|_, key| *key > 0);
            prop_assert_eq!(ranking.check(&arena), Ok(()));
            prop_assert_eq!(ranking.len(), naive.len());
            prop_assert_eq!(ranking.is_empty(), naive.is_empty());
            prop_assert_eq!(ranking.key(&arena, at[who]), key);

            let all: Vec<_> = ranking.iter(&arena).collect();
            let set: BTreeMap<_, _> = all.iter().map(|(key, at)| (*at, *key)).collect();
            prop_assert_eq!(all.len(), naive.len());
            prop_assert_eq!(&set, &naive);
            prop_assert!(all.windows(2).all(|pair| may_precede(pair[0].0, pair[1].0)));

            let mut sorted: Vec<_> = naive.values().copied().collect();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            sorted.truncate(8);
            for look in [8, 16, 30] {
                let best: [_; 8] = ranking.best(&arena, look);
                let best: Vec<_> = best.iter().flatten().collect();
                let found: Vec<_> = best.iter().map(|(key, _)| *key).collect();
                let who: BTreeSet<_> = best.iter().map(|(_, at)| *at).collect();
                prop_assert_eq!(who.len(), found.len());
                prop_assert!(found.windows(2).all(|pair| pair[0] >= pair[1]));
                prop_assert!(best.iter().all(|(key, at)| naive[at] == *key));
                if naive.len() <= look {
                    prop_assert_eq!(&found, &sorted);
                } else {
                    prop_assert_eq!(found.len(), sorted.len());
                    prop_assert!(found.iter().zip(&sorted).all(|(f, s)| may_precede(*f, *s)));
                }
            }
        }
    }
}

#[test]
fn in_a_bucket_who_was_there_first_is_first() {
    let (mut arena, at) = filled(3);
    let mut ranking = Ranking::<Tag>::default();
    let order = |ranking: &Ranking<Tag>, arena: &Counting| -> Vec<_> {
        ranking.iter(arena).map(|(_, at)| at).collect()
    };
    for (who, key) in [(0, 1_000), (1, 1_001), (2, 1_000)] {
        ranking.set(&mut arena, at[who], key);
    }
    assert_eq!(order(&ranking, &arena), at);
    // Of equal ones, too, the first is the best.
    let best: [_; 2] = ranking.best(&arena, 8);
    assert_eq!(best, [Some((1_001, at[1])), Some((1_000, at[0]))]);
    // A change within the bucket changes nothing; whoever leaves it comes back last.
    ranking.set(&mut arena, at[0], 1_010);
    assert_eq!(order(&ranking, &arena), at);
    ranking.set(&mut arena, at[0], 1);
    ranking.set(&mut arena, at[0], 1_010);
    assert_eq!(order(&ranking, &arena), [at[1], at[2], at[0]]);
}

#[test]
fn a_crowd_does_not_make_ranking_dearer() {
    for entries in [20, 10_000] {
        let (mut arena, at) = filled(entries);
        let mut ranking = Ranking::<Tag>::default();
        let mut random = Random::new(1);
        for round in 0..4 {
            for who in &at {
                // In the last rounds all are in one bucket, or in few.
                let key = match round {
                    0 => random.number(),
                    1 => random.range(0, 1 << 20),
                    _ => random.range(1 << 20, (1 << 20) + 9),
                };
                let spent = cost(&mut arena, |arena| ranking.set(arena, *who, key));
                assert!(spent <= 9, "{spent}");
            }
            let spent = cost(&mut arena, |arena| {
                assert!(ranking.best::<8>(arena, 16).iter().all(Option::is_some));
            });
            assert!(spent <= 17, "{spent}");
        }
        ranking.check(&arena).expect("in order");
    }
}

// Queue

#[derive(Clone, Debug)]
enum Wait {
    Push(usize, usize),
    Remove(usize),
    Pop,
}

fn waits() -> impl Strategy<Value = Vec<Wait>> {
    let wait = prop_oneof![
        5 => (0..10 * WAITS, 0..4usize).prop_map(|(who, class)| Wait::Push(who, class)),
        2 => (0..10 * WAITS).prop_map(Wait::Remove),
        2 => Just(Wait::Pop),
    ];
    proptest::collection::vec(wait, 0..300)
}

proptest! {
    #[test]
    fn everybody_has_its_turn(waits in waits()) {
        let (mut arena, at) = filled(10);
        let node = |who: usize| at[who / WAITS].part(who % WAITS, WAITS);
        let mut queue = Queue::<Tag, 3>::default();
        let mut naive = vec![VecDeque::new(); 3];
        for wait in waits {
            match wait {
                Wait::Push(who, class) => {
                    queue.push(&mut arena, node(who), class);
                    let class = class.min(2);
                    if !naive[class].contains(&node(who)) {
                        for other in &mut naive {
                            other.retain(|other| *other != node(who));
                        }
                        naive[class].push_back(node(who));
                    }
                    prop_assert_eq!(queue.class(&arena, node(who)), Some(class));
                }
                Wait::Remove(who) => {
                    let waited = naive.iter().any(|class| class.contains(&node(who)));
                    prop_assert_eq!(queue.remove(&mut arena, node(who)), waited);
                    for other in &mut naive {
                        other.retain(|other| *other != node(who));
                    }
                    prop_assert_eq!(queue.class(&arena, node(who)), None);
                }
                Wait::Pop => {
                    let first = naive.iter_mut().find_map(VecDeque::pop_front);
                    prop_assert_eq!(queue.pop(&mut arena), first);
                }
            }
            prop_assert_eq!(queue.check(&arena), Ok(()));
            let all: Vec<_> = queue.iter(&arena).collect();
            let expected: Vec<_> = naive.iter().flatten().copied().collect();
            prop_assert_eq!(queue.len(), expected.len());
            prop_assert_eq!(queue.is_empty(), expected.is_empty());
            prop_assert_eq!(queue.first(), expected.first().copied());
            prop_assert_eq!(all, expected);
        }
    }
}

#[test]
fn a_crowd_does_not_make_waiting_dearer() {
    for entries in [10, 10_000] {
        let (mut arena, at) = filled(entries);
        let mut queue = Queue::<Tag, 3>::default();
        let mut random = Random::new(1);
        for _ in 0..50_000 {
            let node = random
                .pick(&at)
                .part(random.range(0, WAITS as u64) as usize, WAITS);
            let class = random.range(0, 3) as usize;
            let (most, spent) = match random.range(0, 4) {
                0 => (
                    5,
                    cost(&mut arena, |arena| {
                        assert!(queue.pop(arena).is_some() || queue.is_empty())
                    }),
                ),
                1 => (
                    5,
                    cost(&mut arena, |arena| {
                        let len = queue.len();
                        let waited = queue.remove(arena, node);
                        assert_eq!(queue.len() + usize::from(waited), len);
                    }),
                ),
                _ => (12, cost(&mut arena, |arena| queue.push(arena, node, class))),
            };
            assert!(spent <= most, "{spent}");
        }
        queue.check(&arena).expect("in order");
    }
}

#[test]
fn a_node_knows_its_entry() {
    let (arena, at) = filled(7);
    for entry in at {
        for part in 0..WAITS {
            assert_eq!(entry.part(part, WAITS).split(WAITS), (entry, part));
            let node: Option<&Queued> = arena.node(entry.part(part, WAITS));
            assert!(node.is_some());
        }
    }
}

// Deadlines

fn times() -> impl Strategy<Value = Vec<(usize, Option<u64>)>> {
    let time = proptest::option::weighted(0.7, prop_oneof![0..10u64, any::<u64>()]);
    proptest::collection::vec((0..40usize, time), 0..300)
}

proptest! {
    #[test]
    fn the_soonest_is_first(times in times()) {
        let (mut arena, at) = filled(40);
        let mut deadlines = Deadlines::<Tag>::default();
        let mut naive: BTreeMap<Index, u64> = BTreeMap::new();
        for (who, time) in times {
            deadlines.set(&mut arena, at[who], time);
            match time {
                Some(time) => naive.insert(at[who], time),
                None => naive.remove(&at[who]),
            };
            prop_assert_eq!(deadlines.check(&arena), Ok(()));
            prop_assert_eq!(deadlines.len(), naive.len());
            prop_assert_eq!(deadlines.is_empty(), naive.is_empty());
            let first = deadlines.first(&arena);
            prop_assert_eq!(first.map(|(time, _)| time), naive.values().min().copied());
            prop_assert!(first.is_none_or(|(time, who)| naive[&who] == time));
            for who in &at {
                prop_assert_eq!(deadlines.get(&arena, *who), naive.get(who).copied());
            }
        }
        // All that are left, in their order.
        let mut sorted: Vec<_> = naive.values().copied().collect();
        sorted.sort_unstable();
        for time in sorted {
            let (first, who) = deadlines.first(&arena).expect("one is left");
            prop_assert_eq!(first, time);
            deadlines.set(&mut arena, who, None);
        }
        prop_assert!(deadlines.is_empty());
    }

    #[test]
    fn deadlines_outlast_those_beside_them(
        gone in proptest::collection::vec(0..20usize, 0..40),
        times in proptest::collection::vec(any::<u64>(), 20),
    ) {
        // What belongs at a position is kept in a node whose entry may be gone.
        let (mut arena, mut at) = filled(20);
        let mut deadlines = Deadlines::<Tag>::default();
        for (who, time) in at.iter().zip(&times) {
            deadlines.set(&mut arena, *who, Some(*time));
        }
        let mut left: BTreeMap<Index, u64> = at.iter().copied().zip(times).collect();
        for i in gone {
            if left.remove(&at[i]).is_some() {
                deadlines.set(&mut arena, at[i], None);
                arena.remove(at[i]).expect("there");
            } else {
                at[i] = arena.insert(dom(100 + i), 0).expect("there is room");
                // It may be where another was: that one is gone, and this is another.
                deadlines.set(&mut arena, at[i], Some(5));
                left.insert(at[i], 5);
            }
            prop_assert_eq!(deadlines.check(&arena), Ok(()));
            prop_assert_eq!(arena.check(), Ok(()));
            prop_assert_eq!(deadlines.len(), left.len());
            for (who, time) in &left {
                prop_assert_eq!(deadlines.get(&arena, *who), Some(*time));
            }
        }
    }
}

#[test]
fn deadlines_cost_as_the_heap_is_high() {
    for (entries, levels) in [(5, 2), (85, 4), (10_000, 8)] {
        let (mut arena, at) = filled(entries);
        let mut deadlines = Deadlines::<Tag>::default();
        let mut random = Random::new(1);
        let mut worst = 0;
        for round in 0..4u64 {
            for who in &at {
                let time = random.permille(800).then(|| match round {
                    // Each before all others; then each behind them; then anywhere.
                    0 => u64::MAX / 2 - deadlines.len() as u64,
                    1 => u64::MAX / 2 + deadlines.len() as u64,
                    _ => random.number(),
                });
                let set = |arena: &mut Counting| deadlines.set(arena, *who, time);
                worst = worst.max(cost(&mut arena, set));
            }
        }
        while let Some((_, who)) = deadlines.first(&arena) {
            let set = |arena: &mut Counting| deadlines.set(arena, who, None);
            worst = worst.max(cost(&mut arena, set));
        }
        assert!(worst <= 8 + 6 * levels, "{worst} of {entries}");
    }
}
