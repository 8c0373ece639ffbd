//! The closed list of stored kinds, as the change feed and the audit spell them.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $label:literal;)*) => {
        /// What a change was about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// The word in the change feed and in the audit.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// The kind with this label.
            pub fn from_label(label: &str) -> Option<Self> {
                match label { $($label => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A private network.
    Site = "site";
    /// An agent of a site.
    Connector = "connector";
    /// A secret that lets a connector enroll.
    EnrolmentToken = "enrolment_token";
    /// Something reachable.
    Resource = "resource";
    /// A person.
    User = "user";
    /// A set of principals.
    Group = "group";
    /// An identity provider.
    Provider = "provider";
    /// A program's principal.
    ServiceAccount = "service_account";
    /// A bearer token of a service account.
    ServiceToken = "service_token";
    /// A person's token for one application.
    AppToken = "app_token";
    /// A rule in its simple form.
    Grant = "grant";
    /// A rule as Cedar text.
    Policy = "policy";
    /// A named calendar window.
    Window = "window";
    /// A named age limit.
    Threshold = "threshold";
    /// The installation's settings.
    Settings = "settings";
    /// A sign-in that ended.
    SignIn = "sign_in";
    /// A session that a person ended.
    Session = "session";
    /// A signing key.
    SigningKey = "signing_key";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label().replace('_', " "))
    }
}
