//! What everything else stands on: the state directory, the store, the journal.

use super::{
    files::{self, StateDir},
    patience,
};
use crate::{
    config::{Config, StoreUrl, prepare_state_dir},
    exit::{Failure, chain},
    policies::wall_clock,
};
use postern_ids::NodeId;
use postern_store::{
    Database, OpenError, Store, StoreConfig, StoreError,
    journal::{Journal, JournalError},
};
use std::io;

/// The state directory, the store and the recovered journal of a node.
pub(super) struct Foundation {
    pub(super) state: StateDir,
    pub(super) store: Store,
    pub(super) journal: Journal,
}

/// Opens the store, brings its schema up to date, and recovers the journal.
pub(super) async fn lay(config: &Config) -> Result<Foundation, Failure> {
    let (state, store) = open_store(config, true).await?;
    let node = state.load_node_id(NodeId::mint(wall_clock(), rand::random()))?;
    let (journal, report) = Journal::open(&state.journal(), node).map_err(on_journal)?;
    if let Some((file, bytes)) = &report.cut {
        tracing::warn!(file = %file.display(), bytes, "the journal's torn tail was cut: its records were never answered");
    }
    tracing::info!(node.id = %node, records = report.records, last = report.last_sequence, "journal recovered");
    Ok(Foundation { state, store, journal })
}

/// Brings the store's schema up to date.
pub async fn migrate(config: &Config) -> Result<(), Failure> {
    open_store(config, true).await.map(drop)
}

async fn open_store(config: &Config, migrate: bool) -> Result<(StateDir, Store), Failure> {
    prepare_state_dir(&config.state_dir).map_err(|mistake| Failure::Config(mistake.to_string()))?;
    let state = StateDir::new(&config.state_dir);
    let database = match &config.store {
        StoreUrl::Sqlite => {
            files::may_be_used(&state.store())?;
            Database::Sqlite { path: state.store() }
        }
        StoreUrl::Postgres(url) => Database::Postgres { url: url.clone() },
    };
    let config = StoreConfig {
        database,
        master_key_file: config.master_key_path(),
        previous_master_key_files: config.previous_master_key_files.clone(),
        migrate,
    };
    Ok((state, patience::open(&config).await.map_err(on_open)?))
}

fn on_open(error: OpenError) -> Failure {
    let text = chain(&error);
    match error {
        OpenError::Location(_)
        | OpenError::SchemaTooNew { .. }
        | OpenError::SchemaTooOld { .. }
        | OpenError::MasterKey(_) => Failure::Config(text),
        OpenError::Locked { .. } => Failure::Temporary(format!(
            "{text}\n  hint: a gateway runs with this state_dir already; several gateways of one store take Postgres"
        )),
        OpenError::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Failure::NotPermitted(text)
        }
        OpenError::File { .. } => Failure::Unavailable(text),
        OpenError::Migration(_) => Failure::Software(text),
        OpenError::Store(error) => on_store(&error),
    }
}

pub(super) fn on_store(error: &StoreError) -> Failure {
    let text = chain(error);
    match error {
        StoreError::Unavailable(_) => Failure::Unavailable(text),
        StoreError::Corrupt { .. } => Failure::Software(text),
        StoreError::Sealed(_) => Failure::Config(text),
    }
}

fn on_journal(error: JournalError) -> Failure {
    let text = chain(&error);
    match error {
        JournalError::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Failure::NotPermitted(text)
        }
        JournalError::OtherNode { .. } => Failure::Config(text),
        JournalError::File { .. } | JournalError::Damaged { .. } => Failure::Unavailable(text),
    }
}
