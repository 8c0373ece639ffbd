//! The commands about the sign-in itself: login, logout, whoami, status, ls.

use crate::{
    bearer::Bearer,
    cli::Login,
    clock::now,
    failure::{Failure, code, printable},
    gateway::{self, Api},
    home::{self, Home, Lock, Profile, Running, Tokens},
    renewal,
    show::{self, Form},
    sign_in,
};
use postern_api::{List, Me, MyResource, PrincipalKind};
use std::{fmt::Write, time::Duration};

/// How long `login` and `logout` wait for another command that refreshes or is about to sign in.
const LOCK_MAX: Duration = Duration::from_secs(5);

/// Signs in and keeps profile and tokens.
pub async fn login(home: &Home, command: &Login) -> Result<(), Failure> {
    let profile = profile_for(home, command)?;
    let Some(_lock) = Lock::take(home, LOCK_MAX, || true).await? else {
        return Err(Failure::unavailable("another postern command is signing in")
            .then("finish that sign-in, or try again"));
    };
    let granted = match (&command.bootstrap_file, &command.username) {
        (Some(file), Some(username)) => {
            sign_in::bootstrap::sign_in(&profile, file, username, command.password_file.as_deref()).await?
        }
        _ if command.headless => sign_in::device::sign_in(&profile).await?,
        _ => {
            gateway::meet(&profile).await?;
            sign_in::browser::sign_in(&profile).await?
        }
    };
    profile.save(home)?;
    let tokens = granted.keep(home, &profile)?;
    let me: Me = Api::new(&profile, &Bearer::of_sign_in(&tokens))?.get("me").await?;
    eprintln!("signed in to {} as {}", profile.gateway, me.principal.name);
    Ok(())
}

fn profile_for(home: &Home, command: &Login) -> Result<Profile, Failure> {
    if let Some(gateway) = &command.gateway {
        let profile = Profile::new(gateway, command.ca_sha256.clone(), command.ca_file.as_deref())?;
        // Signing in again at a known gateway keeps the trust that was given the first time.
        let known = Profile::load(home).ok().flatten().filter(|known| known.gateway == profile.gateway);
        let told = profile.ca_sha256.is_some() || profile.ca_pem.is_some();
        return Ok(if told { profile } else { known.unwrap_or(profile) });
    }
    let known = Profile::require(home)?;
    if command.ca_sha256.is_none() && command.ca_file.is_none() {
        return Ok(known);
    }
    Profile::new(known.gateway.as_str(), command.ca_sha256.clone(), command.ca_file.as_deref())
}

/// Ends the sign-in here and at the gateway.
pub async fn logout(home: &Home) -> Result<(), Failure> {
    let profile = Profile::require(home)?;
    // A refresh that is under way beside a session would bring back what is forgotten here.
    let _lock = Lock::take(home, LOCK_MAX, || true).await?;
    let Some(tokens) = Tokens::load(home, profile.gateway.as_str())? else {
        eprintln!("you were not signed in");
        return Ok(());
    };
    // Forgotten here whatever the gateway says.
    Tokens::remove(home)?;
    match sign_in::revoke(&profile, &tokens).await {
        Ok(()) => eprintln!("signed out of {}", profile.gateway),
        Err(failure) => eprintln!("signed out here; the gateway was not told: {}", failure.sentence),
    }
    Ok(())
}

/// Shows who the caller is.
pub async fn whoami(home: &Home, form: Form) -> Result<(), Failure> {
    let me: Me = with_api(home, async |api| api.get("me").await).await?;
    if form == Form::Json {
        return show::json(&me);
    }
    let kind = match me.principal.kind {
        PrincipalKind::User => "",
        PrincipalKind::ServiceAccount => " (service account)",
        PrincipalKind::Anonymous => " (anonymous)",
    };
    let owner = if me.owner { ", owner" } else { "" };
    let mut text = format!("{}{kind}{owner}\n", printable(&me.principal.name));
    if !me.groups.is_empty() {
        let _ = writeln!(text, "  groups   {}", printable(&me.groups.join(", ")));
    }
    if let Some(sign_in) = &me.sign_in {
        let _ = writeln!(text, "  sign-in  until {}", show::moment(sign_in.expires_at));
    }
    let _ = writeln!(text, "  gateway  {}", printable(&me.issuer));
    show::text(&text)
}

