//! Who sends next: fair by bytes between flow groups, then between the lanes of a group.
//!
//! Only lanes that have something to send are known here, so an idle lane costs nothing.

use super::{
    arena::{Arena, NONE},
    drr::{Drr, Item},
    hash::IntMap,
};
use crate::room::give_back;

/// The place of an active lane in the schedule.
pub(super) type Ticket = u32;

#[derive(Debug, Default)]
pub(super) struct Schedule {
    flows: Arena<Item<Flow>>,
    by_key: IntMap<u64, u32>,
    lanes: Arena<Item<Entry>>,
    top: Drr,
}

#[derive(Debug)]
struct Flow {
    key: u64,
    lanes: Drr,
}

#[derive(Debug)]
struct Entry {
    lane: u32,
    flow: u32,
}

impl Schedule {
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.len() == 0
    }

    /// Lanes that have something to send.
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Enters a lane that is not in the schedule.
    pub(super) fn enter(&mut self, flow: u64, lane: u32, quantum: i64) -> Ticket {
        let index = match self.by_key.get(&flow) {
            Some(&index) => index,
            None => {
                let index = self.flows.insert(Item::new(Flow { key: flow, lanes: Drr::default() }));
                self.by_key.insert(flow, index);
                self.top.add(&mut self.flows, index, quantum);
                index
            }
        };
        let ticket = self.lanes.insert(Item::new(Entry { lane, flow: index }));
        if let Some(flow) = self.flows.get_mut(index) {
            flow.value.lanes.add(&mut self.lanes, ticket, quantum);
        }
        ticket
    }

    /// Takes a lane out.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        let Some(entry) = self.lanes.get(ticket) else { return };
        if let Some(flow) = self.flows.get_mut(entry.value.flow) {
            flow.value.lanes.unlink(&mut self.lanes, ticket);
        }
        self.lanes.remove(ticket);
    }

    /// Whose turn it is: the ticket and its lane.
    pub(super) fn next(&mut self, quantum: i64) -> Option<(Ticket, u32)> {
        loop {
            let index = self.top.front(&mut self.flows, quantum)?;
            let flow = &mut self.flows.get_mut(index)?.value;
            if let Some(ticket) = flow.lanes.front(&mut self.lanes, quantum) {
                return Some((ticket, self.lanes.get(ticket)?.value.lane));
            }
            self.forget(index);
        }
    }

    /// The lane of the last `next` sent `bytes` and has `more` to send. Gives back its ticket: `NONE` when it left.
    pub(super) fn served(&mut self, ticket: Ticket, bytes: usize, more: bool) -> Ticket {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let Some(index) = self.lanes.get(ticket).map(|entry| entry.value.flow) else { return NONE };
        let Some(flow) = self.flows.get_mut(index) else { return NONE };
        let stays = flow.value.lanes.served(&mut self.lanes, ticket, bytes, more);
        if !stays {
            self.lanes.remove(ticket);
        }
        let busy = !flow.value.lanes.is_empty();
        // A group that ran dry keeps its place for one more round, like a lane: stopping often must not make it fresh.
        if !self.top.served(&mut self.flows, index, bytes, busy) {
            self.drop_flow(index);
        }
        if stays { ticket } else { NONE }
    }

    /// A group came to its turn with nothing to send.
    fn forget(&mut self, index: u32) {
        self.top.unlink(&mut self.flows, index);
        self.drop_flow(index);
    }

    fn drop_flow(&mut self, index: u32) {
        if let Some(flow) = self.flows.remove(index) {
            self.by_key.remove(&flow.value.key);
            give_back(&mut self.by_key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const QUANTUM: i64 = 1_000;

    /// Serves `rounds` frames of 500 bytes of lanes that always have more, and counts the bytes of each.
    fn shares(lanes: &[(u64, u32)], rounds: usize) -> BTreeMap<u32, usize> {
        let (mut schedule, mut sent) = (Schedule::default(), BTreeMap::new());
        for &(flow, lane) in lanes {
            schedule.enter(flow, lane, QUANTUM);
        }
        for _ in 0..rounds {
            if let Some((ticket, lane)) = schedule.next(QUANTUM) {
                *sent.entry(lane).or_default() += 500;
                schedule.served(ticket, 500, true);
            }
        }
        sent
    }

    #[test]
    fn a_flow_with_many_lanes_gets_no_more_than_a_flow_with_one() {
        let sent = shares(&[(1, 10), (1, 11), (1, 12), (1, 13), (2, 20)], 800);
        assert_eq!(sent.get(&20), Some(&200_000));
        assert!([10, 11, 12, 13].iter().all(|lane| sent.get(lane) == Some(&50_000)), "{sent:?}");
    }

    #[test]
    fn r01_a_thousand_lanes_of_one_principal_leave_another_its_half() {
        let greedy = (1_000..2_000).map(|lane| (1, lane));
        let lanes: Vec<(u64, u32)> = greedy.chain([(2, 20)]).collect();
        let sent = shares(&lanes, 8_000);
        let (all, other): (usize, usize) = (sent.values().sum(), sent.get(&20).copied().unwrap_or_default());
        assert!(other * 10 >= all * 4, "{other} of {all} bytes: less than half, by more than 20 %");
        let most = sent.iter().filter(|(lane, _)| **lane != 20).map(|(_, bytes)| *bytes).max();
        assert!(most.is_some_and(|most| most <= 3_000), "{most:?}: its own lanes share what it gets");
    }

    #[test]
    fn a_sparse_lane_goes_before_bulk() {
        let mut schedule = Schedule::default();
        let bulk = schedule.enter(1, 1, QUANTUM);
        for _ in 0..5 {
            assert_eq!(schedule.next(QUANTUM), Some((bulk, 1)));
            schedule.served(bulk, 900, true);
        }
        let sparse = schedule.enter(1, 2, QUANTUM);
        assert_eq!(schedule.next(QUANTUM), Some((sparse, 2)));
    }

    #[test]
    fn a_flow_that_stops_after_each_burst_does_not_starve_the_others() {
        let (mut schedule, mut bursts, mut bulk) = (Schedule::default(), 0, 0);
        schedule.enter(1, 1, QUANTUM);
        for _ in 0..1_000 {
            if !schedule.lanes.iter().any(|(_, item)| item.value.lane == 2) {
                schedule.enter(2, 2, QUANTUM);
            }
            let Some((ticket, lane)) = schedule.next(QUANTUM) else { continue };
            *(if lane == 2 { &mut bursts } else { &mut bulk }) += 1;
            schedule.served(ticket, 900, lane == 1);
        }
        assert!(bulk >= 450, "bulk {bulk}, bursts {bursts}");
    }

    #[test]
    fn lanes_that_leave_take_their_flow_with_them() {
        let mut schedule = Schedule::default();
        let tickets: Vec<_> = (0..100).map(|n| schedule.enter(u64::from(n % 7), n, QUANTUM)).collect();
        tickets.iter().for_each(|&ticket| schedule.leave(ticket));
        assert!(schedule.is_empty());
        assert_eq!(schedule.next(QUANTUM), None);
        assert!(schedule.by_key.is_empty() && schedule.flows.len() == 0);
    }
}
