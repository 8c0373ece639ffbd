//! `postern users`.

use crate::{
    cli::UsersCommand,
    failure::Failure,
    gateway::{Api, segment},
    show::{self, Form},
};
use postern_api::{List, Object, UserSwitched};
use serde_json::Value;

/// Does what the subcommand says.
pub(super) async fn run(api: &Api<'_>, command: &UsersCommand, form: Form) -> Result<(), Failure> {
    match command {
        UsersCommand::Ls => list(api, form).await,
        UsersCommand::Disable { user } => switch(api, user, "disable", form).await,
        UsersCommand::Enable { user } => switch(api, user, "enable", form).await,
    }
}

async fn list(api: &Api<'_>, form: Form) -> Result<(), Failure> {
    let users = api.get::<List<Object<Value>>>("users").await?.items;
    show::list(form, &users, &["name", "id", "state", "groups"], |object| {
        let user = &object.document;
        let groups: Vec<&str> =
            user["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let state = if user["disabled"] == true { "disabled" } else { "active" };
        let name = user["name"].as_str().unwrap_or_default();
        vec![name.to_owned(), object.id.clone(), state.to_owned(), groups.join(", ")]
    })
}

async fn switch(api: &Api<'_>, user: &str, verb: &str, form: Form) -> Result<(), Failure> {
    let switched = api.post(&format!("users/{}/{verb}", segment(user)?)).await;
    let switched: UserSwitched = switched.map_err(|failure: Failure| failure.missing("postern users ls"))?;
    if form == Form::Json {
        return show::json(&switched);
    }
    let state = if switched.disabled { "disabled" } else { "enabled" };
    eprintln!("{} is {state} from revision {} on", switched.user.name, switched.revision);
    Ok(())
}
