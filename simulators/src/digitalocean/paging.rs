//! The vendor's paging: `page`, `per_page`, `links.pages` with only the pages there are, `meta.total`.

use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::{Uri, header::HOST, request::Parts},
};
use reqwest::Url;
use serde_json::{Map, Value, json};

use super::error::Error;

const DEFAULT_PER_PAGE: usize = 20;
const MAX_PER_PAGE: usize = 200;

/// The address a request came to and its query, with which page of a list it wants.
#[derive(Debug)]
pub(super) struct Listing {
    url: Url,
    page: usize,
    per_page: usize,
}

impl<S: Send + Sync> FromRequestParts<S> for Listing {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let host = parts.headers.get(HOST).and_then(|h| h.to_str().ok()).unwrap_or("127.0.0.1").to_owned();
        let OriginalUri(uri) = match OriginalUri::from_request_parts(parts, state).await {
            Ok(uri) => uri,
            Err(never) => match never {},
        };
        Self::of(&host, &uri)
    }
}

impl Listing {
    fn of(host: &str, uri: &Uri) -> Result<Self, Error> {
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        let url =
            Url::parse(&format!("http://{host}{path}")).map_err(|e| Error::bad_request(e.to_string()))?;
        let mut listing = Self { url, page: 1, per_page: DEFAULT_PER_PAGE };
        listing.page = listing.positive("page")?.unwrap_or(1);
        listing.per_page = listing.positive("per_page")?.map_or(DEFAULT_PER_PAGE, |n| n.min(MAX_PER_PAGE));
        Ok(listing)
    }

    fn positive(&self, name: &str) -> Result<Option<usize>, Error> {
        let Some(text) = self.query(name) else { return Ok(None) };
        match text.parse::<usize>() {
            Ok(number @ 1..) => Ok(Some(number)),
            _ => Err(Error::bad_request(format!("{name} must be a positive integer"))),
        }
    }

    /// A query parameter; an empty one counts as absent.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.url
            .query_pairs()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, v)| v.into_owned())
    }

    /// A URL of this simulator, as the client reached it.
    pub(super) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.url.origin().ascii_serialization())
    }

    /// The answer that lists the wanted page of `items` under `key`.
    pub(super) fn answer(&self, key: &str, items: impl ExactSizeIterator<Item = Value>) -> Value {
        self.answer_with(key, items, |item| item)
    }

    /// The same of things that are written out only where they are on the page: of ten thousand that is most of the work.
    pub(super) fn answer_with<T>(
        &self,
        key: &str,
        items: impl ExactSizeIterator<Item = T>,
        show: impl FnMut(T) -> Value,
    ) -> Value {
        let total = items.len();
        let skipped = self.per_page.saturating_mul(self.page - 1);
        let page: Vec<Value> = items.skip(skipped).take(self.per_page).map(show).collect();
        let mut answer = Map::new();
        answer.insert(key.to_owned(), page.into());
        answer.insert("links".to_owned(), self.links(total.div_ceil(self.per_page)));
        answer.insert("meta".to_owned(), json!({ "total": total }));
        answer.into()
    }

    fn links(&self, pages: usize) -> Value {
        let mut links = Map::new();
        if self.page > 1 {
            links.insert("first".to_owned(), self.page_url(1).into());
            links.insert("prev".to_owned(), self.page_url(self.page - 1).into());
        }
        if self.page < pages {
            links.insert("next".to_owned(), self.page_url(self.page + 1).into());
            links.insert("last".to_owned(), self.page_url(pages).into());
        }
        if links.is_empty() { json!({}) } else { json!({ "pages": links }) }
    }

    fn page_url(&self, page: usize) -> String {
        let mut url = self.url.clone();
        let others: Vec<(String, String)> = self
            .url
            .query_pairs()
            .filter(|(key, _)| key != "page" && key != "per_page")
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        url.query_pairs_mut()
            .clear()
            .append_pair("page", &page.to_string())
            .append_pair("per_page", &self.per_page.to_string())
            .extend_pairs(others);
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(uri: &str) -> Listing {
        Listing::of("sim:1", &uri.parse().unwrap()).unwrap()
    }

    fn numbers(n: usize) -> impl ExactSizeIterator<Item = Value> {
        (0..n).map(Value::from)
    }

    #[test]
    fn one_page_has_no_links() {
        let answer = listing("/v2/sizes").answer("sizes", numbers(20));
        assert_eq!(answer["links"], json!({}));
        assert_eq!(answer["meta"]["total"], 20);
        assert_eq!(answer["sizes"].as_array().unwrap().len(), 20);
    }

    #[test]
    fn links_name_only_pages_there_are_and_keep_the_filter() {
        let first = listing("/v2/droplets?tag_name=env%3Aprod&per_page=2").answer("droplets", numbers(5));
        assert_eq!(
            first["links"]["pages"],
            json!({
                "next": "http://sim:1/v2/droplets?page=2&per_page=2&tag_name=env%3Aprod",
                "last": "http://sim:1/v2/droplets?page=3&per_page=2&tag_name=env%3Aprod",
            })
        );
        let last = listing("/v2/droplets?page=3&per_page=2").answer("droplets", numbers(5));
        assert_eq!(last["droplets"], json!([4]));
        let links = last["links"]["pages"].as_object().unwrap();
        assert_eq!(links.keys().collect::<Vec<_>>(), ["first", "prev"]);
    }

    #[test]
    fn a_page_is_at_most_200_long_and_never_nonsense() {
        let answer = listing("/v2/droplets?per_page=1000").answer("droplets", numbers(300));
        assert_eq!(answer["droplets"].as_array().unwrap().len(), 200);
        for bad in ["page=0", "per_page=-1", "page=x"] {
            assert!(Listing::of("sim:1", &format!("/v2/droplets?{bad}").parse().unwrap()).is_err(), "{bad}");
        }
    }
}