/// Shows whether gateway and sign-in work, and the streams that commands carry.
pub async fn status(home: &Home, form: Form) -> Result<(), Failure> {
    let profile = Profile::require(home)?;
    let kept = Tokens::load(home, profile.gateway.as_str())?;
    let asked = with_api(home, async |api| api.get_now::<Me>("me").await).await;
    let streams = home::live(home);
    let reachable = !matches!(&asked, Err(failure) if failure.code == code::UNAVAILABLE);
    if form == Form::Json {
        show::json(&serde_json::json!({
            "gateway": profile.gateway,
            "reachable": reachable,
            "signed_in": asked.is_ok(),
            "principal": asked.as_ref().ok().map(|me| &me.principal),
            "token_expires_at": kept.as_ref().map(|tokens| postern_api::Time(tokens.expires_at)),
            "streams": streams,
            "problem": asked.as_ref().err().map(|failure| &failure.sentence),
        }))?;
    } else {
        let reached = if reachable { "reachable" } else { "not reachable" };
        let sign_in = match &asked {
            Ok(me) => format!("{}{}", printable(&me.principal.name), until(me)),
            // Why is told at the end.
            Err(_) if kept.is_none() => "none".to_owned(),
            Err(_) => "not usable now".to_owned(),
        };
        let mut text = format!("gateway  {} ({reached})\nsign-in  {sign_in}\n", profile.gateway);
        if let Some(tokens) = kept.as_ref().filter(|_| asked.is_ok()) {
            let left = tokens.expires_at.since(now()).as_secs();
            let _ = writeln!(text, "token    {left} s left; it is renewed by itself");
        }
        for running in &streams {
            let _ = writeln!(text, "streams  {}", describe(running));
        }
        show::text(&text)?;
    }
    asked.map(|_| ())
}

fn until(me: &Me) -> String {
    me.sign_in
        .as_ref()
        .map(|sign_in| format!(", until {}", show::moment(sign_in.expires_at)))
        .unwrap_or_default()
}

fn describe(running: &Running) -> String {
    let Running { pid, resource, streams, since, reconnecting, reconnecting_since } = running;
    let how = match reconnecting_since {
        Some(lost) if reconnecting == streams => format!("reconnecting since {lost}"),
        Some(lost) => format!("{reconnecting} of them reconnecting since {lost}"),
        None => format!("since {since}"),
    };
    format!("{streams} to {}, {how} (process {pid})", printable(resource))
}

/// Lists what the caller may reach.
pub async fn ls(home: &Home, form: Form) -> Result<(), Failure> {
    let resources = my_resources(home).await?;
    show::list(form, &resources, &["name", "type", "site", "online", "url", "labels"], |resource| {
        let labels = serde_json::to_value(&resource.labels).unwrap_or_default();
        let labels = labels.as_object().into_iter().flatten();
        let labels: Vec<String> =
            labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
        let protocol = serde_json::to_value(resource.protocol).unwrap_or_default();
        vec![
            resource.name.to_string(),
            protocol.as_str().unwrap_or_default().to_owned(),
            resource.site.clone(),
            show::yes(resource.online),
            resource.url.clone().unwrap_or_default(),
            labels.join(" "),
        ]
    })
}

/// What the caller may reach.
pub async fn my_resources(home: &Home) -> Result<Vec<MyResource>, Failure> {
    Ok(with_api(home, async |api| api.get::<List<MyResource>>("me/resources").await).await?.items)
}

/// Calls the API as whoever is signed in, and lets a token that has passed half of its life be renewed meanwhile.
pub async fn with_api<T>(
    home: &Home,
    call: impl AsyncFnOnce(&Api<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let profile = Profile::require(home)?;
    let bearer = renewal::get(home, &profile).await?;
    let api = Api::new(&profile, &bearer)?;
    let (result, ()) = tokio::join!(call(&api), renewal::refresh_early(home.clone(), profile.clone()));
    result
}
