//! What the links of one connector may hold together, so that a hostile one cannot fill the process (T15).

use postern_ids::ConnectorId;
use postern_tunnel_io::Budget;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes that all links of a connector may hold: what a single link may.
const CONNECTOR_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The budgets of the connectors that have links here.
#[derive(Debug, Clone)]
pub struct Shares(Arc<Table>);

#[derive(Debug)]
struct Table {
    whole: Budget,
    /// Each with its number of links.
    shares: Mutex<HashMap<ConnectorId, (Budget, usize)>>,
}

/// One link's part in the budget of its connector.
#[derive(Debug)]
pub struct Share {
    connector: ConnectorId,
    budget: Budget,
    table: Arc<Table>,
}

impl Shares {
    /// Shares of the process' budget.
    pub fn new(whole: Budget) -> Self {
        Self(Arc::new(Table { whole, shares: Mutex::default() }))
    }

    /// A link of this connector comes.
    pub fn enter(&self, connector: ConnectorId) -> Share {
        let mut shares = self.0.lock();
        let new = || (self.0.whole.share(CONNECTOR_BYTES_MAX), 0);
        let (budget, links) = shares.entry(connector).or_insert_with(new);
        *links += 1;
        Share { connector, budget: budget.clone(), table: Arc::clone(&self.0) }
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectorId, (Budget, usize)>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// What the link counts into.
    pub fn budget(&self) -> Budget {
        self.budget.clone()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut shares = self.table.lock();
        if let Some((_, links)) = shares.get_mut(&self.connector) {
            *links -= 1;
            if *links == 0 {
                shares.remove(&self.connector);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_ids::Timestamp;

    #[test]
    fn t15_the_links_of_a_connector_share_one_budget_which_goes_with_the_last() {
        let connector = |n: u8| ConnectorId::mint(Timestamp::EPOCH, [n; 10]);
        let shares = Shares::new(Budget::default());
        let (first, second, foreign) =
            (shares.enter(connector(1)), shares.enter(connector(1)), shares.enter(connector(2)));
        let links = |of| shares.0.lock().get(&of).map(|(_, links)| *links);
        assert_eq!((links(connector(1)), links(connector(2))), (Some(2), Some(1)));
        drop((first, foreign));
        assert_eq!((links(connector(1)), links(connector(2))), (Some(1), None));
        drop(second);
        assert!(shares.0.lock().is_empty());
    }
}
