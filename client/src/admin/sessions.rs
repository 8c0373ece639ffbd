//! `postern sessions`.

use crate::{
    cli::{SessionsCommand, SessionsLs},
    failure::Failure,
    gateway::{Api, segment},
    show::{self, Form},
};
use postern_api::{EndSessionReply, List, SessionView};

/// Does what the subcommand says.
pub(super) async fn run(api: &Api<'_>, command: &SessionsCommand, form: Form) -> Result<(), Failure> {
    match command {
        SessionsCommand::Ls(wanted) => {
            let sessions = api.get::<List<SessionView>>(&query(wanted)?).await?.items;
            let header = ["session", "who", "resource", "from", "started", "state", "up", "down"];
            show::list(form, &sessions, &header, row)
        }
        SessionsCommand::End { session } => {
            let reply = api.post(&format!("sessions/{session}/end")).await;
            let reply: EndSessionReply =
                reply.map_err(|failure: Failure| failure.missing("postern sessions ls --live"))?;
            if form == Form::Json {
                return show::json(&reply);
            }
            eprintln!("{} {}", reply.session, if reply.was_live { "ended" } else { "had ended before" });
            Ok(())
        }
    }
}

fn query(wanted: &SessionsLs) -> Result<String, Failure> {
    let SessionsLs { live, user, resource, limit } = wanted;
    let mut path = format!("sessions?live={live}");
    if let Some(user) = user {
        path.push_str(&format!("&principal={}", segment(user)?));
    }
    if let Some(resource) = resource {
        path.push_str(&format!("&resource={resource}"));
    }
    if let Some(limit) = limit {
        path.push_str(&format!("&limit={limit}"));
    }
    Ok(path)
}

/// Gateways count while they carry and tell when they let go: nothing told of a session that lives is not nothing carried.
fn carried(session: &SessionView, count: u64) -> String {
    if session.ended.is_none() && count == 0 { "-".to_owned() } else { show::bytes(count) }
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
        carried(session, session.bytes_up),
        carried(session, session.bytes_down),
    ]
}
