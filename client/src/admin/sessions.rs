//! `postern sessions`.

use crate::{
    cli::SessionsCommand,
    failure::Failure,
    gateway::Api,
    show::{self, Form},
};
use postern_api::{EndSessionReply, List, SessionView};

/// Does what the subcommand says.
pub async fn run(api: &Api<'_>, command: &SessionsCommand, form: Form) -> Result<(), Failure> {
    match command {
        SessionsCommand::Ls => {
            let sessions = api.get::<List<SessionView>>("sessions").await?.items;
            let header = ["session", "who", "resource", "from", "started", "state", "up", "down"];
            show::list(form, &sessions, &header, row)
        }
        SessionsCommand::End { session } => {
            let reply: EndSessionReply = api.post(&format!("sessions/{session}/end")).await?;
            if form == Form::Json {
                return show::json(&reply);
            }
            eprintln!("{} {}", reply.session, if reply.was_live { "ended" } else { "had ended before" });
            Ok(())
        }
    }
}

fn row(session: &SessionView) -> Vec<String> {
    let first_of = |name: &str, id: &str| if name.is_empty() { id.to_owned() } else { name.to_owned() };
    let state = match (&session.ended, session.live) {
        (Some(ended), _) => ended.label().to_owned(),
        (None, true) => "live".to_owned(),
        (None, false) => "elsewhere".to_owned(),
    };
    vec![
        session.id.to_string(),
        first_of(&session.principal.name, &session.principal.id),
        first_of(&session.resource.name, &session.resource.id),
        session.source.map(|source| source.to_string()).unwrap_or_default(),
        show::moment(session.started_at),
        state,
        show::bytes(session.bytes_up),
        show::bytes(session.bytes_down),
    ]
}
