//! What a browser's sign-in lets in: the sign-in of a command, which does not exist yet and will rest on the same word.
//!
//! It is noted in the transaction that gives out a code for it, under the lock of the browser's sign-in: whoever ends that one
//! comes before, and no code is good, or comes after, and finds the note. What was taken back never becomes a sign-in, not even
//! from a code that was spent just before, and not after the person is enabled again.

use crate::{
    Change, ChangeError, Kind,
    change::Note,
    db::{Tx, execute, fetch_all},
};
use postern_ids::{Name, SignInId, Timestamp};

/// Notes that `sign_in` will rest on `origin`; `Missing` when that one is not live any more.
pub(super) async fn note(
    tx: &mut Tx,
    sign_in: SignInId,
    origin: SignInId,
    now: Timestamp,
) -> Result<(), ChangeError> {
    // The update changes nothing and takes the row's lock on Postgres; SQLite has the whole database's already.
    let live = execute!(
        tx,
        "UPDATE sign_ins SET used_at = used_at WHERE id = $1 AND ended_at IS NULL AND expires_at > $2",
        origin.to_string(),
        now.as_micros()
    )?;
    if live == 0 {
        return Err(ChangeError::Missing { kind: Kind::SignIn, id: origin.to_string() });
    }
    execute!(
        tx,
        "INSERT INTO sign_in_origins (sign_in_id, origin_id, noted_at) VALUES ($1, $2, $3)",
        sign_in.to_string(),
        origin.to_string(),
        now.as_micros()
    )
    .map_err(|error| error.about(Kind::SignIn, &sign_in))?;
    Ok(())
}

/// Gives a new sign-in the word that its origin rests on; `Missing` when it was taken back, or never noted.
pub(super) async fn follow(tx: &mut Tx, sign_in: &str) -> Result<(), ChangeError> {
    let followed = execute!(
        tx,
        "UPDATE sign_ins SET
            origin_id = (SELECT o.origin_id FROM sign_in_origins o WHERE o.sign_in_id = $1),
            idp = (SELECT s.idp FROM sign_in_origins o JOIN sign_ins s ON s.id = o.origin_id WHERE o.sign_in_id = $1),
            mfa_at = (SELECT s.mfa_at FROM sign_in_origins o JOIN sign_ins s ON s.id = o.origin_id WHERE o.sign_in_id = $1),
            acr = (SELECT s.acr FROM sign_in_origins o JOIN sign_ins s ON s.id = o.origin_id WHERE o.sign_in_id = $1),
            amr = (SELECT s.amr FROM sign_in_origins o JOIN sign_ins s ON s.id = o.origin_id WHERE o.sign_in_id = $1),
            provider_session = (SELECT s.provider_session FROM sign_in_origins o JOIN sign_ins s ON s.id = o.origin_id WHERE o.sign_in_id = $1)
         WHERE id = $1 AND EXISTS (SELECT 1 FROM sign_in_origins o JOIN sign_ins s ON s.id = o.origin_id WHERE o.sign_in_id = $1)",
        sign_in
    )?;
    if followed == 0 {
        return Err(ChangeError::Missing { kind: Kind::SignIn, id: sign_in.to_owned() });
    }
    execute!(tx, "DELETE FROM sign_in_origins WHERE sign_in_id = $1", sign_in)?;
    Ok(())
}

impl Change {
    /// Takes back what any sign-in of a person let in and has not begun.
    pub(crate) async fn take_back_let_in_by(&mut self, user: &str) -> Result<(), ChangeError> {
        let back: Vec<(String,)> = fetch_all!(
            &mut self.tx,
            (String,),
            "DELETE FROM sign_in_origins WHERE origin_id IN (SELECT id FROM sign_ins WHERE user_id = $1) RETURNING sign_in_id",
            user
        )?;
        self.note_taken_back(&back);
        Ok(())
    }

    /// Takes back what one sign-in let in and has not begun.
    pub(super) async fn take_back_let_in_from(&mut self, origin: &str) -> Result<(), ChangeError> {
        let back: Vec<(String,)> = fetch_all!(
            &mut self.tx,
            (String,),
            "DELETE FROM sign_in_origins WHERE origin_id = $1 RETURNING sign_in_id",
            origin
        )?;
        self.note_taken_back(&back);
        Ok(())
    }

    /// Takes back what sign-ins let in that rest on one session of a provider, or on its word for one person, and has not begun.
    pub(super) async fn take_back_let_in_of(
        &mut self,
        provider: &Name,
        by_session: bool,
        key: &str,
    ) -> Result<(), ChangeError> {
        let back: Vec<(String,)> = fetch_all!(
            &mut self.tx,
            (String,),
            "DELETE FROM sign_in_origins WHERE origin_id IN (
                SELECT s.id FROM sign_ins s WHERE s.idp = $1 AND (
                    ($3 AND s.provider_session = $2)
                    OR (NOT $3 AND s.user_id IN (
                        SELECT u.id FROM users u JOIN providers p ON p.issuer = u.issuer WHERE p.id = $1 AND u.subject = $2))))
             RETURNING sign_in_id",
            provider.as_str(),
            key,
            by_session
        )?;
        self.note_taken_back(&back);
        Ok(())
    }

    /// A change without a note would be none, and be rolled back.
    fn note_taken_back(&mut self, sign_ins: &[(String,)]) {
        for (id,) in sign_ins {
            self.note(Note::new(Kind::SignIn, "taken_back", id));
        }
    }
}
