//! `postern users`.

use crate::{
    cli::UsersCommand,
    failure::Failure,
    gateway::{Api, segment},
    show::{self, Form},
};
use postern_api::{Document, List, Object, UserSwitched};

/// Does what the subcommand says.
pub async fn run(api: &Api<'_>, command: &UsersCommand, form: Form) -> Result<(), Failure> {
    match command {
        UsersCommand::Ls => list(api, form).await,
        UsersCommand::Disable { user } => switch(api, user, "disable", form).await,
        UsersCommand::Enable { user } => switch(api, user, "enable", form).await,
    }
}

async fn list(api: &Api<'_>, form: Form) -> Result<(), Failure> {
    let users = api.get::<List<Object>>("users").await?.items;
    show::list(form, &users, &["name", "id", "state", "groups"], |object| {
        let Document::User(user) = &object.document else { return vec![object.id.clone()] };
        let groups: Vec<&str> = user.groups.iter().map(|group| group.as_str()).collect();
        let state = if user.disabled { "disabled" } else { "active" };
        vec![user.name.to_string(), object.id.clone(), state.to_owned(), groups.join(", ")]
    })
}

async fn switch(api: &Api<'_>, user: &str, verb: &str, form: Form) -> Result<(), Failure> {
    let switched: UserSwitched = api.post(&format!("users/{}/{verb}", segment(user)?)).await?;
    if form == Form::Json {
        return show::json(&switched);
    }
    let state = if switched.disabled { "disabled" } else { "enabled" };
    eprintln!("{} is {state} from revision {} on", switched.user.name, switched.revision);
    Ok(())
}
