//! Lists in parts.

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::sorting::{SortValue, Sorting};
use serde::de::DeserializeOwned;
use store::page::{Page, PageRequest, SortCursor, SortKey, SortedRequest};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};
use uuid::Uuid;

use super::{Moment, Params, invalid_query};
use crate::problem::Problem;

const DEFAULT_LIMIT: i64 = 20;
const MAX_LIMIT: i64 = 100;

/// `limit` and `cursor` of the query string; answers 400 `invalid_query`. Turn it into what `store` takes with
/// [`Paging::request`] or `into()`.
#[derive(Debug, Clone, Copy, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many entries at most.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    pub limit: i64,
    /// `next_cursor` of the previous part; without it the list begins.
    #[param(value_type = Option<String>)]
    pub cursor: Option<Uuid>,
}

impl Paging {
    /// What part of the list `store` shall return.
    #[must_use]
    pub const fn request(self) -> PageRequest {
        PageRequest { before: self.cursor, limit: self.limit }
    }
}

impl From<Paging> for PageRequest {
    fn from(paging: Paging) -> Self {
        paging.request()
    }
}

/// `limit`, `cursor` and `sort` of a list that can be sorted; answers 400 `invalid_query`. Turn it into what `store` takes with
/// [`SortedPaging::request`].
#[derive(Debug, Clone)]
pub struct SortedPaging<S> {
    limit: i64,
    cursor: Option<String>,
    sort: Option<S>,
}

/// What stands in the query string, for the document; `sort` differs from list to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what is read elsewhere")]
struct PartOfSorted {
    /// How many entries at most.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    limit: i64,
    /// `next_cursor` of the previous part, which has to be sorted the same; without it the list begins.
    cursor: Option<String>,
}

impl<S: Sorting + ToSchema> IntoParams for SortedPaging<S> {
    fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let usual = S::USUAL.word();
        let sort = ParameterBuilder::new()
            .name("sort")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(format!(
                "What they are sorted by, with `-` for the greatest first; `{usual}` where nothing is said."
            )))
            .schema(Some(S::schema()))
            .build();
        let mut parameters = PartOfSorted::into_params(parameter_in);
        parameters.push(sort);
        parameters
    }
}

impl<S: Sorting> SortedPaging<S> {
    /// How the list is sorted, and what part of it `store` shall return.
    ///
    /// # Errors
    /// 400 `invalid_query` when the cursor is none of ours, or of a list that is sorted otherwise.
    pub fn request(self) -> Result<(S, SortedRequest), Problem> {
        let sorting = self.sort.unwrap_or(S::USUAL);
        let after = self
            .cursor
            .map(|text| {
                decode_sorted(&text, sorting)
                    .ok_or_else(|| invalid_query("cursor: not one that we gave out for this sorting"))
            })
            .transpose()?;
        Ok((sorting, SortedRequest { after, limit: self.limit }))
    }

    /// The same where the list has an order of its own, and cursors as [`Paging`] has.
    ///
    /// # Errors
    /// 400 `invalid_query` when another order is asked for, or the cursor is none of ours.
    pub fn unsorted(self) -> Result<PageRequest, Problem> {
        if self.sort.is_some() {
            return Err(invalid_query("sort: this list has an order of its own"));
        }
        Ok(PageRequest { before: self.cursor.as_deref().map(plain).transpose()?, limit: self.limit })
    }
}

#[derive(serde::Deserialize)]
struct Raw {
    limit: Option<String>,
    cursor: Option<String>,
}

impl Raw {
    fn limit(&self) -> Result<i64, Problem> {
        let Some(text) = &self.limit else { return Ok(DEFAULT_LIMIT) };
        text.parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| invalid_query(&format!("limit: a whole number from 1 to {MAX_LIMIT}")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Params(raw) = Params::<Raw>::from_request_parts(parts, state).await?;
        let limit = raw.limit()?;
        let cursor = raw.cursor.as_deref().map(plain).transpose()?;
        Ok(Self { limit, cursor })
    }
}

#[derive(serde::Deserialize)]
struct RawSort<S> {
    sort: Option<S>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for SortedPaging<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Params(raw) = Params::<Raw>::from_request_parts(parts, state).await?;
        let Params(RawSort { sort }) = Params::<RawSort<T>>::from_request_parts(parts, state).await?;
        Ok(Self { limit: raw.limit()?, cursor: raw.cursor, sort })
    }
}

/// The word of the sorting, the id and the value, in this order: only the value may have any character.
fn encode_sorted(cursor: &SortCursor, sorting: impl Sorting) -> String {
    let key = match &cursor.key {
        SortKey::Age | SortKey::Time(None) => String::new(),
        SortKey::Time(Some(at)) => at.to_rfc3339_opts(SecondsFormat::Micros, true),
        SortKey::Number(number) => number.to_string(),
        SortKey::Text(text) => text.clone(),
    };
    BASE64_URL_SAFE_NO_PAD.encode(format!("{} {} {key}", sorting.word(), cursor.id))
}

