//! Labels: a map in which a key given twice is an error.

use postern_ids::{LabelKey, LabelValue};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};
use std::{collections::BTreeMap, fmt, ops::Deref};

/// The labels of a resource, or those that a selector asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<LabelKey, LabelValue>);

impl Labels {
    /// The map without its wrapper.
    pub fn into_inner(self) -> BTreeMap<LabelKey, LabelValue> {
        self.0
    }
}

impl From<BTreeMap<LabelKey, LabelValue>> for Labels {
    fn from(labels: BTreeMap<LabelKey, LabelValue>) -> Self {
        Self(labels)
    }
}

impl Deref for Labels {
    type Target = BTreeMap<LabelKey, LabelValue>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelVisitor)
    }
}

struct LabelVisitor;

impl<'de> Visitor<'de> for LabelVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Labels, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some((key, value)) = members.next_entry::<LabelKey, LabelValue>()? {
            let again = key.to_string();
            if labels.insert(key, value).is_some() {
                return Err(A::Error::custom(format!("duplicate label `{again}`")));
            }
        }
        Ok(Labels(labels))
    }
}
