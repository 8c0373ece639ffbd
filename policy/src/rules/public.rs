//! Public paths as Cedar: nobody in particular may ask for exactly these, and that is a rule like any other, which can be
//! read, explained and forbidden (H14).

use super::{check::check, grant_text::quoted, rule::Rule};
use crate::{
    error::SnapshotError,
    model::{PublicPath, Resource, ResourceKind},
    source::Places,
};
use postern_ids::{Name, ResourceId};
use std::sync::Arc;

/// The public paths of one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Public {
    pub(crate) resource: ResourceId,
    name: Name,
    paths: Vec<PublicPath>,
}

impl Public {
    /// Those of all applications that have any.
    pub(crate) fn of(places: &Places) -> Vec<Self> {
        places.resources.iter().filter_map(|resource| Self::of_resource(resource)).collect()
    }

    fn of_resource(resource: &Resource) -> Option<Self> {
        let web = resource.web.as_ref().filter(|web| !web.public.is_empty())?;
        (resource.kind == ResourceKind::Http).then(|| Self {
            resource: resource.id,
            name: resource.name.clone(),
            paths: web.public.clone(),
        })
    }

    /// How many rules they make.
    pub(crate) fn count(&self) -> usize {
        self.paths.len()
    }

    /// One rule for each, called `public:NAME#1` and so on.
    pub(crate) fn compile(&self) -> Result<Vec<Arc<Rule>>, SnapshotError> {
        let one = |(n, path): (usize, &PublicPath)| {
            let id = format!("public:{}#{}", self.name, n + 1);
            let text = cedar(path, self.resource, &id);
            let checked =
                check(&text).map_err(|fault| SnapshotError::rule("public path", &id, &self.name, fault))?;
            Ok(Arc::new(Rule::new(id.into(), self.name.clone(), text.into(), checked)))
        };
        self.paths.iter().enumerate().map(one).collect()
    }
}

/// The same as [`PublicPath::covers`], in the words that are evaluated.
fn cedar(public: &PublicPath, resource: ResourceId, id: &str) -> String {
    let methods: Vec<String> = match public.methods.as_slice() {
        [] => vec![quoted("GET"), quoted("HEAD")],
        methods => methods.iter().map(|method| quoted(method)).collect(),
    };
    let path = match public.path.strip_suffix("/*") {
        Some(above) => format!("context.path like {}", pattern(above)),
        None => format!("context.path == {}", quoted(&public.path)),
    };
    format!(
        "@public({})\npermit (\n  principal == Anonymous::\"anonymous\",\n  action == Action::\"http\",\n  resource == Resource::{}\n)\n\
         when {{\n  [{}].contains(context.method) &&\n  {path}\n}};\n",
        quoted(id),
        quoted(&resource.to_string()),
        methods.join(", "),
    )
}

/// The pattern for everything below a path, in which nothing but the end is a wildcard.
fn pattern(above: &str) -> String {
    let literal = quoted(above).replace('*', "\\*");
    let open = literal.strip_suffix('"').unwrap_or(&literal);
    format!("{open}/*\"")
}
