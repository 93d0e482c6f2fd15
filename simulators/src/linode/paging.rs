//! The vendor's paging: `page`, `page_size` from 25 to 500, `{data, page, pages, results}`, narrowed by `X-Filter`.

use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};
use reqwest::Url;
use serde_json::{Value, json};

use super::{error::Error, filter::Filter};

const DEFAULT_SIZE: usize = 100;
const SIZES: std::ops::RangeInclusive<usize> = 25..=500;

/// Which page of a list a request wants, and of what.
#[derive(Debug)]
pub(super) struct Listing {
    page: usize,
    page_size: usize,
    filter: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Listing {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let filter =
            parts.headers.get("x-filter").and_then(|header| header.to_str().ok()).unwrap_or_default();
        Self::of(&parts.uri, filter)
    }
}

impl Listing {
    fn of(uri: &Uri, filter: &str) -> Result<Self, Error> {
        let page = match query(uri, "page").map(|text| text.parse()) {
            None => 1,
            Some(Ok(page @ 1..)) => page,
            Some(_) => return Err(Error::field("page", "Must be a positive integer")),
        };
        let page_size = match query(uri, "page_size").map(|text| text.parse()) {
            None => DEFAULT_SIZE,
            Some(Ok(size)) if SIZES.contains(&size) => size,
            Some(_) => {
                let reason = format!("Must be {}-{}", SIZES.start(), SIZES.end());
                return Err(Error::field("page_size", reason));
            }
        };
        Ok(Self { page, page_size, filter: filter.to_owned() })
    }

    /// The wanted page of `items`, which may be filtered by the fields in `filterable`.
    pub(super) fn answer(
        &self,
        filterable: &[&str],
        items: impl IntoIterator<Item = Value>,
    ) -> Result<Value, Error> {
        let filter = Filter::parse(&self.filter, filterable)?;
        let found = filter.apply(items.into_iter().collect());
        let results = found.len();
        let skipped = self.page_size.saturating_mul(self.page - 1);
        let data: Vec<Value> = found.into_iter().skip(skipped).take(self.page_size).collect();
        let pages = results.div_ceil(self.page_size).max(1);
        Ok(json!({ "data": data, "page": self.page, "pages": pages, "results": results }))
    }
}

/// A query parameter, such as `page`.
pub(super) fn query(uri: &Uri, name: &str) -> Option<String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let url = Url::parse(&format!("http://host{path}")).ok()?;
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(uri: &str) -> Result<Listing, Error> {
        Listing::of(&uri.parse().unwrap(), "")
    }

    fn numbers(n: u64) -> Vec<Value> {
        (0..n).map(Value::from).collect()
    }

    #[test]
    fn pages_are_counted() {
        let second = listing("/v4/tags?page=2&page_size=25").unwrap().answer(&[], numbers(60)).unwrap();
        assert_eq!(
            (&second["page"], &second["pages"], &second["results"]),
            (&json!(2), &json!(3), &json!(60))
        );
        assert_eq!((second["data"].as_array().unwrap().len(), &second["data"][0]), (25, &json!(25)));
        let empty = listing("/v4/tags").unwrap().answer(&[], numbers(0)).unwrap();
        assert_eq!(empty, json!({ "data": [], "page": 1, "pages": 1, "results": 0 }));
    }

    #[test]
    fn a_page_is_25_to_500_long() {
        for good in ["page_size=25", "page_size=500", "page=7"] {
            assert!(listing(&format!("/v4/tags?{good}")).is_ok(), "{good}");
        }
        for bad in ["page_size=10", "page_size=501", "page_size=x", "page=0", "page=-1", "page="] {
            assert!(listing(&format!("/v4/tags?{bad}")).is_err(), "{bad}");
        }
    }
}
