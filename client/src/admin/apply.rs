//! `postern apply`: show the plan, ask, and have it done all or nothing.

use super::documents;
use crate::{
    cli::Apply,
    failure::{Failure, printable},
    gateway::Api,
    show::{self, Form},
};
use postern_api::{ApplyRequest, Change, ChangeKind, Document, Plan};
use serde_json::Value;
use std::{
    fmt::Write,
    io::{self, BufRead, IsTerminal, Read},
    path::Path,
};

/// Reads the files, shows what would change, and changes it if that is wanted.
pub(super) async fn run(api: &Api<'_>, command: &Apply, form: Form) -> Result<(), Failure> {
    let request = ApplyRequest { documents: read_all(&command.files)?, expected_revision: None };
    let plan: Plan = api.post_json("apply?dry_run=true", &request).await?;
    if command.dry_run || plan.changes.is_empty() {
        return print(&plan, form);
    }
    if !command.yes {
        eprint!("{}", describe(&plan));
        confirm(plan.changes.len())?;
    }
    // What was shown is what is done: another change in between is a conflict.
    let request = ApplyRequest { expected_revision: Some(plan.revision), ..request };
    let done: Plan = api.post_json("apply", &request).await?;
    print(&done, form)
}

fn read_all(files: &[impl AsRef<Path>]) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for file in files {
        let file = file.as_ref();
        let (text, base) = if file == Path::new("-") {
            let mut text = String::new();
            let read = io::stdin().read_to_string(&mut text);
            read.map_err(|e| Failure::usage(format!("standard input: {e}")))?;
            (text, Path::new("."))
        } else {
            let text = std::fs::read_to_string(file)
                .map_err(|e| Failure::usage(format!("{}: {e}", file.display())))?;
            (text, file.parent().unwrap_or(Path::new(".")))
        };
        documents.extend(documents::read(&text, &file.display().to_string(), base)?);
    }
    if documents.is_empty() {
        return Err(Failure::usage("there is no document in the files"));
    }
    Ok(documents)
}

fn confirm(changes: usize) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask on")
            .then("postern apply --yes, or --dry-run to see the plan"));
    }
    eprint!("Make {} [y/N] ", if changes == 1 { "this change?" } else { "these changes?" });
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::usage("nothing was changed")),
    }
}

fn print(plan: &Plan, form: Form) -> Result<(), Failure> {
    if form == Form::Json {
        return show::json(plan);
    }
    show::text(&describe(plan))
}

fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    for change in &plan.changes {
        describe_change(&mut text, change);
    }
    let count = |kind: ChangeKind| plan.changes.iter().filter(|change| change.change == kind).count();
    let (create, update, delete) =
        (count(ChangeKind::Create), count(ChangeKind::Update), count(ChangeKind::Delete));
    if plan.changes.is_empty() {
        return format!("nothing to change: {} unchanged (revision {})\n", plan.unchanged, plan.revision);
    }
    let (done, same) = (if plan.applied { "done" } else { "plan" }, plan.unchanged);
    let _ = writeln!(
        text,
        "{done}: {create} to create, {update} to update, {delete} to delete, {same} unchanged (revision {})",
        plan.revision
    );
    if plan.applied {
        text = text
            .replace(" to create", " created")
            .replace(" to update", " updated")
            .replace(" to delete", " deleted");
    }
    text
}

fn describe_change(text: &mut String, change: &Change) {
    let sign = match change.change {
        ChangeKind::Create => '+',
        ChangeKind::Update => '~',
        ChangeKind::Delete => '-',
    };
    let _ = writeln!(text, "{sign} {} {}", change.object, change.name);
    if change.change == ChangeKind::Delete {
        return;
    }
    for field in &change.fields {
        let name = printable(&field.field);
        let _ = if field.before.is_null() {
            writeln!(text, "    {name}: {}", plain(&field.after))
        } else {
            writeln!(text, "    {name}: {} → {}", plain(&field.before), plain(&field.after))
        };
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        Value::Null => "(removed)".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            printable(&value.to_string())
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use postern_api::{FieldDiff, ObjectKind};

    #[test]
    fn a_plan_reads_like_a_diff() {
        let plan = Plan {
            applied: false,
            revision: 7,
            changes: vec![Change {
                change: ChangeKind::Update,
                object: ObjectKind::Resource,
                name: "bastion".parse().unwrap(),
                fields: vec![FieldDiff {
                    field: "target".into(),
                    before: "a:22".into(),
                    after: "b:22".into(),
                }],
            }],
            unchanged: 3,
        };
        assert_eq!(
            describe(&plan),
            "~ resource bastion\n    target: a:22 → b:22\n\
             plan: 0 to create, 1 to update, 0 to delete, 3 unchanged (revision 7)\n"
        );
        assert!(describe(&Plan { applied: true, ..plan.clone() }).contains("done: 0 created, 1 updated"));
        let nothing = describe(&Plan { changes: Vec::new(), ..plan });
        assert_eq!(nothing, "nothing to change: 3 unchanged (revision 7)\n");
    }
}
