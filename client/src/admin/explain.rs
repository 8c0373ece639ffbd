//! `postern explain`: why something was decided, or what would be.

use crate::{
    cli::Explain,
    failure::{Failure, code, printable},
    gateway::Api,
    show::{self, Form},
};
use postern_api::{Action, DecisionView, ExplainRequest, Outcome};
use std::{fmt::Write, time::Duration};

/// How often a recorded decision is looked for before it counts as unknown.
const LOOKS: u32 = 6;

/// The time between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// Prints the explanation.
pub(super) async fn run(api: &Api<'_>, command: &Explain, form: Form) -> Result<(), Failure> {
    let decision: DecisionView = match (&command.decision, &command.resource) {
        (Some(decision), _) => recorded(api, &format!("decisions/{decision}")).await.map_err(|failure| {
            failure.missing("copy the id from a denial; `postern sessions ls --json` has those of sessions")
        })?,
        (None, Some(resource)) => {
            let request = ExplainRequest {
                principal: command.user.clone(),
                resource: resource.clone(),
                action: None,
                source: None,
                at: None,
            };
            let asked = api.post_json("explain", &request).await;
            asked.map_err(|failure: Failure| failure.missing("postern users ls"))?
        }
        (None, None) => {
            return Err(Failure::usage("nothing to explain was named")
                .then("postern explain dec_…, or postern explain --resource NAME [--user NAME]"));
        }
    };
    if form == Form::Json {
        return show::json(&decision);
    }
    show::text(&describe(&decision, command.decision.is_some()))
}

/// A decision of a moment ago is on its way from the gateway's journal to the store: looked for again, a few times.
async fn recorded(api: &Api<'_>, path: &str) -> Result<DecisionView, Failure> {
    for _ in 1..LOOKS {
        match api.get(path).await {
            Err(failure) if failure.code == code::NOT_FOUND => tokio::time::sleep(BETWEEN_LOOKS).await,
            answer => return answer,
        }
    }
    api.get(path).await
}

/// What would be decided is on no record: its id leads nowhere.
fn describe(decision: &DecisionView, is_on_record: bool) -> String {
    let outcome = match decision.outcome {
        Outcome::Allow => "allowed",
        Outcome::Deny => "denied",
    };
    let who = first_of(&decision.principal.name, &decision.principal.id);
    let what = first_of(&decision.resource.name, &decision.resource.id);
    let mut text = String::new();
    let _ = writeln!(text, "{outcome}: {}", printable(&decision.sentence));
    let _ = writeln!(text, "  who       {who} from {}", decision.source);
    let act = match decision.action {
        Action::Connect => "connect to",
        Action::Http => "open",
    };
    let _ = writeln!(text, "  what      {act} {what}");
    let _ = writeln!(text, "  when      {} at revision {}", show::moment(decision.at), decision.revision);
    if is_on_record {
        let _ = writeln!(text, "  decision  {} ({})", decision.id, decision.reason);
    } else if decision.outcome == Outcome::Deny {
        let _ = writeln!(text, "  reason    {}", decision.reason);
    }
    if let Some(session) = decision.session {
        let resumed =
            decision.resumed.map(|attempt| format!(" (resumed, attempt {attempt})")).unwrap_or_default();
        let _ = writeln!(text, "  session   {session}{resumed}");
    }
    for failing in &decision.failing {
        let _ = writeln!(text, "  missing   {}", printable(failing));
    }
    for policy in &decision.policies {
        let _ = writeln!(text, "  {}    {} ({})", policy.effect, printable(&policy.name), policy.id);
        for line in policy.text.lines() {
            let _ = writeln!(text, "            {}", printable(line));
        }
    }
    if decision.outcome == Outcome::Deny && !decision.next.is_empty() {
        let _ = writeln!(text, "  next      {}", printable(&decision.next));
    }
    text
}

fn first_of(name: &str, id: &str) -> String {
    printable(if name.is_empty() { id } else { name })
}
