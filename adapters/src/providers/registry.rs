//! Providers by slug.

use std::{collections::BTreeMap, sync::Arc};

use super::CloudProvider;

/// A slug no provider is set up for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no provider `{slug}` is set up here")]
pub struct UnknownProvider {
    /// The slug.
    pub slug: String,
}

/// The providers that are set up, by the catalog's slug.
#[derive(Debug, Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn CloudProvider>>);

impl Registry {
    /// A registry of these; of two with one slug the later counts.
    #[must_use]
    pub fn new(providers: Vec<Arc<dyn CloudProvider>>) -> Self {
        Self(providers.into_iter().map(|provider| (provider.slug(), provider)).collect())
    }

    /// The provider of a slug.
    ///
    /// # Errors
    /// [`UnknownProvider`] when none is set up.
    pub fn get(&self, slug: &str) -> Result<Arc<dyn CloudProvider>, UnknownProvider> {
        self.0.get(slug).cloned().ok_or_else(|| UnknownProvider { slug: slug.to_owned() })
    }

    /// The slugs there are, in alphabetical order.
    pub fn slugs(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}
