//! What must change together with an object, so that no right outlives what it rested on.

use super::Object;
use crate::{
    Change, ChangeError, Kind,
    change::Note,
    db::{execute, fetch_all},
};
use postern_policy::admin::OWNERS;

/// The group of owners is what administration rests on: it stays, under its name.
pub(super) fn keep_builtin<T: Object>(before: Option<&T>, after: Option<&T>) -> Result<(), ChangeError> {
    let Some(before) = before else { return Ok(()) };
    let id = before.id().to_string();
    let kept = after.is_some_and(|after| after.name() == before.name());
    if T::KIND == Kind::Group && id == OWNERS.to_string() && !kept {
        return Err(ChangeError::BuiltIn { kind: T::KIND, id });
    }
    Ok(())
}

impl Change {
    pub(super) async fn after_write(&mut self, kind: Kind, id: &str) -> Result<(), ChangeError> {
        if kind == Kind::User {
            self.risk_owners();
            self.suspend_if_disabled(id).await?;
        }
        Ok(())
    }

    pub(super) async fn before_delete(&mut self, kind: Kind, id: &str) -> Result<(), ChangeError> {
        match kind {
            Kind::User => {
                self.risk_owners();
                self.end_sign_ins_of(id, "user_deleted").await?;
                self.revoke_app_tokens_of(id).await?;
                execute!(&mut self.tx, "DELETE FROM memberships WHERE member_id = $1", id)?;
            }
            Kind::ServiceAccount => {
                self.revoke_tokens_of(id).await?;
                execute!(&mut self.tx, "DELETE FROM memberships WHERE member_id = $1", id)?;
            }
            Kind::Group => self.empty_group(id).await?,
            Kind::Resource => self.revoke_app_tokens_of(id).await?,
            Kind::Site
            | Kind::Connector
            | Kind::EnrolmentToken
            | Kind::ServiceToken
            | Kind::AppToken
            | Kind::Provider
            | Kind::Grant
            | Kind::Policy
            | Kind::Window
            | Kind::Threshold
            | Kind::Settings
            | Kind::SignIn
            | Kind::Session
            | Kind::SigningKey => {}
        }
        Ok(())
    }

    async fn suspend_if_disabled(&mut self, user: &str) -> Result<(), ChangeError> {
        let disabled: Vec<(String,)> =
            fetch_all!(&mut self.tx, (String,), "SELECT id FROM users WHERE id = $1 AND disabled", user)?;
        if disabled.is_empty() {
            return Ok(());
        }
        self.end_sign_ins_of(user, "user_disabled").await?;
        self.revoke_app_tokens_of(user).await
    }

    /// Ends every sign-in of a person, and what could still become one.
    pub(crate) async fn end_sign_ins_of(
        &mut self,
        user: &str,
        reason: &'static str,
    ) -> Result<(), ChangeError> {
        let ended: Vec<(String,)> = fetch_all!(
            &mut self.tx,
            (String,),
            "UPDATE sign_ins SET ended_at = $2, end_reason = $3 WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 RETURNING id",
            user,
            self.now.as_micros(),
            reason
        )?;
        execute!(&mut self.tx, "DELETE FROM authorization_codes WHERE user_id = $1", user)?;
        execute!(
            &mut self.tx,
            "UPDATE device_codes SET state = 'denied' WHERE user_id = $1 AND state = 'approved'",
            user
        )?;
        self.take_back_let_in_by(user).await?;
        for (id,) in ended {
            self.touch(Kind::SignIn, &id);
            self.note(Note { after: Some(reason.into()), ..Note::new(Kind::SignIn, "ended", &id) });
        }
        Ok(())
    }

    async fn revoke_tokens_of(&mut self, account: &str) -> Result<(), ChangeError> {
        let revoked: Vec<(String,)> = fetch_all!(
            &mut self.tx,
            (String,),
            "UPDATE service_tokens SET revoked_at = $2 WHERE account_id = $1 AND revoked_at IS NULL RETURNING id",
            account,
            self.now.as_micros()
        )?;
        for (id,) in revoked {
            self.touch(Kind::ServiceToken, &id);
            self.note(Note::new(Kind::ServiceToken, "revoked", &id));
        }
        Ok(())
    }

    async fn empty_group(&mut self, group: &str) -> Result<(), ChangeError> {
        let members: Vec<(String,)> = fetch_all!(
            &mut self.tx,
            (String,),
            "DELETE FROM memberships WHERE group_id = $1 RETURNING member_id",
            group
        )?;
        for (member,) in members {
            self.touch_member(&member)?;
        }
        Ok(())
    }
}
