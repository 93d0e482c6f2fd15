//! What is different between two lists of things with slugs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What changed in one list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Slugs that are new.
    pub added: Vec<String>,
    /// Slugs that are gone.
    pub removed: Vec<String>,
    /// Those that are there still, but different.
    pub changed: Vec<Changed>,
}

/// One thing that is different from before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its slug.
    pub slug: String,
    /// What is different, by the name of the field.
    pub fields: BTreeMap<String, Change>,
}

/// One field that is different from before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// As it was.
    pub before: Value,
    /// As it is.
    pub after: Value,
}

/// A list's things by slug, each with its fields.
pub(super) type Listed = BTreeMap<String, serde_json::Map<String, Value>>;

/// Things by slug. Of two with one slug the later counts.
pub(super) fn listed<T: Serialize>(things: &[T]) -> Result<Listed, serde_json::Error> {
    things
        .iter()
        .map(|thing| {
            let Value::Object(mut fields) = serde_json::to_value(thing)? else {
                return Ok(Default::default());
            };
            let slug =
                fields.remove("slug").and_then(|slug| slug.as_str().map(str::to_owned)).unwrap_or_default();
            Ok((slug, fields))
        })
        .collect()
}

/// What is different.
pub(super) fn changes(before: &Listed, after: &Listed) -> Changes {
    let only_in = |these: &Listed, not_those: &Listed| {
        these.keys().filter(|slug| !not_those.contains_key(*slug)).cloned().collect()
    };
    let changed = after.iter().filter_map(|(slug, now)| {
        let fields = different_fields(before.get(slug)?, now);
        (!fields.is_empty()).then(|| Changed { slug: slug.clone(), fields })
    });
    Changes { added: only_in(after, before), removed: only_in(before, after), changed: changed.collect() }
}

fn different_fields(
    before: &serde_json::Map<String, Value>,
    after: &serde_json::Map<String, Value>,
) -> BTreeMap<String, Change> {
    let different = after.iter().filter_map(|(name, now)| {
        let was = before.get(name).unwrap_or(&Value::Null);
        let change = Change { before: was.clone(), after: now.clone() };
        (was != now).then(|| (name.clone(), change))
    });
    different.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_new_gone_and_different_is_told() {
        let before =
            listed(&[json!({"slug": "a", "price": "5"}), json!({"slug": "b", "price": "6"})]).unwrap();
        let after =
            listed(&[json!({"slug": "b", "price": "7"}), json!({"slug": "c", "price": "8"})]).unwrap();
        let found = changes(&before, &after);
        assert_eq!((found.added, found.removed), (vec!["c".to_owned()], vec!["a".to_owned()]));
        assert_eq!(found.changed.len(), 1);
        assert_eq!(found.changed[0].fields["price"], Change { before: json!("6"), after: json!("7") });
        assert_eq!(changes(&before, &before), Changes::default());
    }
}
