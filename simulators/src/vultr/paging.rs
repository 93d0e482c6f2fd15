//! The vendor's paging: `per_page` and an opaque `cursor`; `meta` with the total and the cursors of the neighbouring
//! pages, empty at the ends. A cursor names a place between two things, so pages stay whole while things come and go.

use axum::{extract::FromRequestParts, http::request::Parts};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Url;
use serde_json::{Map, Value, json};

use super::error::Error;

const DEFAULT_PER_PAGE: usize = 100;
const MAX_PER_PAGE: usize = 500;

/// A list call's query: which page it wants, and whatever filters the list knows.
#[derive(Debug)]
pub(super) struct Listing {
    query: Vec<(String, String)>,
    per_page: usize,
    cursor: Option<Cursor>,
}

/// Where a page begins or ends, by the rank of the thing beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    After(u64),
    Before(u64),
}

impl<S: Send + Sync> FromRequestParts<S> for Listing {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::of(parts.uri.query().unwrap_or_default())
    }
}

impl Listing {
    fn of(query: &str) -> Result<Self, Error> {
        let url = Url::parse(&format!("http://localhost/?{query}"))
            .map_err(|error| Error::bad_request(error.to_string()))?;
        let query = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        let mut listing = Self { query, per_page: DEFAULT_PER_PAGE, cursor: None };
        if let Some(text) = listing.query("per_page") {
            listing.per_page = match text.parse() {
                Ok(number @ 1..=MAX_PER_PAGE) => number,
                _ => {
                    let rule = format!("Invalid per_page: must be between 1 and {MAX_PER_PAGE}");
                    return Err(Error::bad_request(rule));
                }
            };
        }
        if let Some(text) = listing.query("cursor") {
            listing.cursor = Some(Cursor::read(text).ok_or_else(|| Error::bad_request("Invalid cursor"))?);
        }
        Ok(listing)
    }

    /// A query parameter; an empty one counts as absent.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The answer that lists the wanted page of `items` under `key`. Items are in the order of their `rank`.
    pub(super) fn answer<T>(
        &self,
        key: &str,
        items: &[T],
        rank: impl Fn(&T) -> u64,
        show: impl Fn(&T) -> Value,
    ) -> Value {
        let start = match self.cursor {
            None => 0,
            Some(Cursor::After(place)) => items.partition_point(|item| rank(item) <= place),
            Some(Cursor::Before(place)) => {
                items.partition_point(|item| rank(item) < place).saturating_sub(self.per_page)
            }
        };
        let end = items.len().min(start + self.per_page);
        let page = &items[start..end];
        let next = page.last().filter(|_| end < items.len()).map(|last| Cursor::After(rank(last)));
        let prev = page.first().filter(|_| start > 0).map(|first| Cursor::Before(rank(first)));
        let text = |cursor: Option<Cursor>| cursor.map(Cursor::write).unwrap_or_default();
        let mut answer = Map::new();
        answer.insert(key.to_owned(), page.iter().map(show).collect());
        let links = json!({ "next": text(next), "prev": text(prev) });
        answer.insert("meta".to_owned(), json!({ "total": items.len(), "links": links }));
        answer.into()
    }

    /// The same for a list that never changes, such as the catalog.
    pub(super) fn answer_fixed<T>(&self, key: &str, items: &[T], show: impl Fn(&T) -> Value) -> Value {
        let numbered: Vec<_> = (1_u64..).zip(items).collect();
        self.answer(key, &numbered, |(rank, _)| *rank, |(_, item)| show(item))
    }
}

impl Cursor {
    fn write(self) -> String {
        STANDARD.encode(match self {
            Self::After(rank) => format!("next__{rank}"),
            Self::Before(rank) => format!("prev__{rank}"),
        })
    }

    fn read(text: &str) -> Option<Self> {
        let decoded = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        match decoded.split_once("__")? {
            ("next", rank) => rank.parse().ok().map(Self::After),
            ("prev", rank) => rank.parse().ok().map(Self::Before),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str, items: &[u64]) -> (Value, Value, Value) {
        let answer = Listing::of(query).unwrap().answer("things", items, |n| *n, |n| json!(n));
        assert_eq!(answer["meta"]["total"], items.len());
        let links = answer["meta"]["links"].clone();
        (answer["things"].clone(), links["next"].clone(), links["prev"].clone())
    }

    #[test]
    fn cursors_lead_there_and_back_and_are_empty_at_the_ends() {
        let items = [2, 3, 5, 7, 11];
        let (first, next, none) = page("per_page=2", &items);
        assert_eq!((first, none), (json!([2, 3]), json!("")));
        let (second, next, prev) = page(&format!("per_page=2&cursor={}", next.as_str().unwrap()), &items);
        assert_eq!(second, json!([5, 7]));
        let (last, none, _) = page(&format!("per_page=2&cursor={}", next.as_str().unwrap()), &items);
        assert_eq!((last, none), (json!([11]), json!("")));
        assert_eq!(page(&format!("per_page=2&cursor={}", prev.as_str().unwrap()), &items).0, json!([2, 3]));
    }

    #[test]
    fn a_page_is_not_torn_when_what_a_cursor_names_is_gone() {
        let (_, next, _) = page("per_page=2", &[2, 3, 5, 7]);
        let (second, ..) = page(&format!("per_page=2&cursor={}", next.as_str().unwrap()), &[2, 5, 7, 9]);
        assert_eq!(second, json!([5, 7]));
        assert_eq!(page(&format!("cursor={}", next.as_str().unwrap()), &[2]).0, json!([]));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["per_page=0", "per_page=501", "per_page=x", "cursor=x", "cursor=bmV4dF9feA=="] {
            assert!(Listing::of(bad).is_err(), "{bad}");
        }
        assert_eq!(page("", &(1..200).collect::<Vec<_>>()).0.as_array().unwrap().len(), 100);
    }
}
