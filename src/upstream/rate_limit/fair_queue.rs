//! The queue for a window: one line per tenant, served in turn.

use std::collections::VecDeque;

use super::Digest;

/// At most `depth` tickets in total.
pub(super) struct FairQueue {
    depth: usize,
    length: usize,
    next: u64,
    /// In the order of their turns. No tenant is without a ticket.
    tenants: VecDeque<(Digest, VecDeque<QueueTicket>)>,
}

/// One waiting call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueueTicket(u64);

impl FairQueue {
    pub(super) fn new(depth: usize) -> Self {
        Self {
            depth,
            length: 0,
            next: 0,
            tenants: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The most calls that would be served before a new one of `tenant`.
    pub(super) fn ahead(&self, tenant: Digest) -> u64 {
        let own = self.waiting(tenant);
        let before = |(other, tickets): &(Digest, VecDeque<QueueTicket>)| {
            if *other == tenant {
                own
            } else {
                tickets.len().min(own + 1)
            }
        };
        self.tenants.iter().map(before).sum::<usize>() as u64
    }

    /// Joins the line. If the queue is full, the last call of the tenant with the most waiting calls is dropped, unless
    /// that is the newcomer's own tenant: `None`.
    pub(super) fn join(&mut self, tenant: Digest) -> Option<QueueTicket> {
        self.make_room(tenant)?;
        let ticket = self.ticket();
        match self.tickets(tenant) {
            Some(tickets) => tickets.push_back(ticket),
            None => self.tenants.push_back((tenant, VecDeque::from([ticket]))),
        }
        Some(ticket)
    }

    /// The same for a call that had its turn with this ticket but could not be sent: it is first again.
    pub(super) fn rejoin(&mut self, tenant: Digest, ticket: QueueTicket) -> Option<QueueTicket> {
        self.make_room(tenant)?;
        let mut tickets = match self.tenants.iter().position(|(other, _)| *other == tenant) {
            Some(place) => self.tenants.remove(place)?.1,
            None => VecDeque::new(),
        };
        let place = tickets.partition_point(|other| *other < ticket);
        tickets.insert(place, ticket);
        self.tenants.push_front((tenant, tickets));
        Some(ticket)
    }

    /// A ticket for a call that is sent at once.
    pub(super) fn ticket(&mut self) -> QueueTicket {
        self.next += 1;
        QueueTicket(self.next)
    }

    fn make_room(&mut self, tenant: Digest) -> Option<()> {
        if self.length >= self.depth {
            let own = self.waiting(tenant);
            let longest = self
                .tenants
                .iter_mut()
                .max_by_key(|(_, tickets)| tickets.len());
            let (_, tickets) = longest.filter(|(_, tickets)| tickets.len() > own + 1)?;
            tickets.pop_back();
            self.length -= 1;
        }
        self.length += 1;
        Some(())
    }

    fn tickets(&mut self, tenant: Digest) -> Option<&mut VecDeque<QueueTicket>> {
        let own = self.tenants.iter_mut().find(|(other, _)| *other == tenant);
        own.map(|(_, tickets)| tickets)
    }

    /// The next ticket.
    pub(super) fn first(&self) -> Option<QueueTicket> {
        self.tenants.front()?.1.front().copied()
    }

    /// Removes the first ticket. Its tenant's next turn comes after all others.
    pub(super) fn serve(&mut self) {
        let Some((tenant, mut tickets)) = self.tenants.pop_front() else {
            return;
        };
        tickets.pop_front();
        self.length -= 1;
        if !tickets.is_empty() {
            self.tenants.push_back((tenant, tickets));
        }
    }

    /// Removes a ticket from any position. Returns whether it was still there.
    pub(super) fn release(&mut self, ticket: QueueTicket) -> bool {
        let before = self.length;
        for (_, tickets) in &mut self.tenants {
            tickets.retain(|other| *other != ticket);
        }
        self.tenants.retain(|(_, tickets)| !tickets.is_empty());
        self.length = self.tenants.iter().map(|(_, tickets)| tickets.len()).sum();
        self.length < before
    }

    pub(super) fn holds(&self, ticket: QueueTicket) -> bool {
        self.tenants
            .iter()
            .any(|(_, tickets)| tickets.contains(&ticket))
    }

    fn waiting(&self, tenant: Digest) -> usize {
        let own = self.tenants.iter().find(|(other, _)| *other == tenant);
        own.map_or(0, |(_, tickets)| tickets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Digest = [1; 32];
    const B: Digest = [2; 32];

    #[test]
    fn tenants_take_turns() {
        let mut line = FairQueue::new(8);
        let a: Vec<QueueTicket> = (0..3).filter_map(|_| line.join(A)).collect();
        assert_eq!(line.ahead(A), 3);
        assert_eq!(line.ahead(B), 1);
        let b = line.join(B).expect("room");
        let mut order = Vec::new();
        while let Some(ticket) = line.first() {
            order.push(ticket);
            line.serve();
        }
        assert_eq!(order, [a[0], b, a[1], a[2]]);
        assert!(line.is_empty());
    }

    #[test]
    fn a_full_queue_makes_room_for_a_caller_with_fewer_waiting_calls() {
        let mut line = FairQueue::new(3);
        let a: Vec<QueueTicket> = (0..3).filter_map(|_| line.join(A)).collect();
        assert_eq!(line.join(A), None);
        let b = line.join(B).expect("room");
        assert!(!line.holds(a[2]));
        assert!(line.holds(b));
        assert_eq!(line.join(B), None, "2 and 1 are even enough");
        assert!(line.release(a[0]));
        assert!(!line.release(a[0]));
        assert_eq!(line.first(), Some(a[1]));
    }
}