fn decode_sorted(text: &str, sorting: impl Sorting) -> Option<SortCursor> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (word, rest) = text.split_once(' ')?;
    let (id, key) = rest.split_once(' ')?;
    if word != sorting.word() {
        return None;
    }
    let key = match sorting.value() {
        SortValue::Age => key.is_empty().then_some(SortKey::Age)?,
        SortValue::Time if key.is_empty() => SortKey::Time(None),
        SortValue::Time => SortKey::Time(Some(moment(key)?)),
        SortValue::Number => SortKey::Number(key.parse().ok()?),
        SortValue::Text => SortKey::Text((!key.contains('\0')).then(|| key.to_owned())?),
    };
    Some(SortCursor { key, id: id.parse().ok()? })
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    serde_json::from_value::<Moment>(text.into()).ok().map(Moment::get)
}

fn plain(cursor: &str) -> Result<Uuid, Problem> {
    decode_cursor(cursor).ok_or_else(|| invalid_query("cursor: not one that we gave out"))
}

fn decode_cursor(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// A part of a list.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct Paged<T> {
    /// The entries: newest first, where no other order is asked for.
    pub data: Vec<T>,
    /// Give it as `cursor` to get the next part; null at the end.
    #[schema(example = "AZPnQ2NjcJ2yYk3qH5r0Xg")]
    pub next_cursor: Option<String>,
}

impl<T> Paged<T> {
    /// A page of `store`, each row turned into its API shape.
    pub fn new<R>(page: Page<R>, entry: impl FnMut(R) -> T) -> Self {
        Self {
            data: page.data.into_iter().map(entry).collect(),
            next_cursor: page.next.map(|id| BASE64_URL_SAFE_NO_PAD.encode(id.as_bytes())),
        }
    }

    /// A page of a list that is sorted like this.
    pub fn sorted<R>(page: Page<R, SortCursor>, sorting: impl Sorting, entry: impl FnMut(R) -> T) -> Self {
        Self {
            data: page.data.into_iter().map(entry).collect(),
            next_cursor: page.next.map(|cursor| encode_sorted(&cursor, sorting)),
        }
    }

    /// The same where a row may have no API shape.
    ///
    /// # Errors
    /// That of the first row without one.
    pub fn try_new<R, E>(page: Page<R>, entry: impl FnMut(R) -> Result<T, E>) -> Result<Self, E> {
        let data = page.data.into_iter().map(entry).collect::<Result<Vec<_>, E>>()?;
        Ok(Self::new(Page { data, next: page.next }, |entry| entry))
    }

    /// The same of a list that is sorted like this.
    ///
    /// # Errors
    /// As [`Paged::try_new`].
    pub fn try_sorted<R, E>(
        page: Page<R, SortCursor>,
        sorting: impl Sorting,
        entry: impl FnMut(R) -> Result<T, E>,
    ) -> Result<Self, E> {
        let data = page.data.into_iter().map(entry).collect::<Result<Vec<_>, E>>()?;
        Ok(Self::sorted(Page { data, next: page.next }, sorting, |entry| entry))
    }
}

impl<T: serde::Serialize> IntoResponse for Paged<T> {
    fn into_response(self) -> Response {
        axum::Json(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_round_trip() {
        let id = Uuid::now_v7();
        let paged = Paged::new(Page { data: vec![1], next: Some(id) }, |n| n);
        assert_eq!(decode_cursor(&paged.next_cursor.unwrap()), Some(id));
        assert_eq!(decode_cursor("AAAA"), None);
        assert_eq!(decode_cursor("no cursor"), None);
    }

    #[test]
    fn a_sorted_cursor_is_of_its_sorting_alone() {
        use domain::sorting::{InstanceSort, InvoiceSort, OrderSort, UserSort};
        let id = Uuid::now_v7();
        let at = "2026-11-30T08:00:00.123456Z".parse().unwrap();
        macro_rules! survives {
            ($key:expr, $sorting:expr) => {
                let cursor = SortCursor { key: $key, id };
                assert_eq!(decode_sorted(&encode_sorted(&cursor, $sorting), $sorting), Some(cursor));
            };
        }
        survives!(SortKey::Age, OrderSort::Newest);
        survives!(SortKey::Number(-133_200), OrderSort::Dearest);
        survives!(SortKey::Time(Some(at)), InstanceSort::DueFirst);
        survives!(SortKey::Time(None), InstanceSort::DueFirst);
        survives!(SortKey::Text("a b c@example.com".to_owned()), UserSort::Email);

        let total = encode_sorted(&SortCursor { key: SortKey::Number(1), id }, OrderSort::Cheapest);
        assert_eq!(decode_sorted(&total, OrderSort::Dearest), None);
        let forged = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        for text in
            ["total", &format!("total {id}"), &format!("total {id} x"), "total x 1", &format!("total {id} ")]
        {
            assert_eq!(decode_sorted(&forged(text), InvoiceSort::Smallest), None, "{text}");
        }
        let late = forged(&format!("due_at {id} +262142-12-31T23:59:59Z"));
        assert_eq!(decode_sorted(&late, InvoiceSort::DueFirst), None);
        assert_eq!(decode_sorted(&forged(&format!("email {id} a\0b")), UserSort::Email), None);
        assert_eq!(decode_sorted("no cursor", UserSort::Email), None);
    }
}
