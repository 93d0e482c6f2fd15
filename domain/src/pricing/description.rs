//! What the lines of a bill are for.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a line of a bill is for: words for it are found when it is shown, unless somebody wrote them.
///
/// ```
/// use domain::pricing::{LineDescription, StoredDescription};
///
/// let promo = LineDescription::Promo { code: "HEMAT10".to_owned() };
/// let stored = promo.store()?;
/// assert_eq!((stored.kind.as_deref(), &stored.text), (Some("promo"), &None));
/// assert_eq!(LineDescription::read(stored)?, promo);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "params", rename_all = "snake_case")]
pub enum LineDescription {
    /// The first term of a server.
    Plan {
        /// Name of the plan.
        plan: String,
        /// Length of the term.
        months: u32,
    },
    /// A further term of a server.
    Renewal {
        /// Name of the server.
        server: String,
        /// Name of the plan.
        plan: String,
        /// Length of the term.
        months: u32,
    },
    /// The difference to a dearer plan, for what is left of a server's term.
    Resize {
        /// Name of the server.
        server: String,
        /// Name of the plan before.
        from: String,
        /// Name of the plan.
        to: String,
        /// The end of the term.
        until: DateTime<Utc>,
    },
    /// What is taken off for a long term.
    TermDiscount {
        /// Length of the term.
        months: u32,
    },
    /// What a promo code takes off.
    Promo {
        /// The code.
        code: String,
    },
    /// In the words of who billed it.
    #[serde(untagged)]
    Written(String),
}

/// A description by the columns that it is kept in: a kind with its parameters, or a text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoredDescription {
    /// Which kind, if it is not a text.
    pub kind: Option<String>,
    /// What there is to know of that kind.
    pub params: Option<Value>,
    /// The text.
    #[serde(rename = "description")]
    pub text: Option<String>,
}

impl LineDescription {
    /// The description of a term's price.
    pub(super) fn of_term(plan: &str, months: u32, renewed: Option<&str>) -> Self {
        let plan = plan.to_owned();
        match renewed {
            None => Self::Plan { plan, months },
            Some(server) => Self::Renewal { server: server.to_owned(), plan, months },
        }
    }

    /// By columns.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn store(&self) -> serde_json::Result<StoredDescription> {
        match serde_json::to_value(self)? {
            Value::String(text) => Ok(StoredDescription { text: Some(text), ..StoredDescription::default() }),
            kind => serde_json::from_value(kind),
        }
    }

    /// From its columns. A text beside a kind is what the line said when it was issued before there were kinds.
    ///
    /// # Errors
    /// When it is of no kind that this program knows, and has no text.
    pub fn read(stored: StoredDescription) -> serde_json::Result<Self> {
        let StoredDescription { kind, params, text } = stored;
        let read = serde_json::from_value(serde_json::json!({ "kind": kind, "params": params }));
        match (read, text) {
            (Ok(description), _) => Ok(description),
            (Err(_), Some(text)) => Ok(Self::Written(text)),
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back() {
        for description in [
            LineDescription::of_term("Basic 1 GB", 3, None),
            LineDescription::of_term("Basic 1 GB", 1, Some("web-1")),
            LineDescription::Resize {
                server: "web-1".to_owned(),
                from: "Basic 1 GB".to_owned(),
                to: "Basic 2 GB".to_owned(),
                until: DateTime::from_timestamp(1_795_876_200, 0).unwrap(),
            },
            LineDescription::TermDiscount { months: 12 },
            LineDescription::Promo { code: "HEMAT10".to_owned() },
            LineDescription::Written("Migration, two hours".to_owned()),
            LineDescription::Written(String::new()),
        ] {
            let stored = description.store().unwrap();
            assert_eq!(stored.kind.is_some(), stored.params.is_some());
            assert_ne!(stored.kind.is_some(), stored.text.is_some());
            assert_eq!(LineDescription::read(stored).unwrap(), description);
        }
    }

    #[test]
    fn what_is_of_no_known_kind_says_what_was_written() {
        let stored = |kind: Option<&str>, text: Option<&str>| StoredDescription {
            kind: kind.map(str::to_owned),
            params: kind.map(|_| serde_json::json!({})),
            text: text.map(str::to_owned),
        };
        let written = LineDescription::Written("As agreed".to_owned());
        assert_eq!(LineDescription::read(stored(None, Some("As agreed"))).unwrap(), written);
        assert_eq!(LineDescription::read(stored(Some("of_later"), Some("As agreed"))).unwrap(), written);
        assert!(LineDescription::read(stored(Some("of_later"), None)).is_err());
    }
}
